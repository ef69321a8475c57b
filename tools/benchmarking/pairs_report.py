"""What pairs cost as a table, as lines about what is not straight, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from nmt.files import write_atomically
from nmt.lab.gradients.picture import require_matplotlib

Row = Mapping[str, Any]
"""What was measured at one size, see `benchmark_pairs.benchmark`."""

BOUNDED = ("start", "first batch", "updates")
"""Stages whose time is not one of all pairs."""
_GROWTH = 1.2
"""Times the cost a pair at a tenth of the pairs, or so: more is told."""
_LEAST_SECONDS = 1.0
"""A stage that takes less is not looked at: its fixed cost is most of it."""


def table(rows: Sequence[Row]) -> list[str]:
    """Write the costs as Markdown: a row a stage, and a column a size; seconds are those of processors.

    Args:
        rows: of the same settings, by their sizes.
    """
    names = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    lines = [["stage", *(f"{row['pairs']:,} pairs" for row in rows)], ["---", *["---:"] * len(rows)]]
    lines += [[name, *(_cell(row, name) for row in rows)] for name in names if name != "updates"]
    lines.append(["all before the first update", *(_time(_total(row), row["pairs"]) for row in rows)])
    lines.append(["an update", *map(_update, rows)])
    lines.append(["updates", *(f"{row['stages']['updates']['peak_mib']:,.0f} MiB" for row in rows)])
    found = ["| " + " | ".join(cells) + " |" for cells in lines]
    return [*found, "", *(list(not_straight(rows)) or ["No stage costs more a pair as the text grows."])]


def _cell(row: Row, name: str) -> str:
    stage = row["stages"].get(name)
    if stage is None:
        return ""
    time = f"{stage['processor']:.2f} s" if name in BOUNDED else _time(stage["processor"], row["pairs"])
    time = "" if name == "start" else f"{time}, "
    return f"{time}{stage['peak_mib']:,.0f} MiB"


def _update(row: Row) -> str:
    tokens = row["stages"]["updates"]["target_tokens"] / row["updates"]
    return f"{1000 * seconds_an_update(row):.1f} ms, {tokens:,.0f} target tokens"


def _time(seconds: float, pairs: int) -> str:
    return f"{seconds:,.2f} s, {1e6 * seconds / pairs:,.1f} µs a pair"


def _total(row: Row) -> float:
    """Add up what a start does; reading and telling pairs apart are in other stages once more."""
    return sum(
        stage["processor"]
        for name, stage in row["stages"].items()
        if name not in ("start", "read", "deduplicate", "updates")
    )


def seconds_an_update(row: Row) -> float:
    """Divide the seconds of processors of the updates by their number."""
    return float(row["stages"]["updates"]["processor"]) / int(row["updates"])


def not_straight(rows: Sequence[Row]) -> Iterator[str]:
    """Tell of stages whose cost a pair grows from one size to the next, and of memory that grows with the pairs."""
    for before, after in pairwise(rows):
        sizes = f"from {before['pairs']:,} to {after['pairs']:,} pairs"
        for name, stage in after["stages"].items():
            earlier = before["stages"].get(name)
            if earlier is None or name in BOUNDED or stage["processor"] < _LEAST_SECONDS or not earlier["processor"]:
                continue
            growth = stage["processor"] / after["pairs"] / (earlier["processor"] / before["pairs"])
            if growth > _GROWTH:
                yield f"- {name}: {growth:.2f} times the cost a pair {sizes}"
        costs = [
            row["stages"]["updates"]["processor"] / row["stages"]["updates"]["target_tokens"] for row in (before, after)
        ]
        if (growth := costs[1] / costs[0]) > _GROWTH:
            yield f"- updates: {growth:.2f} times the time a target token {sizes}"
        peaks = [max(stage["peak_mib"] for stage in row["stages"].values()) for row in (before, after)]
        memory = (peaks[1] - peaks[0]) * 2**20 / (after["pairs"] - before["pairs"])
        if peaks[1] > _GROWTH * peaks[0]:
            where = max(after["stages"], key=lambda name: after["stages"][name]["peak_mib"])
            yield f"- memory: the peak grows by {memory:,.0f} bytes a pair {sizes}; it is in the stage {where}"


def draw(rows: Sequence[Row], output: Path) -> None:
    """Draw the time a pair and the peak of memory of each stage, by the number of pairs.

    A level line of time is a cost that is straight.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    times, memory = figure.subplots(1, 2)
    names = [name for name in dict.fromkeys(name for row in rows for name in row["stages"]) if name != "start"]
    for number, name in enumerate(names):
        points = [(row["pairs"], row["stages"][name]) for row in rows if name in row["stages"]]
        sizes, style = [pairs for pairs, _ in points], {"marker": "o", "color": f"C{number}"}
        if name not in BOUNDED:
            times.plot(sizes, [1e6 * stage["processor"] / pairs for pairs, stage in points], **style)
        memory.plot(sizes, [stage["peak_mib"] for _, stage in points], **style, label=name)
    times.set(xscale="log", yscale="log", xlabel="pairs", ylabel="µs of a processor, a pair", title="time by pair")
    memory.set(xscale="log", xlabel="pairs", ylabel="MiB", title="peak of anonymous memory", ylim=(0, None))
    for place in (times, memory):
        place.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize="small")
    write_atomically(output, lambda partial: figure.savefig(partial, dpi=80, format=output.suffix[1:]))
