"""Workers: replies in order, bounded work ahead, and ends that leave nobody behind."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from nmt.errors import ConfigError, NmtError, RunError
from nmt.translation import workers

SERVE = """
import os, sys, time
from nmt.translation.worker import serve

def prepare():
    if "refuse" in sys.argv:
        raise ValueError("no model here")
    print("chatter")
    return {"pid": os.getpid()}, answer

def answer(request):
    if request.get("die"):
        os.kill(os.getpid(), 9)
    if request.get("fail"):
        raise ValueError(request["fail"])
    time.sleep(request.get("sleep", 0))
    return {"square": request["number"] ** 2, "pid": os.getpid()}

serve(prepare, lambda error: (f"{type(error).__name__}: {error}", 2))
"""


@pytest.fixture
def start():
    with contextlib.ExitStack() as stack:

        def begin(count=2, *words):
            return stack.enter_context(workers.Workers([sys.executable, "-c", SERVE, *words], count))

        yield begin


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_each_reply_comes_with_its_future_whoever_is_faster(start, capfd):
    pool = start(2)
    futures = [pool.submit({"number": n, "sleep": 0.05 * (n % 3 == 0)}) for n in range(12)]
    replies = [future.result(30) for future in futures]
    assert [reply["square"] for reply in replies] == [n * n for n in range(12)]
    assert len({reply["pid"] for reply in replies}) == 2
    pool.close()
    assert capfd.readouterr() == ("", "chatter\nchatter\n")


def test_text_of_any_kind_and_length_is_carried():
    text = "\0\n漢字 🙂 \u2028" + "x" * 3_000_000
    program = "from nmt.translation.worker import serve; "
    program += "serve(lambda: ({}, lambda request: request), lambda error: (str(error), 1))"
    with workers.Workers([sys.executable, "-c", program], 1) as pool:
        assert pool.submit({"text": text}).result(60) == {"text": text}


def test_an_error_of_a_worker_is_told_as_its_own_to_all_who_wait(start):
    pool = start(1)
    first, failed, waiting = (pool.submit(each) for each in ({"number": 1}, {"fail": "too bad"}, {"number": 2}))
    assert first.result(30)["square"] == 1
    for future in (failed, waiting):
        with pytest.raises(NmtError, match=r"^ValueError: too bad$") as caught:
            future.result(30)
        assert caught.value.exit_code == 2
    with pytest.raises(NmtError, match=r"^ValueError: too bad$"):
        pool.submit({"number": 3}).result(30)


def test_a_worker_that_cannot_be_prepared_says_why(start):
    with pytest.raises(NmtError, match=r"^ValueError: no model here$"):
        start(3, "refuse")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_worker_killed_at_work_is_named(start):
    with pytest.raises(
        RunError,
        match=r"^worker process \d+ was killed by signal 9; if memory is short, run it again with fewer",
    ):
        start(2).submit({"number": 1, "die": True}).result(30)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_an_idle_worker_killed_is_noticed_and_the_others_end(start):
    pool = start(2)
    killed = pool.submit({"number": 1}).result(30)["pid"]
    pids = [process.pid for process in pool._processes]
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while pool.failure is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(RunError, match=f"worker process {killed} was killed by signal 9"):
        pool.submit({"number": 1}).result(30)
    pool.close()
    assert not any(map(is_alive, pids))


def test_a_request_that_comes_as_the_last_worker_is_found_dead_ends_too(start, monkeypatch):
    death, found = workers._death, threading.Event()

    def late(process):
        found.set()
        time.sleep(0.3)  # meanwhile the second request is handed in
        return death(process)

    monkeypatch.setattr(workers, "_death", late)
    pool = start(1)
    first = pool.submit({"number": 1}).result(30)
    os.kill(first["pid"], signal.SIGKILL)
    assert found.wait(20)
    with pytest.raises(RunError, match=r"was killed by signal 9"):
        pool.submit({"number": 2}).result(30)


def test_the_number_of_workers():
    assert workers.worker_count(3) == 3
    assert workers.worker_count(0) >= 1
    with pytest.raises(
        ConfigError, match="--workers -1 is not possible: it must be between 1 and 1024, or 0 for one per core"
    ):
        workers.worker_count(-1)
