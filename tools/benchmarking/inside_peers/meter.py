"""What is measured in every process alike, ours or a peer's; the standard library only."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn


class Positions(NamedTuple):
    """Positions of a batch, ends of sentences counted."""

    source: int
    """real ones"""
    all_source: int
    """padding included"""
    target: int
    all_target: int


class UpdateMeter:
    """Times some updates of a training loop that tells of each before it begins, then ends the process.

    The clock runs from the beginning of one update to the beginning of another, so that data, optimiser and whatever
    else the loop does count too.
    """

    def __init__(self, *, warm_up: int, updates: int, result: str) -> None:
        """Prepare to skip `warm_up` updates, to time `updates`, and to write what was found to the file `result`."""
        self._warm_up, self._updates, self._result = warm_up, updates, result
        self._number, self._began = 0, 0.0
        self._measured: list[Positions] = []

    def begin(self, positions: Positions, **facts: Any) -> None:
        """Note that an update begins.

        Args:
            positions: of its batch.
            facts: what else the result shall hold.
        """
        if self._number == self._warm_up:
            self._began = time.perf_counter()
        if self._number == self._warm_up + self._updates:
            self._finish(time.perf_counter() - self._began, facts)
        if self._number >= self._warm_up:
            self._measured.append(positions)
        self._number += 1

    def _finish(self, seconds: float, facts: dict[str, Any]) -> NoReturn:
        found = training_speed(self._measured, seconds) | facts
        Path(self._result).write_text(json.dumps(found), encoding="utf-8")
        sys.stdout.flush()
        raise SystemExit(0)


def training_speed(measured: list[Positions], seconds: float) -> dict[str, float]:
    """Speed, padding and memory of updates that took so long together."""
    source, all_source, target, all_target = (sum(column) for column in zip(*measured, strict=True))
    return {
        "tokens_per_second": target / seconds,
        "ms_per_update": 1000 * seconds / len(measured),
        "source_padding": 1 - source / all_source,
        "target_padding": 1 - target / all_target,
        "peak_mb": peak_memory(),
    }


def peak_memory(pid: int | str = "self") -> float:
    """Most resident memory of a process so far, of this one if none is named, in MB of 2^20 bytes.

    Linux counts what a process was before it became this program into ru_maxrss, even where that was a large parent;
    VmHWM is that of the program alone.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024 if sys.platform != "darwin" else 1024**2)
