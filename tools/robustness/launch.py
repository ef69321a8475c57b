"""Commands that start by forking a process that has everything loaded, in a fraction of a fresh start's time.

The process that forks must not have computed anything with several threads, which do not survive a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import os
import resource
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from robustness.cases import Streams

Commands = Mapping[str, Callable[[], "int | None"]]
"""Name of a command → what it runs; it takes its words from sys.argv."""

_MODULES = {f"nmt-{name}": f"nmt.cli.{name}" for name in ("train", "translate", "evaluate", "export")}
# All that the commands import when they run.
_LOADED_LATER = (
    *("hydra.core.plugins", "torch._dynamo", "onnx", "onnxruntime", "sacrebleu", "sentencepiece", "safetensors.numpy"),
    *("safetensors.torch", "tqdm", "nmt.cli.chosen", "nmt.cli.train_help", "nmt.evaluation.report", "nmt.loading"),
    *("nmt.runtime.export", "nmt.runtime.model", "nmt.training.run", "nmt.training.summary", "nmt.translator"),
)
_KEPT_BYTES = 1 << 22
_WATCH_MS = 20
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_GRACE_SECONDS = 2.0


def load_commands() -> Commands:
    """Import everything, and return the commands. They compute with one thread, unless they are told otherwise."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when PyTorch is imported
    found = {name: importlib.import_module(module).main for name, module in _MODULES.items()}
    for name in _LOADED_LATER:
        importlib.import_module(name)
    return found


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a command may take, and how much memory."""

    seconds: float = 30.0
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


def launch(
    commands: Commands,
    command: str,
    words: Sequence[str],
    *,
    directory: Path,
    text: bytes = b"",
    environment: Mapping[str, str] | None = None,
    streams: Streams | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Run a command to its end.

    Args:
        commands: from `load_commands`.
        command: one of their names.
        words: the command line after the name.
        directory: where it runs.
        text: its standard input.
        environment: added to ours.
        streams: what it reads and writes.
        limits: what it may take; it is killed when it takes more.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        stdin.write(text)
        stdin.seek(0)
        reading, writing = os.pipe()
        began = time.monotonic()
        streams = streams or Streams()
        pid = os.fork()
        if not pid:
            try:
                os.close(reading)
                os.setsid()
                for number in (signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
                _arrange(streams, directory, stdin.fileno(), stdout.fileno(), writing)
                _become(commands, command, words, environment or {}, fresh=streams.ascii_locale)
            finally:
                os._exit(99)
        os.close(writing)
        outcome = Outcome()
        try:
            _watch(pid, reading, outcome, limits or Limits())
        finally:
            os.close(reading)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        outcome.code = os.waitstatus_to_exitcode(status)
        outcome.seconds = time.monotonic() - began
        stdout.seek(0)
        outcome.out = stdout.read(_KEPT_BYTES)
    return outcome


def _watch(pid: int, pipe: int, outcome: Outcome, limits: Limits) -> None:
    """Read what a process says until it ends; kill it when it takes too much."""
    began, heard, held = time.monotonic(), [], 0
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
                elif held < _KEPT_BYTES:
                    heard.append(part)
                    held += len(part)
            if ended in ready:
                while part := _read(pipe):
                    heard.append(part)
                outcome.left_running = _outlived(pid)
                break
            outcome.peak_bytes = max(outcome.peak_bytes, _resident_bytes(pid))
            outcome.too_large = outcome.peak_bytes > limits.memory_bytes
            outcome.too_long = time.monotonic() - began > limits.seconds
            if outcome.too_large or outcome.too_long:
                break
    finally:
        os.close(ended)
    outcome.err = b"".join(heard)


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
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(_resident_bytes(int(child)) for child in path.read_text().split())
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


def _arrange(streams: Streams, directory: Path, stdin: int, stdout: int, stderr: int) -> None:
    """Give this process its directory, its streams and its limits."""
    os.chdir(directory)
    if streams.directory_gone:
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir("../gone")
    if streams.stdout == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    if streams.stdout == "gone":
        reading, stdout = os.pipe()
        os.close(reading)
    for number, handle in enumerate((stdin, stdout, stderr)):
        os.dup2(handle, number)
    os.closerange(3, 256)
    for number, kind in enumerate((streams.stdin, streams.stdout, streams.stderr)):
        if kind == "closed":
            os.close(number)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if streams.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (streams.file_limit, streams.file_limit))


def _become(
    commands: Commands, command: str, words: Sequence[str], environment: Mapping[str, str], *, fresh: bool
) -> NoReturn:
    """Turn this process into the command, and end as Python does."""
    os.environ.update(environment)
    if fresh:
        os.environ.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        program = ["-m", _MODULES[command], *(os.fsencode(word) for word in words)]
        os.execv(sys.executable, [sys.executable, *program])
    sys.argv = [command, *words]
    sys.stdin = _stream(0, "r")
    sys.stdout = sys.__stdout__ = _stream(1, "w")
    sys.stderr = sys.__stderr__ = _stream(2, "w", errors="backslashreplace")
    try:
        code = commands[command]() or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"Exception ignored while flushing stdout:\n{error!r}\n")
        code = 120
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
    os._exit(code)


def _stream(number: int, mode: str, errors: str = "strict") -> io.TextIOWrapper | None:
    """Open a standard stream as Python does; None where it is closed."""
    try:
        os.fstat(number)
        return open(number, mode, encoding="utf-8", errors=errors, closefd=False, buffering=1 if number == 2 else -1)
    except OSError:
        return None
