"""Stopping by signal: the first one waits for the update in progress and its save, a second one does not.

An update that takes too long is given up: what it would have made, the run that goes on makes from the last one.
"""

import signal
import threading
import time
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Self

# NumPy would load this at its first use, in the midst of a run. A signal that comes meanwhile would be lost in it.
import numpy.random  # noqa: F401

from nmt.runs.log import LOG

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_PATIENCE_SECONDS = 10.0
"""How long a signal waits for the update in progress."""


class UpdateGivenUp(Exception):
    """A signal waited too long for the update in progress."""


class StopSignal:
    """A context in which SIGINT, SIGTERM and SIGHUP are remembered instead of raised, those aside that are ignored."""

    def __init__(self) -> None:
        self.arrived: signal.Signals | None = None
        self._arrived_at = 0.0
        self._before: dict[signal.Signals, object] = {}
        # A thread logs: where the main one is interrupted while it writes the log, it cannot write another line.
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._teller: threading.Thread | None = None

    def __enter__(self) -> Self:
        # Only the main thread may install handlers; elsewhere signals are not ours to handle.
        if threading.current_thread() is threading.main_thread():
            self._teller = threading.Thread(target=self._tell, name="nmt-stop", daemon=True)
            self._teller.start()
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._end()

    def give_up_late(self) -> None:
        """Raise `UpdateGivenUp` when a signal has waited too long; for the midst of an update."""
        if self.arrived and time.monotonic() - self._arrived_at > _PATIENCE_SECONDS:
            raise UpdateGivenUp

    def raise_again(self, number: int) -> None:
        """Let a signal do what it did before this context: end the command with its exit code; 0 is none."""
        self._end()
        if number:
            signal.raise_signal(number)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.arrived, self._arrived_at = signal.Signals(number), time.monotonic()
        self._restore()  # first, so that whoever reads the line can count on it
        self._lines.put(f"{self.arrived.name}: saving after this update; once more to stop at once")

    def _tell(self) -> None:
        while (line := self._lines.get()) is not None:
            LOG.info(line)

    def _end(self) -> None:
        """Have signals do what they did before, and all lines told."""
        self._restore()
        if self._teller:
            self._lines.put(None)
            self._teller.join()
            self._teller = None

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]
        self._before = {}
