"""The log of a run: a file with times, and standard error without them."""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from nmt.files import ESCAPED, encoded, saving

LOG = logging.getLogger("nmt")


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
