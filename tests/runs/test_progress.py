"""Progress: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import fcntl
import os
import re
import struct
import sys
import termios
import time

import pytest

from nmt.runs import log
from nmt.runs.log import LOG, ProgressBar, clock, logging_to

NUMBERS = {"total_updates": 900, "state": "loss 2.35, 12,346 tokens/s, BLEU 31.4, 1:02:05 left"}


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


@pytest.fixture
def clockwork(monkeypatch):
    """Seconds that pass only when told to."""
    now = [100.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_progress_is_a_line_now_and_then(tmp_path, capsys, clockwork):
    with logging_to(tmp_path / "train.log"):
        progress = ProgressBar(total_updates=900, update=0, show=True)
        for update in range(1, 41):
            clockwork[0] += 1
            progress.show(update, **NUMBERS)
        progress.close()
    assert capsys.readouterr().err.splitlines() == [
        f"update {update}/900: loss 2.35, 12,346 tokens/s, BLEU 31.4, 1:02:05 left" for update in (15, 30)
    ]


def test_the_lines_of_a_long_run_come_ever_less_often(tmp_path, capsys, clockwork):
    with logging_to(tmp_path / "train.log"):
        progress = ProgressBar(total_updates=10**6, update=0, show=True)
        for update in range(1, 4 * 3600):
            clockwork[0] += 1
            progress.show(update, **NUMBERS)
    updates = [int(line.split()[1].split("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert updates[:39] == list(range(15, 600, 15))
    assert updates[39:149] == list(range(645, 7200, 60))
    assert updates[149:] == list(range(7485, 4 * 3600, 300))


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
        progress = ProgressBar(total_updates=900, update=0, show=False)
        clockwork[0] += 60
        progress.show(60, **NUMBERS)
        progress.close()
        print("the end", file=sys.stderr, flush=True)
        assert shown("the end").strip() == "the end"


def test_a_terminal_shows_a_bar_with_loss_speed_bleu_and_time_left(tmp_path):
    with terminal() as shown, logging_to(tmp_path / "train.log"):
        progress = ProgressBar(total_updates=20000, update=50, show=True)
        progress.show(10000, **NUMBERS | {"total_updates": 15000})
        progress._bar.refresh()
        numbers = re.escape("| 10000/15000, loss 2.35, 12,346 tokens/s, BLEU 31.4, 1:02:05 left")
        shown(rf"\r 67%\|[^|]+{numbers}")
        LOG.info("a line above the bar")
        shown(r"a line above the bar[^|]*\n[^|]*\|[^|]+\| 10000/15000")  # the bar stands below it again
        progress.close()
    assert "10000/15000" not in (tmp_path / "train.log").read_text(encoding="utf-8")
