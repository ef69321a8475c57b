"""What a run tells the person who watches: a log, in a file with times and on standard error, and how far it is."""

import contextlib
import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nmt.files import ESCAPED, encoded, saving

LOG = logging.getLogger("nmt")

# Seconds since the log began: seconds between two lines from then on. That makes 90 lines of an hour and 2,000 of a
# week.
_INTERVALS = {0.0: 15.0, 600.0: 60.0, 7200.0: 300.0}


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send the log to the file at `path` and, without time stamps, to standard error."""
    with saving(path):
        stamped = _LogFile(path, encoding="utf-8", errors=ESCAPED)
    stamped.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    try:
        with _handled_by(stamped, _AboveTheBar(), level=logging.INFO):
            yield
    finally:
        with contextlib.suppress(OSError):  # a full disk was reported before
            stamped.close()


def logging_warnings(rank: int) -> contextlib.AbstractContextManager[None]:
    """Let a process other than the main one log its warnings alone, to standard error, with its number."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"process {rank}: %(message)s"))
    return _handled_by(handler, level=logging.WARNING)


@contextlib.contextmanager
def _handled_by(*handlers: logging.Handler, level: int) -> Iterator[None]:
    """Let the log have these handlers alone for a while."""
    before = LOG.level, LOG.propagate, LOG.handlers[:]
    LOG.setLevel(level)
    LOG.propagate, LOG.handlers[:] = False, handlers
    try:
        yield
    finally:
        level, LOG.propagate, LOG.handlers[:] = before
        LOG.setLevel(level)


class _LogFile(logging.FileHandler):
    """A log file whose failure ends the run in one line, as that of any other file does."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Raise what went wrong, which logging would print with its traceback."""
        with saving(Path(self.baseFilename)):
            raise


class _AboveTheBar(logging.Handler):
    """Writes log lines to standard error without breaking a progress bar that stands there.

    The reader may be gone: the terminal is closed, or the program that read the lines has ended. Training goes on, and
    the log file has the lines too.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:  # tqdm would take that for standard output
            with unless_nobody_reads():
                tqdm.write(encoded(self.format(record)).decode(), file=sys.stderr)


@contextlib.contextmanager
def unless_nobody_reads() -> Iterator[None]:
    """Write to standard error; where its reader is gone, to nowhere from now on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EIO):  # a pipe's reader, a terminal
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stderr.fileno())


class Pace:
    """Says when a long log is due for another line: every 15 seconds at first, every minute later, then every five."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time; the next line is due an interval after one that was."""
        now = time.monotonic()
        interval = max(seconds for since, seconds in _INTERVALS.items() if now - self._began >= since)
        if now - self._last < interval:
            return False
        self._last = now
        return True


class ProgressBar:
    """How far a run is and what else there is to say: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, *, total_updates: int, update: int, show: bool) -> None:
        self._show = show
        self._bar: tqdm[Any] | None = None
        self._pace = Pace()
        if show and sys.stderr is not None and sys.stderr.isatty():
            self._bar = tqdm(
                total=total_updates,
                initial=update,
                unit="update",
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}",
            )

    def show(self, update: int, *, total_updates: int, state: str) -> None:
        """Bring the display up to date; cheap enough to call after every update."""
        bar = self._bar
        if not self._show or (bar is None and not self._pace.due()):
            return
        if bar is not None:
            with unless_nobody_reads():
                bar.total = total_updates
                bar.set_postfix_str(state, refresh=False)
                bar.update(update - bar.n)
        else:
            LOG.info(f"update {update}/{total_updates}: {state}")

    def close(self) -> None:
        """End the bar and leave it on the screen."""
        if self._bar is not None:
            with unless_nobody_reads():
                self._bar.close()


def clock(seconds: float) -> str:
    """Write seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
