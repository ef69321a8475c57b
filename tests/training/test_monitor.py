import contextlib
import fcntl
import json
import os
import re
import resource
import struct
import sys
import termios
import time

import pytest

from nmt.errors import RunError
from nmt.training import monitor
from nmt.training.monitor import LOG, Metrics, Progress, clock, logging_to, require_writable

NUMBERS = {"total_updates": 900, "loss": 2.3456, "tokens_per_second": 12345.6, "bleu": 31.44, "seconds_left": 3725.2}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.4, "59:59"),
        (3600, "1:00:00"),
        (90061, "25:01:01"),
        (-5, "0:00"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_the_log_goes_to_a_file_with_times_and_to_stderr_without(tmp_path, capsys):
    path = tmp_path / "train.log"
    with logging_to(path):
        LOG.info("Größe %d", 7)
        LOG.warning("look out")
        LOG.debug("nobody sees this")
    LOG.info("nor this")
    assert capsys.readouterr().err == "Größe 7\nlook out\n"
    lines = path.read_text(encoding="utf-8").splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(f"{stamp} INFO Größe 7", lines[0])
    assert re.fullmatch(f"{stamp} WARNING look out", lines[1])
    assert len(lines) == 2


def test_a_second_run_appends_to_the_log(tmp_path, capsys):
    for number in (1, 2):
        with logging_to(tmp_path / "train.log"):
            LOG.info("start %d", number)
    assert [line[-7:] for line in (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()] == [
        "start 1",
        "start 2",
    ]


def test_metrics_are_json_lines_that_are_there_at_once(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path, from_update=0)
    metrics.write("train", update=5, loss=1.5)
    metrics.write("validation", update=5, signature="nrefs:1|größe")
    lines = path.read_text(encoding="utf-8").splitlines()
    metrics.close()
    assert [json.loads(line) for line in lines] == [
        {"kind": "train", "update": 5, "loss": 1.5},
        {"kind": "validation", "update": 5, "signature": "nrefs:1|größe"},
    ]


@pytest.mark.parametrize("rest", ["", '{"kind": "train", "upd', "[]\n", '{"kind": "train"}\n', "7\n"])
def test_metrics_after_the_update_that_a_run_resumes_from_are_dropped(tmp_path, rest):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"kind": "train", "update": update}) + "\n" for update in (5, 10, 15, 20)]
    path.write_text("".join(lines) + rest, encoding="utf-8")
    metrics = Metrics(path, from_update=10)
    metrics.write("train", update=11)
    metrics.close()
    assert [json.loads(line)["update"] for line in path.read_text(encoding="utf-8").splitlines()] == [5, 10, 11]


def test_metrics_on_a_full_disk_end_in_one_error_that_names_the_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    metrics = Metrics(path, from_update=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        metrics.write("train", update=1)
        with pytest.raises(RunError, match=re.escape(f"cannot save {path}: File too large")):
            metrics.write("train", update=2, text="x" * 300)
        metrics.close()  # says it no second time
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    resumed = Metrics(path, from_update=2)
    resumed.write("train", update=3)
    resumed.close()
    assert [json.loads(line)["update"] for line in path.read_text(encoding="utf-8").splitlines()] == [1, 3]


@pytest.fixture
def clockwork(monkeypatch):
    """Seconds that pass only when told to."""
    now = [100.0]
    monkeypatch.setattr(monitor.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_progress_is_a_line_now_and_then(tmp_path, capsys, clockwork):
    with logging_to(tmp_path / "train.log"):
        progress = Progress(total_updates=900, update=0, show=True)
        for update in range(1, 41):
            clockwork[0] += 1
            progress.show(update, **NUMBERS)
        progress.close()
    assert capsys.readouterr().err.splitlines() == [
        f"update {update}/900: loss 2.35, 12,346 tokens/s, BLEU 31.4, 1:02:05 left" for update in (15, 30)
    ]


def test_the_lines_of_a_long_run_come_ever_less_often(tmp_path, capsys, clockwork):
    with logging_to(tmp_path / "train.log"):
        progress = Progress(total_updates=10**6, update=0, show=True)
        for update in range(1, 4 * 3600):
            clockwork[0] += 1
            progress.show(update, **NUMBERS)
    updates = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert updates[:39] == list(range(15, 600, 15))
    assert updates[39:149] == list(range(645, 7200, 60))
    assert updates[149:] == list(range(7485, 4 * 3600, 300))


def test_before_the_first_validation_there_is_no_bleu(tmp_path, capsys, clockwork):
    with logging_to(tmp_path / "train.log"):
        progress = Progress(total_updates=900, update=0, show=True)
        clockwork[0] += 60
        progress.show(1, **NUMBERS | {"bleu": -1.0})
    assert "BLEU -," in capsys.readouterr().err


@contextlib.contextmanager
def terminal():
    """Let stderr be a terminal of 80 columns; gives a function that reads what it shows."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(master, False)

    def shown(pattern):
        """Return what appeared since the last call once `pattern` is in it; the kernel takes its time."""
        written, deadline = b"", time.perf_counter() + 30
        while not re.search(pattern, written.decode("utf-8", "replace")):
            assert time.perf_counter() < deadline, f"no {pattern!r} in {written!r}"
            with contextlib.suppress(BlockingIOError):
                written += os.read(master, 1 << 16)
            time.sleep(0.001)
        return written.decode("utf-8", "replace")

    with open(slave, "w", encoding="utf-8", newline="") as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        yield shown
    os.close(master)


def test_progress_can_be_turned_off(clockwork):
    with terminal() as shown:
        progress = Progress(total_updates=900, update=0, show=False)
        clockwork[0] += 60
        progress.show(60, **NUMBERS)
        progress.close()
        print("the end", file=sys.stderr, flush=True)
        assert shown("the end").strip() == "the end"


def test_a_terminal_shows_a_bar_with_loss_speed_bleu_and_time_left(tmp_path):
    with terminal() as shown, logging_to(tmp_path / "train.log"):
        progress = Progress(total_updates=20000, update=50, show=True)
        progress.show(10000, **NUMBERS | {"total_updates": 15000})
        progress._bar.refresh()
        numbers = re.escape("| 10000/15000, loss 2.35, 12,346 tokens/s, BLEU 31.4, 1:02:05 left")
        shown(rf"\r 67%\|[^|]+{numbers}")
        LOG.info("a line above the bar")
        shown(r"a line above the bar[^|]*\n[^|]*\|[^|]+\| 10000/15000")  # the bar stands below it again
        progress.close()
    assert "10000/15000" not in (tmp_path / "train.log").read_text(encoding="utf-8")


def test_require_writable_makes_the_directory_and_leaves_nothing_in_it(tmp_path):
    require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        require_writable(tmp_path / "file" / "b")
