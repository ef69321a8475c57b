"""For the person who watches: a progress bar, a readable log, and metrics as JSON lines."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from nmt.checkpoint import saving, write_atomically

LOG = logging.getLogger("nmt")
_PROGRESS_SECONDS = 15.0


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send the log to the file at `path` and, without time stamps, to standard error."""
    with saving(path):
        stamped = _LogFile(path, encoding="utf-8")
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
    """Writes log lines to standard error without breaking a progress bar that stands there."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class Metrics:
    """``metrics.jsonl``: one JSON object a line, in order of updates."""

    def __init__(self, path: Path, *, from_update: int) -> None:
        """Open for appending; lines after `from_update`, which an interrupted run left, are dropped."""
        self.path = path
        with saving(path):
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
                kept = [line for line in lines if _update_of(line) <= from_update]
                write_atomically(path, lambda partial: partial.write_text("".join(kept), encoding="utf-8"))
            self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 (closed by close)

    def write(self, kind: str, **values: Any) -> None:
        """Append one line and flush it."""
        with saving(self.path):
            self._file.write(json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        # A line that a full disk refused is still in the buffer, and was told of by `write`.
        with contextlib.suppress(OSError):
            self._file.close()


def _update_of(line: str) -> float:
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class Progress:
    """Loss, tokens/s, validation BLEU and time left: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, *, total_updates: int, update: int, show: bool) -> None:
        self._show = show
        self._bar: tqdm[Any] | None = None
        self._last_line = time.monotonic()
        self._total = total_updates
        if show and sys.stderr.isatty():
            self._bar = tqdm(
                total=total_updates,
                initial=update,
                unit="update",
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}",
            )

    def show(self, update: int, *, loss: float, tokens_per_second: float, bleu: float, seconds_left: float) -> None:
        """Bring the display up to date; cheap enough to call after every update."""
        bar, now = self._bar, time.monotonic()
        if not self._show or (bar is None and now - self._last_line < _PROGRESS_SECONDS):
            return
        shown_bleu = "-" if bleu < 0 else f"{bleu:.1f}"
        state = f"loss {loss:.2f}, {tokens_per_second:,.0f} tokens/s, BLEU {shown_bleu}, {clock(seconds_left)} left"
        if bar is not None:
            bar.set_postfix_str(state, refresh=False)
            bar.update(update - bar.n)
        else:
            self._last_line = now
            LOG.info("update %d/%d: %s", update, self._total, state)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
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
