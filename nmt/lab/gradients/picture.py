"""The trials of an experiment as a picture: how far gradients reach, and what was learnt.

Needs matplotlib, which is imported when a picture is drawn.
"""

import importlib.util
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError
from nmt.files import write_atomically
from nmt.lab.gradients.summary import Group, caption

_LOWEST = 1e-20
"""Where the axis of the norms ends at the latest: what is below has vanished."""
_LINES = ("-", ":", "-.", "--")


def require_matplotlib() -> None:
    """Raise ConfigError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("the picture needs matplotlib: pip install matplotlib")


def draw(groups: Sequence[Group], output: Path, *, distance: int) -> None:
    """Draw a row for each task: norms at first, norms after training, accuracy by N.

    Args:
        groups: from `nmt.lab.gradients.summary.grouped`.
        output: a file whose suffix says what kind of picture it is.
        distance: the N whose norms are drawn.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(group.task for group in groups))
    figure = Figure(figsize=(12.5, 3.5 * len(tasks) + 0.9), layout="constrained")
    for row, task in enumerate(tasks):
        places = [figure.add_subplot(len(tasks), 3, 3 * row + column) for column in (1, 2, 3)]
        of_task = [group for group in groups if group.task == task]
        shown = [group for group in of_task if group.distance == distance]
        _draw_norms(places[0], shown, trained=False)
        places[0].set_title(f"{task}, N = {distance}: at initialisation", fontsize="medium")
        _draw_norms(places[1], shown, trained=True)
        places[1].set_title(f"{task}, N = {distance}: after training", fontsize="medium")
        lowest = min(place.get_ylim()[0] for place in places[:2])
        highest = max(place.get_ylim()[1] for place in places[:2])
        for place in places[:2]:
            place.set_ylim(max(lowest, _LOWEST), highest)
        _draw_accuracy(places[2], of_task)
        places[2].set_title(f"{task}: accuracy (mean, range of seeds)", fontsize="medium")
    figure.supxlabel("\n".join(caption([record for group in groups for record in group.records])), fontsize="small")
    write_atomically(output, lambda partial: figure.savefig(partial, dpi=80, format=output.suffix[1:].lower()))


def _draw_norms(place: Any, groups: Sequence[Group], *, trained: bool) -> None:
    """Draw a curve for each group; at initialisation a clipping makes no difference, so one for each cell."""
    cells, clips = _styles(groups)
    drawn = set()
    for group in groups:
        flow = group.trained if trained else group.initial
        if not trained and group.cell in drawn:
            continue
        drawn.add(group.cell)
        line = clips[group.clip_norm] if trained else "--"
        label = f"{group.cell}, {_clipped(group.clip_norm)}" if trained else group.cell
        place.plot(group.distances, _seen(flow.state), color=cells[group.cell], linestyle=line, label=label)
        if not trained and flow.hidden != flow.state:
            label = f"{group.cell}, h alone"
            place.plot(
                group.distances, _seen(flow.hidden), color=cells[group.cell], linestyle=":", linewidth=1, label=label
            )
    place.set_yscale("log")
    place.set_xlabel("positions between state and first answer")
    place.set_ylabel("norm of ∂L/∂s")
    place.grid(alpha=0.3)
    place.legend(fontsize="x-small")


def _draw_accuracy(place: Any, groups: Sequence[Group]) -> None:
    cells, clips = _styles(groups)
    for cell, color in cells.items():
        for clip, line in clips.items():
            curve = [group for group in groups if (group.cell, group.clip_norm) == (cell, clip)]
            if not curve:
                continue
            means = [statistics.fmean(group.accuracies) for group in curve]
            below = [mean - min(group.accuracies) for mean, group in zip(means, curve, strict=True)]
            above = [max(group.accuracies) - mean for mean, group in zip(means, curve, strict=True)]
            label = f"{cell}, {_clipped(clip)}"
            x = [group.distance for group in curve]
            place.errorbar(
                x, means, yerr=[below, above], color=color, linestyle=line, marker=".", capsize=2, label=label
            )
    distances = sorted({group.distance for group in groups})
    place.set_xscale("log")
    place.set_xticks(distances, labels=[str(distance) for distance in distances])
    place.minorticks_off()
    place.set_ylim(0, 1.05)
    place.set_xlabel("N")
    place.set_ylabel("share of right answers")
    place.grid(alpha=0.3)
    place.legend(fontsize="x-small")


def _styles(groups: Sequence[Group]) -> tuple[dict[str, str], dict[float, str]]:
    """Give each cell a colour and each clipping a line; clipped trainings are solid."""
    cells = dict.fromkeys(group.cell for group in groups)
    clips = sorted({group.clip_norm for group in groups}, reverse=True)
    return (
        {cell: f"C{number}" for number, cell in enumerate(cells)},
        {clip: _LINES[number % len(_LINES)] for number, clip in enumerate(clips)},
    )


def _clipped(clip_norm: float) -> str:
    return f"clipped at {clip_norm:g}" if clip_norm else "not clipped"


def _seen(values: Sequence[float | None]) -> list[float]:
    """Leave out what a logarithm has no place for."""
    return [value if value else float("nan") for value in values]
