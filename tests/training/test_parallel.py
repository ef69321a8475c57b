"""How a process of several takes its leave; what they do together is tested in tests/system/test_parallel.py."""

import atexit
import multiprocessing
import os
import socket
import sys
import time

import pytest
import torch

from nmt.training.parallel import Processes, leave_processes


def _leave_amid_an_exchange(rank, port, code):
    """Rank 0 begins an exchange that rank 1 takes no part in, and ends as the command does."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    from nmt.cli.hydra import train
    from nmt.training import parallel

    parallel._FAREWELL_SECONDS = 0.5
    os.dup2(os.open(f"out-{rank}.txt", os.O_WRONLY | os.O_CREAT), 1)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)

    def joined(words):
        parallel.join_processes()
        if rank == 1:
            time.sleep(600)
        torch.distributed.all_reduce(torch.zeros(1), async_op=True)
        atexit.register(print, "and that")
        print("this", end=" ")
        return code

    train._train = joined
    train.main(["name=any"])
    os._exit(99)  # not reached: Python may not shut down


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("code", [0, 1, 143])
def test_a_process_ends_in_time_with_its_code_when_another_does_not_answer(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "nmt.cli.hydra.train", "nmt.training.parallel"])
    processes = [context.Process(target=_leave_amid_an_exchange, args=(rank, port, code)) for rank in range(2)]
    for process in processes:
        process.start()
    try:
        processes[0].join(60)
        assert processes[0].exitcode == code
    finally:
        for process in processes:
            process.kill()
            process.join()
    assert (tmp_path / "out-0.txt").read_text(encoding="utf-8") == "this and that\n"


def test_who_is_alone_has_nobody_to_leave():
    assert leave_processes()
    assert Processes().gather(1) == [1]
