"""How far a run is, for the person who watches: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Any

from tqdm import tqdm

from nmt.runs.log import LOG, unless_nobody_reads

# Seconds since the log began: seconds between two lines from then on. That makes 90 lines of an hour and 2,000 of a
# week.
_INTERVALS = {0.0: 15.0, 600.0: 60.0, 7200.0: 300.0}


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
