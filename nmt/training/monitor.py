"""For the person who watches: a progress bar, a readable log, and metrics as JSON lines."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nmt.errors import ConfigError
from nmt.files import ESCAPED, encoded, is_utf8, saving, write_atomically

LOG = logging.getLogger("nmt")
# Seconds since the log began: seconds between two lines from then on. That makes 90 lines of an
# hour and 2,000 of a week.
_INTERVALS = {0.0: 15.0, 600.0: 60.0, 7200.0: 300.0}


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send the log to the file at `path` and, without time stamps, to standard error."""
    with saving(path):
        stamped = _LogFile(path, encoding="utf-8", errors=ESCAPED)
    stamped.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    plain = _AboveTheBar()
    plain.setFormatter(logging.Formatter("%(message)s"))
    before = LOG.level, LOG.propagate, LOG.handlers[:]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    LOG.handlers[:] = [stamped, plain]
    try:
        yield
    finally:
        level, LOG.propagate, LOG.handlers[:] = before
        LOG.setLevel(level)
        with contextlib.suppress(OSError):  # what a full disk did not take was told before
            stamped.close()


class _LogFile(logging.FileHandler):
    """A log file whose failure ends the run in one line, as that of any other file does."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Raise what went wrong, which logging would print with its traceback."""
        with saving(Path(self.baseFilename)):
            raise


class _AboveTheBar(logging.Handler):
    """Writes log lines to standard error without breaking a progress bar that stands there.

    Nobody may be reading: the terminal is closed, or what the lines were piped into has ended. Training goes on, and
    the log file has the lines too.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:  # tqdm would take that for standard output
            with _unless_nobody_reads():
                tqdm.write(encoded(self.format(record)).decode(), file=sys.stderr)


@contextlib.contextmanager
def _unless_nobody_reads() -> Iterator[None]:
    """Write to standard error; where its reader is gone, to nowhere from now on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EIO):  # a pipe's reader, a terminal
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), sys.stderr.fileno())


class Metrics:
    """``metrics.jsonl``: one JSON object a line, in order of updates; for TensorBoard too, where that is asked for."""

    def __init__(self, path: Path, *, from_update: int, tensorboard: bool = False) -> None:
        """Open for appending; lines after `from_update`, which an interrupted run left, are dropped.

        Args:
            path: the file.
            from_update: the update after which the run goes on; 0: it begins.
            tensorboard: write the numbers into the directory ``tensorboard`` beside `path` too.

        Raises:
            ConfigError: TensorBoard is not installed.
            RunError: the disk is full or not writable.
        """
        self.path = path
        self._board: TensorBoard | None = None
        if tensorboard:
            self._board = TensorBoard(path.with_name("tensorboard"), from_update=from_update)
        with saving(path):
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
                kept = [line for line in lines if _update_of(line) <= from_update]
                write_atomically(path, lambda partial: partial.write_text("".join(kept), encoding="utf-8"))
            self._file = open(path, "a", encoding="utf-8", errors=ESCAPED)  # noqa: SIM115 (closed by close)

    def write(self, kind: str, **values: Any) -> None:
        """Append one line and flush it."""
        with saving(self.path):
            self._file.write(json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n")
            self._file.flush()
        if self._board:
            self._board.write(kind, **values)

    def close(self) -> None:
        """Close the file."""
        # A line that a full disk refused is still in the buffer, and was told of by `write`.
        with contextlib.suppress(OSError):
            self._file.close()
        if self._board:
            self._board.close()


class TensorBoard:
    """The numbers of metrics.jsonl for TensorBoard: ``tensorboard --logdir runs`` shows every run below runs."""

    def __init__(self, directory: Path, *, from_update: int) -> None:
        """Write into a directory; points after `from_update`, which an interrupted run left, are hidden.

        Raises:
            ConfigError: TensorBoard is not installed.
            RunError: the disk is full or not writable.
        """
        require_tensorboard(directory)
        from torch.utils.tensorboard import SummaryWriter

        self._directory = directory
        with saving(directory):
            self._writer: Any = SummaryWriter(str(directory), purge_step=from_update + 1)

    def write(self, kind: str, *, update: int, **values: Any) -> None:
        """Add a point at `update` to the curve ``KIND/NAME`` of every value that is a number."""
        with saving(self._directory):
            for name, value in values.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    self._writer.add_scalar(f"{kind}/{name}", value, update)
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._writer.close()


def require_tensorboard(run_dir: Path) -> None:
    """Make sure that TensorBoard is installed, and takes the path that it is to write to.

    Raises:
        ConfigError: it is not, or does not.
    """
    if not is_utf8(run_dir):
        raise ConfigError(
            f"trainer.tensorboard=true needs a path that is UTF-8, and run_dir={run_dir} is not; "
            "choose another run_dir, or leave it false (metrics.jsonl has the same numbers)"
        )
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ConfigError(
            "trainer.tensorboard=true needs TensorBoard: pip install tensorboard, or leave it false "
            "(metrics.jsonl has the same numbers)"
        ) from None


def _update_of(line: str) -> float:
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


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


class Progress:
    """Loss, tokens/s, validation BLEU and time left: a bar on a terminal, a line now and then elsewhere."""

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

    def show(
        self,
        update: int,
        *,
        total_updates: int,
        loss: float,
        tokens_per_second: float,
        bleu: float,
        seconds_left: float,
    ) -> None:
        """Bring the display up to date; cheap enough to call after every update."""
        bar = self._bar
        if not self._show or (bar is None and not self._pace.due()):
            return
        shown_bleu = "-" if bleu < 0 else f"{bleu:.1f}"
        state = f"loss {loss:.2f}, {tokens_per_second:,.0f} tokens/s, BLEU {shown_bleu}, {clock(seconds_left)} left"
        if bar is not None:
            with _unless_nobody_reads():
                bar.total = total_updates
                bar.set_postfix_str(state, refresh=False)
                bar.update(update - bar.n)
        else:
            LOG.info("update %d/%d: %s", update, total_updates, state)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            with _unless_nobody_reads():
                self._bar.close()


def clock(seconds: float) -> str:
    """Write seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def require_writable(directory: Path) -> None:
    """Make the directory and check that files can be made in it.

    Raises:
        OSError: they cannot.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # One name for all processes: what a killed one left, the next one removes.
    probe = directory / ".writable"
    probe.touch()
    probe.unlink(missing_ok=True)
