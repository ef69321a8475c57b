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
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from robustness.cases import Streams
from robustness.watch import KEPT_BYTES, Limits, Outcome, watch

Commands = Mapping[str, Callable[[], "int | None"]]
"""Name of a command → what it runs; it takes its words from sys.argv."""

_MODULES = {f"nmt-{name}": f"nmt.cli.{name}" for name in ("translate", "evaluate", "export")}
_MODULES["nmt-train"] = "nmt.cli.hydra.train"
# All that the commands import when they run.
_LOADED_LATER = (
    *("hydra.core.plugins", "torch._dynamo", "onnx", "onnxruntime", "sacrebleu", "sentencepiece", "safetensors.numpy"),
    *(
        "safetensors.torch",
        "tqdm",
        "nmt.cli.hydra.chosen",
        "nmt.cli.hydra.train_help",
        "nmt.evaluation.report",
        "nmt.bundle.loading",
    ),
    *(
        "nmt.export.variant",
        "nmt.runtime.model",
        "nmt.training.run",
        "nmt.runs.tables",
        "nmt.translation.translator",
    ),
)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl.h


def load_commands() -> Commands:
    """Import everything, and return the commands. They compute with one thread, unless they are told otherwise."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read when PyTorch is imported
    found = {name: importlib.import_module(module).main for name, module in _MODULES.items()}
    for name in _LOADED_LATER:
        importlib.import_module(name)
    return found


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
            watch(pid, reading, outcome, limits or Limits())
        finally:
            os.close(reading)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        outcome.code = os.waitstatus_to_exitcode(status)
        outcome.seconds = time.monotonic() - began
        stdout.seek(0)
        outcome.out = stdout.read(KEPT_BYTES)
    return outcome


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
