import json
import signal
import sys
import time

import pytest

from nmt.bundle.weights import load_bundle
from nmt.training.state import load_state

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to a process")
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143} | ({signal.SIGHUP: 129} if hasattr(signal, "SIGHUP") else {})


@pytest.fixture
def wait_for_metrics(tmp_path):
    """Wait until a training has written its first line of metrics."""

    def wait(process):
        path = tmp_path / "run" / "metrics.jsonl"
        while not (path.exists() and path.read_text(encoding="utf-8").endswith("\n")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)

    return wait


@pytest.mark.parametrize("number", list(EXIT_CODES))
def test_a_signal_saves_and_the_same_command_goes_on(nmt_train, tiny, tmp_path, wait_for_metrics, number):
    settings = [*tiny, "trainer.max_updates=100", "trainer.validate_every=50", "trainer.log_every=5"]
    with nmt_train.start(*settings) as process:
        wait_for_metrics(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_CODES[number]
    assert err.splitlines()[-1] == f"{number.name}: saving after this update; once more to stop at once"
    state = load_state(tmp_path / "run" / "state.pt")
    stopped = state.position.update
    assert 5 <= stopped < 100

    finished = nmt_train(*settings)
    assert finished.code == 0
    assert f"resuming run after update {stopped}, epoch {state.position.epoch}" in finished.err
    assert "training ended: trainer.max_updates=100 reached" in finished.err
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    updates = [value["update"] for value in map(json.loads, lines) if value["kind"] == "train"]
    assert updates == list(range(5, 101, 5))
    assert load_bundle(tmp_path / "run" / "last").metadata["updates"] == 100


def test_a_second_signal_waits_for_nothing(nmt_train, tiny, tmp_path, wait_for_metrics):
    # The first validation begins after the first update, and takes a minute and more.
    for side in ("en", "de"):
        path = tmp_path / f"valid.{side}"
        lines = [f"{number} {line}" for number in range(200) for line in path.read_text(encoding="utf-8").splitlines()]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    slow = "trainer.validate_every=1", "trainer.log_every=1", "trainer.valid_batch_size=1"
    with nmt_train.start(*tiny, *slow) as process:
        wait_for_metrics(process)
        process.send_signal(signal.SIGINT)
        seen = ""
        while "SIGINT: saving after this update" not in seen:
            seen = process.stderr.readline()
            assert seen, "the command ended before the second signal"
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert load_state(tmp_path / "run" / "state.pt").position.update == 0


def test_nohup_keeps_a_training_from_hanging_up(nmt_train, tiny, tmp_path, wait_for_metrics):
    settings = [*tiny, "trainer.max_updates=60", "trainer.validate_every=30", "trainer.log_every=5"]
    nmt_train.words = ["nohup", *nmt_train.words]
    with nmt_train.start(*settings) as process:
        wait_for_metrics(process)
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert load_bundle(tmp_path / "run" / "last").metadata["updates"] == 60


def test_nobody_needs_to_read_what_a_training_tells(nmt_train, tiny, tmp_path, wait_for_metrics):
    """As in nmt-train ... 2>&1 | head, and with standard error closed."""
    settings = [*tiny, "trainer.max_updates=60", "trainer.validate_every=30", "trainer.log_every=5"]
    with nmt_train.start(*settings) as process:
        wait_for_metrics(process)
        process.stderr.close()
        assert process.wait(timeout=60) == 0
    assert load_state(tmp_path / "run" / "state.pt").position.finished == "trainer.max_updates=60 reached"
    assert "training ended: trainer.max_updates=60 reached" in (tmp_path / "run" / "train.log").read_text(
        encoding="utf-8"
    )

    nmt_train.words = ["sh", "-c", 'exec "$@" 2>&-', "sh", *nmt_train.words]
    finished = nmt_train(*settings, "run_dir=other")
    assert (finished.code, finished.out, finished.err) == (0, "", "")
    assert load_state(tmp_path / "other" / "state.pt").position.update == 60
