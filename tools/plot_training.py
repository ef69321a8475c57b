"""Draw the course of one or several runs: loss, perplexity, validation BLEU and learning rate.

Needs matplotlib: pip install matplotlib.

    python tools/plot_training.py runs/demo --output demo.png
    python tools/plot_training.py runs/lr/* --against minutes --output lr.svg

Other toolkits' validation BLEU is drawn beside ours from files that were written by hand: CSV with the head
name,minutes,bleu, or JSON {"name": [[minutes, bleu], ...]}.

    python tools/plot_training.py runs/multi30k_en_de --panels bleu --against minutes --points peers.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.cli.common import Parser, report, run
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.runs.results import MetricLines

NAME = "plot_training.py"


class Axis(NamedTuple):
    """What the curves are drawn against."""

    label: str
    value: Callable[[dict[str, Any]], float]


AXES = {
    "updates": Axis("updates", lambda line: number(line, "update")),
    "minutes": Axis("minutes of training", lambda line: number(line, "seconds") / 60),
    "tokens": Axis("target tokens", lambda line: number(line, "target_tokens")),
}


class Panel(NamedTuple):
    """One of the four plots."""

    title: str
    curves: tuple[tuple[str, str], ...]
    """kind of line and its key; training is drawn thin where validation is drawn too"""
    scale: str = "linear"


PANELS = {
    "loss": Panel("training loss (label smoothing included, nats/token)", (("train", "loss"),)),
    "perplexity": Panel(
        "perplexity: training (thin), validation", (("train", "perplexity"), ("validation", "perplexity")), "log"
    ),
    "bleu": Panel("validation BLEU (greedy)", (("validation", "bleu"),)),
    "rate": Panel("learning rate", (("train", "learning_rate"),)),
}

Points = list[tuple[float, float]]
"""minutes and BLEU"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: plot(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line and check where the picture goes; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run directory; several make curves with a legend")
    parser.add_argument("--output", default="curves.png", metavar="FILE", help="ends in .png, .svg or .pdf")
    parser.add_argument("--against", choices=list(AXES), default="updates", help="(default: updates)")
    parser.add_argument("--panels", nargs="+", choices=list(PANELS), default=list(PANELS), help="(default: all)")
    parser.add_argument("--points", action="append", default=[], metavar="FILE", help="minutes and BLEU of others")
    arguments = parser.parse_args(argv)
    if arguments.points and (arguments.against != "minutes" or "bleu" not in arguments.panels):
        raise ConfigError("--points are BLEU against minutes: they need --against minutes, and bleu among --panels")
    output = Path(arguments.output)
    if not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no directory {output.parent}; make it first")
    if output.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--output {output}: its name must end in .png, .svg or .pdf")
    return arguments


def plot(arguments: argparse.Namespace) -> None:
    """Read the runs and draw them.

    Raises:
        ConfigError: a run has no metrics, a file of points is none, or matplotlib is not installed.
        OSError: the picture cannot be written.
    """
    from nmt.runs.results import read_metrics

    others: dict[str, Points] = {}
    for file in arguments.points:
        others |= read_points(Path(file))
    runs = {}
    for name, directory in zip(names(arguments.runs), arguments.runs, strict=True):
        metrics = read_metrics(Path(directory) / "metrics.jsonl")
        for problem in metrics.problems:
            report(NAME, f"warning: {problem}")
        if not metrics.lines:
            raise ConfigError(f"{directory} has no metrics yet; wait for trainer.log_every updates")
        runs[name] = metrics
    panels = [PANELS[name] for name in dict.fromkeys(arguments.panels)]
    draw(runs, AXES[arguments.against], Path(arguments.output), panels=panels, others=others)


def read_points(path: Path) -> dict[str, Points]:
    """Read others' validation BLEU: curves by their names.

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
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("plotting needs matplotlib: pip install matplotlib") from None
    columns, rows = min(2, len(panels)), -(-len(panels) // 2)
    figure = Figure(figsize=(6 * columns + 2 * (columns == 1), 4 * rows + (rows == 1)), layout="constrained")
    FigureCanvasAgg(figure)
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
                    [axis.value(line) for line in lines],
                    [number(line, key) for line in lines],
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
    # Beside its place first: a picture that cannot be drawn to its end must not cost the one that was there.
    partial = output.with_name(f"{output.stem}.partial{output.suffix}")
    try:
        figure.savefig(partial, dpi=120)
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)


def names(directories: Sequence[str]) -> list[str]:
    """Name runs for a legend: by their directories' own names where these differ, by their paths otherwise."""
    short = [Path(directory).resolve().name for directory in directories]
    return short if len(set(short)) == len(short) else [str(Path(directory)) for directory in directories]


def number(line: dict[str, Any], key: str) -> float:
    """Return a number of a line of metrics; nan, which leaves a gap, where it has none."""
    value = line.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


if __name__ == "__main__":
    sys.exit(main())
