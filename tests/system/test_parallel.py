"""Several processes that train one model, as torchrun starts them."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import nmt
from nmt.bundle.weights import load_bundle
from nmt.training.state import load_state

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and signals")
ROOT = Path(nmt.__file__).parent.parent
THREADS = Path("/proc/self/task")  # Linux names a process's threads there, those of C++ too


def _become_command(words, environment, directory, log):
    """Be nmt-train: the interpreter is a fork of one that has imported torch, which saves its seconds."""
    os.environ.update(environment)
    os.chdir(directory)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from nmt.cli.hydra.train import main

    code = main(words)
    if THREADS.exists():
        names = [path.read_text(encoding="utf-8").strip() for path in THREADS.glob("*/comm")]
        log.with_suffix(".threads").write_text(" ".join(names), encoding="utf-8")
    sys.exit(code)


class Group:
    """Processes of one run, with their standard errors."""

    def __init__(self, directory, words, size):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            [
                "torch",
                "torch._dynamo",  # which DistributedDataParallel imports
                "torch.distributed",
                "hydra.core.plugins",
                "nmt.cli.hydra.train",
                "nmt.training.run",
            ]
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        self.logs = [directory / f"stderr-{rank}.txt" for rank in range(size)]
        self.processes = []
        for rank in range(size):
            environment = {"OMP_NUM_THREADS": "1"}
            if size > 1:
                environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
                environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            own = words(rank) if callable(words) else words
            arguments = (own, environment, directory, self.logs[rank])
            self.processes.append(context.Process(target=_become_command, args=arguments))
        for process in self.processes:
            process.start()

    def wait(self, timeout=120):
        """Exit codes of all, which must end by themselves, and their threads that exchange before Python does."""
        end = time.monotonic() + timeout
        for process in self.processes:
            process.join(max(0.1, end - time.monotonic()))
        stuck = [rank for rank, process in enumerate(self.processes) if process.is_alive()]
        for rank in stuck:
            self.processes[rank].kill()
        assert not stuck, [log.read_text(encoding="utf-8") for log in self.logs]
        for names in (log.with_suffix(".threads") for log in self.logs):
            assert not names.exists() or "gloo" not in names.read_text(encoding="utf-8")
        return [process.exitcode for process in self.processes]

    def errors(self, rank):
        lines = self.logs[rank].read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line.startswith("nmt-train: ")]


@pytest.fixture
def group(tmp_path):
    """Start nmt-train in so many processes."""

    def start(words, size):
        return Group(tmp_path, words, size)

    return start


def losses(run_dir):
    return {value["update"]: value["loss"] for value in lines_of(run_dir) if value["kind"] == "train"}


def lines_of(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def settings(tiny):
    """Twenty updates without dropout, every one of them in the metrics."""
    return [
        *tiny,
        *("model.dropout=0", "trainer.max_updates=20", "trainer.validate_every=10", "trainer.log_every=1"),
        *("optimizer.warmup_updates=5", "optimizer.lr=5e-3", "subwords.sampling_alpha=0.2"),
    ]


@pytest.mark.parametrize(("accumulation", "lexicon", "choose_search"), [(1, 5, True), (2, 0, False)])
def test_two_processes_learn_what_one_learns(group, settings, tmp_path, accumulation, lexicon, choose_search):
    settings = [*settings, f"model.lexicon_size={lexicon}", f"trainer.choose_search={choose_search}"]
    assert group([*settings, "run_dir=one", "corpus.test=valid"], 1).wait() == [0]
    parts = f"trainer.accumulation={accumulation}"
    two = group([*settings, "run_dir=two", "corpus.test=valid", parts], 2)
    assert two.wait() == [0, 0]
    one_losses, two_losses = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert list(two_losses) == list(one_losses) == list(range(1, 21))
    assert max(abs(one_losses[i] - two_losses[i]) for i in one_losses) < 1e-4
    one, two_bundle = load_bundle(tmp_path / "one" / "best"), load_bundle(tmp_path / "two" / "best")
    for (name, expected), found in zip(
        one.model.state_dict().items(), two_bundle.model.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-4, msg=name)
    for key in ("target_tokens", "updates", "test"):
        assert one.metadata[key] == two_bundle.metadata[key]
    assert two_bundle.metadata["processes"] == 2
    # Weights that differ in their last digits may choose other searches: it is enough that the choice was made.
    assert all(("search" in bundle.metadata) is choose_search for bundle in (one, two_bundle))
    # The main process alone tells what happens.
    assert "2 processes" in (tmp_path / "two" / "train.log").read_text(encoding="utf-8")
    assert two.logs[1].read_text(encoding="utf-8") == ""


def test_a_run_goes_on_with_another_number_of_processes(group, settings, tmp_path):
    assert group([*settings, "run_dir=one"], 1).wait() == [0]
    first = group([*settings, "run_dir=mixed", "trainer.validate_every=5"], 2)
    wait_for_update(first, tmp_path / "mixed", 7)
    first.processes[0].kill()
    assert first.wait() == [-signal.SIGKILL, 1]
    assert load_state(tmp_path / "mixed" / "state.pt").position.update >= 5
    assert group([*settings, "run_dir=mixed", "trainer.validate_every=5", "trainer.overwrite=false"], 1).wait() == [0]
    one_losses, mixed_losses = losses(tmp_path / "one"), losses(tmp_path / "mixed")
    assert list(mixed_losses) == list(range(1, 21))
    assert max(abs(one_losses[i] - mixed_losses[i]) for i in one_losses) < 1e-4


def wait_for_update(group, run_dir, update, timeout=60):
    path, end = run_dir / "metrics.jsonl", time.monotonic() + timeout
    while not path.exists() or f'"update": {update},' not in path.read_text(encoding="utf-8"):
        assert time.monotonic() < end
        assert all(process.is_alive() for process in group.processes), group.logs[0].read_text(encoding="utf-8")
        time.sleep(0.005)


@pytest.fixture
def endless(tiny):
    return [*tiny, "trainer.max_updates=100000", "trainer.validate_every=50000", "trainer.log_every=1"]


def test_a_process_that_dies_ends_the_others_with_a_clear_error(group, endless, tmp_path):
    running = group(endless, 2)
    wait_for_update(running, tmp_path / "run", 3)
    running.processes[1].kill()
    assert running.wait(timeout=60) == [1, -signal.SIGKILL]
    (error,) = running.errors(0)
    assert error.startswith("nmt-train: error: another process of this run ended or cannot be reached")
    assert "Traceback" not in running.logs[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_one_process_stops_all_after_saving(group, endless, tmp_path, told):
    running = group(endless, 2)
    wait_for_update(running, tmp_path / "run", 3)
    os.kill(running.processes[told].pid, signal.SIGTERM)
    assert running.wait(timeout=60) == [143, 143]
    update = load_state(tmp_path / "run" / "state.pt").position.update
    assert update >= 3
    again = group([*endless, "trainer.max_minutes=0.0001"], 2)
    assert again.wait() == [0, 0]
    assert f"resuming run after update {update}" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")


def test_dropout_differs_between_processes_and_repeats(group, tiny, tmp_path):
    words = [*tiny, "trainer.max_updates=6", "trainer.validate_every=6", "model.dropout=0.3"]
    for name in ("first", "second"):
        assert group([*words, f"run_dir={name}"], 2).wait() == [0, 0]
    first, second = (load_state(tmp_path / name / "state.pt").model for name in ("first", "second"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_patience_and_minutes_end_all_processes_at_the_same_update(group, tiny, tmp_path):
    # A learning rate of nothing: no validation is better than the first.
    words = [*tiny, "optimizer.lr=1e-12", "trainer.patience=2", "trainer.validate_every=3", "trainer.max_updates=90"]
    assert group(words, 2).wait() == [0, 0]
    assert load_state(tmp_path / "run" / "state.pt").position.update == 9


def test_a_validation_text_shorter_than_the_world(group, tiny, tmp_path):
    for side in ("en", "de"):
        path = tmp_path / f"valid.{side}"
        path.write_text(path.read_text(encoding="utf-8").split("\n")[0] + "\n", encoding="utf-8")
    assert group([*tiny, "trainer.max_updates=4", "trainer.validate_every=2"], 2).wait() == [0, 0]
    validations = [line for line in lines_of(tmp_path / "run") if line["kind"] == "validation"]
    assert [line["update"] for line in validations] == [2, 4]
    assert all(line["perplexity"] > 1 for line in validations)


def test_a_sweep_in_two_processes_goes_on_after_a_job_that_fails(group, tiny, tmp_path):
    words = ["-m", "optimizer.lr=1e-3,-1,2e-3", *tiny, "trainer.max_updates=2", "trainer.validate_every=2"]
    running = group(words, 2)
    assert running.wait() == [2, 2]
    trained = sorted(path.parent.name for path in (tmp_path / "run").glob("*/state.pt"))
    assert trained == ["optimizer.lr=0.001", "optimizer.lr=0.002"]
    assert [load_bundle(tmp_path / "run" / name / "best").metadata["processes"] for name in trained] == [2, 2]
    (error,) = running.errors(0)
    assert "optimizer.lr=-1.0 is not possible" in error
    assert "the sweep goes on" in error
    assert running.logs[1].read_text(encoding="utf-8") == ""
    assert (tmp_path / "run" / "sweep.md").read_text(encoding="utf-8").count("\n| 0.00") == 2


def test_a_mistake_is_told_once(group, tiny):
    failed = group([*tiny, "corpus.train=missing"], 2)
    assert failed.wait() == [2, 2]
    (error,) = failed.errors(0)
    assert "corpus.train=missing: there is no file missing.en" in error
    assert failed.errors(1) == []


def test_different_settings_are_refused(group, tiny):
    failed = group(lambda rank: [*tiny, f"optimizer.lr={rank + 1}e-3"], 2)
    assert failed.wait() == [2, 2]
    assert "started with different settings: optimizer.lr (0.001 and 0.002)" in failed.errors(0)[0]


def test_a_world_without_a_rank_is_refused(nmt_train, tiny):
    nmt_train.environment = nmt_train.environment | {"WORLD_SIZE": "2"}
    nmt_train.environment.pop("RANK", None)
    finished = nmt_train(*tiny)
    assert finished.code == 2
    assert "start several processes with torchrun, or unset WORLD_SIZE" in finished.err


def test_torchrun_trains_and_passes_a_signal_on(nmt_train, group, endless, tmp_path):
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "nmt.cli.train",
    ]
    environment = nmt_train.environment
    with subprocess.Popen([*words, *endless], env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        path, end = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 90
        while not path.exists() or '"update": 3,' not in path.read_text(encoding="utf-8"):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode != 0
    stopped = load_state(tmp_path / "run" / "state.pt").position.update
    assert stopped >= 3
    assert "2 processes" in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert group([*endless, "trainer.max_minutes=0.0001"], 2).wait() == [0, 0]
    assert load_bundle(tmp_path / "run" / "best").metadata["updates"] == stopped
