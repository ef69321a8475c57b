"""Verify that nmt-translate takes no more memory for a long text than for a short one, and answers before it ends.

It feeds a text to nmt-translate over and over and prints a Markdown table of the anonymous resident memory (RssAnon of
Linux's /proc, summed over the command and its workers) at some numbers of lines: the highest since the last 10 % before
each began. The last may exceed the first by so many MiB at most.

    python tools/verify_memory.py runs/demo/best corpora/demo/test.en --lines 20000 200000 -- --beam-size 1 --workers 2
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from nmt.cli.common import Parser, run, standard_output
from nmt.errors import ConfigError, RunError

NAME = "verify_memory.py"
_SAMPLE_SECONDS = 0.02
_LAST_PART = 0.1
_PATIENCE_SECONDS = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code: 1 when memory grows or the first translation waits for the end."""
    return run(lambda: verify(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    words = list(sys.argv[1:] if argv is None else argv)
    own = words.index("--") if "--" in words else len(words)
    usage = f"{NAME} MODEL FILE [--lines N ...] [--growth MIB] [-- further options of nmt-translate]"
    parser = Parser(NAME, usage=usage, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a bundle")
    parser.add_argument("source", type=Path, metavar="FILE", help="sentences to translate")
    lines = {"type": int, "nargs": "+", "default": [20_000, 200_000], "metavar": "N"}
    parser.add_argument("--lines", help="when to look (default: 20000 200000)", **lines)
    parser.add_argument("--growth", type=float, default=20, metavar="MIB", help="bound (default: 20)")
    arguments = parser.parse_args(words[:own])
    arguments.options = words[own + 1 :]
    if min(arguments.lines) < 1:
        raise ConfigError(f"--lines {min(arguments.lines)} is not possible: it must be 1 or more")
    if not Path("/proc/self/status").exists():
        raise ConfigError("this machine has no /proc/PID/status, where Linux tells a process's memory")
    return arguments


def verify(arguments: argparse.Namespace) -> None:
    """Translate, and print a row for each number of lines.

    Raises:
        RunError: memory grows, the first translation waits for the end of the input, or the command failed.
    """
    text = arguments.source.read_bytes().rstrip(b"\n") + b"\n"
    marks = sorted(arguments.lines)
    words = [sys.executable, "-m", "nmt.cli.translate", str(arguments.model), "--quiet", *arguments.options]
    out = standard_output()
    out.write(b"| lines | seconds | anonymous memory, MiB |\n| ---: | ---: | ---: |\n")
    found = []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = _Feeder(process.stdin, text, marks[-1])
        watch = _Watch(process.pid)
        try:
            began = time.monotonic()
            read = _read_lines(process.stdout, 1)
            feeder.answered.set()
            for mark in marks:
                read += _read_lines(process.stdout, round(mark * (1 - _LAST_PART)) - read)
                watch.reset()
                read += _read_lines(process.stdout, mark - read)
                found.append(watch.peak() / 2**20)
                out.write(f"| {mark:,} | {time.monotonic() - began:,.1f} | {found[-1]:,.1f} |\n".encode())
                out.flush()
        except BaseException:
            process.kill()
            raise
        finally:
            watch.stop()
    if process.returncode:
        raise RunError(f"nmt-translate ended with exit code {process.returncode}")
    if feeder.gave_up:
        raise RunError(f"no translation came in {_PATIENCE_SECONDS:g} s while the input had not ended")
    if found[-1] - found[0] > arguments.growth:
        raise RunError(f"memory grew by {found[-1] - found[0]:.1f} MiB, more than {arguments.growth:g}")


class _Feeder:
    """Writes so many lines, in a thread, taking the text from its start again when it ends; half before an answer."""

    def __init__(self, pipe: IO[bytes], text: bytes, lines: int) -> None:
        self.answered = threading.Event()
        self.gave_up = False
        """whether no answer came to the first half"""
        every = text.splitlines(keepends=True)
        threading.Thread(target=self._feed, args=(pipe, every, lines), daemon=True).start()

    def _feed(self, pipe: IO[bytes], every: list[bytes], lines: int) -> None:
        try:
            with pipe:
                _write_lines(pipe, every, (lines + 1) // 2)
                pipe.flush()
                self.gave_up = not self.answered.wait(_PATIENCE_SECONDS)
                _write_lines(pipe, every, lines // 2)
        except (OSError, ValueError):  # the command has ended, its pipe is closed perhaps; it tells why
            pass


class _Watch:
    """Looks at the memory of a command and its children again and again, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Forget what was seen."""
        self._peak = 0

    def peak(self) -> int:
        """Tell the most bytes since then, now included."""
        return max(self._peak, anonymous_memory(self._pid))

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._peak = max(self._peak, anonymous_memory(self._pid))


def anonymous_memory(pid: int) -> int:
    """Bytes of anonymous resident memory of a process and its children; 0 for one that has ended."""
    total = 0
    for one in (pid, *_children(pid)):
        try:
            status = Path(f"/proc/{one}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
    return total


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return found


def _write_lines(pipe: IO[bytes], every: list[bytes], count: int) -> None:
    for start in range(0, count, len(every)):
        pipe.write(b"".join(every[: count - start]))


def _read_lines(pipe: IO[bytes], count: int) -> int:
    """Read so many lines; RunError if there are fewer."""
    for _ in range(count):
        if not pipe.readline():
            raise RunError("nmt-translate ended early")
    return max(count, 0)


if __name__ == "__main__":
    sys.exit(main())
