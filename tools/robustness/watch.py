"""A command while it runs: what it says, how long it takes and how much memory, and what of it stays behind."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import time
from dataclasses import dataclass
from pathlib import Path

KEPT_BYTES = 1 << 22
"""of what a command writes"""
_WATCH_MS = 20
_GRACE_SECONDS = 2.0
_MOTION_SECONDS = 0.05
_IDLE_SECONDS = 8.0
_HELD_UP = 6


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a command may take, and how much memory."""

    seconds: float = 30.0
    """of the processors' time; as long by the clock when nothing moves, several times that when something does"""
    memory_bytes: int = 6 << 30
    """resident, of the command and all that it started"""


@dataclass(kw_only=True)
class Outcome:
    """What became of a command."""

    code: int = 0
    """exit code, or minus the signal that ended it"""
    out: bytes = b""
    err: bytes = b""
    seconds: float = 0.0
    peak_bytes: int = 0
    """the most resident memory that was seen"""
    too_long: bool = False
    """whether it was killed for its time"""
    too_large: bool = False
    """whether it was killed for its memory"""
    left_running: bool = False
    """whether a process that it started outlived it"""


def watch(pid: int, pipe: int, outcome: Outcome, limits: Limits) -> None:
    """Read what a process says until it ends; kill it when it takes too much."""
    heard: list[bytes] = []
    held, clock = 0, _Clock(pid, limits.seconds)
    os.set_blocking(pipe, False)
    ended = os.pidfd_open(pid)
    waiting = select.poll()
    for handle in (ended, pipe):
        waiting.register(handle, select.POLLIN)
    try:
        while True:
            ready = dict(waiting.poll(_WATCH_MS))
            if pipe in ready:
                part = _read(pipe)
                if not part:
                    waiting.unregister(pipe)
                elif held < KEPT_BYTES:
                    heard.append(part)
                    held += len(part)
            if ended in ready:
                while part := _read(pipe):
                    heard.append(part)
                outcome.left_running = _outlived(pid)
                break
            outcome.peak_bytes = max(outcome.peak_bytes, _resident_bytes(pid))
            outcome.too_large = outcome.peak_bytes > limits.memory_bytes
            outcome.too_long = clock.has_run_out()
            if outcome.too_large or outcome.too_long:
                break
    finally:
        os.close(ended)
    outcome.err = b"".join(heard)


class _Clock:
    """Tells a process that stands still or works for ever from one that a busy machine holds up."""

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid, self._seconds = pid, seconds
        self._began = self._moved = time.monotonic()
        self._used = 0.0

    def has_run_out(self) -> bool:
        """Whether the time is over: that of the processors, or that by the clock."""
        now = time.monotonic()
        used = _processor_seconds(self._pid)
        if used > self._used + _MOTION_SECONDS:
            self._used, self._moved = used, now
        idle = now - self._began > self._seconds and now - self._moved > min(_IDLE_SECONDS, self._seconds)
        return idle or used > self._seconds or now - self._began > _HELD_UP * self._seconds


def _processor_seconds(pid: int) -> float:
    """Seconds of processors that a process and those that it started have used; 0 where it is gone."""
    total = 0.0
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # ended children's too
        total += sum(map(_processor_seconds, _children(pid)))
    return total


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in tasks for child in path.read_text().split()]


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1 << 16)
    except BlockingIOError:
        return b""


def _resident_bytes(pid: int) -> int:
    """Bytes of resident memory of a process and of those that it started."""
    total = 0
    with contextlib.suppress(OSError, IndexError):
        total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
        total += sum(map(_resident_bytes, _children(pid)))
    return total


def _outlived(group: int) -> bool:
    """Whether anything of a process group still runs a while after its first process ended."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline:
        if not any(_runs_in(path, group) for path in Path("/proc").glob("[0-9]*/stat")):
            return False
        time.sleep(0.1)
    return True


def _runs_in(stat: Path, group: int) -> bool:
    try:
        state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in "ZX"
