"""Calls in processes of their own, two at once or one by one; they end with the process that started them."""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import NamedTuple, NoReturn, TextIO

from nmt.errors import NmtError, RunError, is_out_of_memory
from nmt.runs.log import LOG


class _Process(NamedTuple):
    name: str
    process: SpawnProcess
    answer: Connection
    """gets what the call raised, or None"""


def call_each(calls: Mapping[str, Callable[[], object]], *, at_once: bool) -> None:
    """Call each function in a process of its own; where one fails the others are stopped, and save what they have.

    What a process writes to standard error, its log among it, stands behind its name there.

    Args:
        calls: functions that can be pickled, by the names of their processes.
        at_once: all at the same time, or each when the one before it is done.

    Raises:
        NmtError: one raised it, was killed, or has a defect, of which its traceback was printed.
        KeyboardInterrupt: a signal arrived; the processes were told, and have saved.
    """
    groups = [calls] if at_once else [{name: call} for name, call in calls.items()]
    for group in groups:
        with _running(group) as processes:
            waiting = {each.answer: each for each in processes}
            while waiting:
                for ready in wait(list(waiting)):
                    assert isinstance(ready, Connection)
                    if error := _answer_of(waiting.pop(ready)):
                        raise error


def _answer_of(each: _Process) -> Exception | None:
    try:
        error: Exception | None = each.answer.recv()
        return error
    except EOFError:
        each.process.join()
        code = each.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return RunError(
            f"the process of {each.name} {how}; run the same command again, which goes on from its last save"
        )


@contextmanager
def _running(calls: Mapping[str, Callable[[], object]]) -> Iterator[list[_Process]]:
    """Start processes, and stop those that still run at the end."""
    context = multiprocessing.get_context("spawn")  # a forked process may hang in the locks of PyTorch's threads
    processes: list[_Process] = []
    try:
        for name, call in calls.items():
            answer, far_end = context.Pipe(duplex=False)
            process = context.Process(target=_serve, args=(name, call, far_end))
            with _out_of_earshot():
                process.start()
            far_end.close()  # so that the end of the process is the end of what comes
            processes.append(_Process(name, process, answer))
        yield processes
    finally:
        for each in processes:
            each.process.terminate()
        for each in processes:
            each.process.join()
            each.answer.close()


@contextmanager
def _out_of_earshot() -> Iterator[None]:
    """Start processes that a terminal's signals do not reach: this process forwards each signal once."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would let these signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(name: str, call: Callable[[], object], answer: Connection) -> None:
    """Be one of the processes."""
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if sys.stderr is not None:
        sys.stderr = _Named(name, sys.stderr)
        LOG.addHandler(logging.StreamHandler())
    LOG.setLevel(logging.INFO)
    try:
        answer.send(_outcome(name, call))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGTERM)


def _outcome(name: str, call: Callable[[], object]) -> Exception | None:
    """Call a function; return what it raised."""
    error: Exception | None = None
    try:
        call()
    except Exception as raised:
        error = raised
        if not (isinstance(error, (NmtError, OSError, ImportError)) or is_out_of_memory(error)):
            traceback.print_exc()
            error = RunError(f"{name}: {type(error).__name__}: this is a defect of nmt; please report the lines above")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # all is done; a signal would only add a message
    return error


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Named(io.TextIOBase):
    """A stream that puts a name before every line. It is no terminal, so that no progress bar is drawn on it."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._start, self._stream, self._rest = f"{name}: ", stream, ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._stream.write("".join(f"{self._start}{line}\n" for line in lines))
            self._stream.flush()
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()
