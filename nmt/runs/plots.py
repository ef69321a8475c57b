"""The course of runs as a picture: loss, perplexity, validation scores, learning rate and the gradient's norm.

Needs matplotlib, which is imported when a picture is drawn.
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nmt.errors import ConfigError
from nmt.files import write_atomically
from nmt.runs.metrics import MetricLines
from nmt.runs.results import METRICS

SUFFIXES = (".png", ".svg", ".pdf")
"""Of the kinds of pictures."""


class Axis(NamedTuple):
    """What the curves are drawn against."""

    label: str
    key: str
    """of a line of metrics"""
    unit: float = 1
    """what one on the axis is, as the line counts"""


AXES = {
    "updates": Axis("updates", "update"),
    "minutes": Axis("minutes of training", "seconds", 60),
    "tokens": Axis("target tokens", "target_tokens"),
}


class Panel(NamedTuple):
    """One of the plots."""

    title: str
    curves: tuple[tuple[str, str], ...]
    """kind of line and its key; training is drawn thin where validation is drawn too"""
    scale: str = "linear"


PANELS = {
    "loss": Panel("training loss (label smoothing included, nats/token)", (("train", "loss"),)),
    "perplexity": Panel(
        "perplexity: training (thin), validation", (("train", "perplexity"), ("validation", "perplexity")), "log"
    ),
    **{each.name: Panel(f"validation {each.label} ({each.how})", (("validation", each.name),)) for each in METRICS},
    "rate": Panel("learning rate", (("train", "learning_rate"),)),
    "gradient": Panel("norm of the gradient, before clipping", (("train", "gradient_norm"),), "log"),
}
_BEFORE, _AFTER = ("loss", "perplexity"), ("rate",)

Points = list[tuple[float, float]]
"""minutes and BLEU"""


def common_panels(runs: Iterable[MetricLines]) -> list[str]:
    """Name the panels of a picture by default: loss, perplexity, the runs' deciding scores, learning rate."""
    names = {name for run in runs for line in run.of("validation") for name in line}
    scores = [each.name for each in METRICS if each.name in names] or [METRICS[0].name]
    return [*_BEFORE, *scores, *_AFTER]


def read_points(path: Path) -> dict[str, Points]:
    """Read others' validation BLEU, each curve by its name: CSV with the head name,minutes,bleu, or JSON.

    Raises:
        ConfigError: the file cannot be read, or is neither such CSV nor such JSON.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".json":
                rows = [(name, *point) for name, points in json.load(file).items() for point in points]
            else:
                rows = [(line["name"], line["minutes"], line["bleu"]) for line in csv.DictReader(file)]
        curves: dict[str, Points] = {}
        for name, minutes, bleu in rows:
            curves.setdefault(str(name), []).append((float(minutes), float(bleu)))
    except OSError as error:
        raise ConfigError(f"--points {path}: cannot be read ({error.strerror or error}); check the file") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"--points {path}: {' '.join(str(error).split())}; write CSV with the head name,minutes,bleu, or JSON "
            'such as {"name": [[1.5, 20.0]]}'
        ) from None
    return {name: sorted(points) for name, points in curves.items()}


def draw(
    runs: Mapping[str, MetricLines],
    axis: Axis,
    output: Path,
    *,
    panels: Sequence[Panel],
    others: Mapping[str, Points],
) -> None:
    """Draw panels into a file.

    Args:
        runs: their metrics by the names of the legend.
        axis: what lies to the right.
        output: a file whose suffix says what kind of picture it is.
        panels: what to draw.
        others: drawn with dashes beside the runs' BLEU.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("plotting needs matplotlib: pip install matplotlib") from None
    columns, rows = min(2, len(panels)), -(-len(panels) // 2)
    figure = Figure(figsize=(6 * columns + 2 * (columns == 1), 4 * rows + (rows == 1)), layout="constrained")
    for number_of_panel, panel in enumerate(panels, start=1):
        place = figure.add_subplot(rows, columns, number_of_panel)
        place.set_title(panel.title, fontsize="medium")
        place.set_xlabel(axis.label)
        place.set_yscale(panel.scale)
        place.grid(alpha=0.3)
        for color, (name, metrics) in enumerate(runs.items()):
            for kind, key in panel.curves:
                lines = metrics.of(kind)
                # The last curve of a panel is the one that its name in the legend stands for.
                last = (kind, key) == panel.curves[-1]
                place.plot(
                    [_number(line, axis.key) / axis.unit for line in lines],
                    [_number(line, key) for line in lines],
                    color=f"C{color % 10}",
                    linestyle=("-", "--", ":")[color // 10 % 3],
                    linewidth=1.5 if last else 0.6,
                    marker="." if kind == "validation" else None,
                    label=name if last else None,
                )
        beside = others if panel is PANELS["bleu"] else {}
        for color, (name, points) in enumerate(beside.items(), start=len(runs)):
            x, y = zip(*points, strict=True)
            place.plot(x, y, color=f"C{color % 10}", linestyle="--", linewidth=1.5, marker="s", label=name)
        if len(runs) + len(beside) > 1:
            place.legend(fontsize="small")
    # A drawing that fails must not destroy the earlier one.
    write_atomically(output, lambda partial: figure.savefig(partial, dpi=120, format=output.suffix[1:].lower()))


def names(directories: Sequence[str]) -> list[str]:
    """Name runs for a legend: by their directories' own names where these differ, by their paths otherwise."""
    short = [Path(directory).resolve().name for directory in directories]
    return short if len(set(short)) == len(short) else [str(Path(directory)) for directory in directories]


def _number(line: dict[str, Any], key: str) -> float:
    """Return a number of a line of metrics; nan, which leaves a gap, where it has none."""
    value = line.get(key)
    return float(value) if isinstance(value, int | float) else math.nan
