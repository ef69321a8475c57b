"""The trials of an experiment over their seeds: as a table, and as JSON for programs."""

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from nmt.lab.gradients.experiment import Record
from nmt.lab.gradients.tasks import TASKS
from nmt.lab.gradients.trial import Flow

FORMATS = ("text", "json")
_HEAD = ["task", "N", "cell", "clipping", "accuracy", "of seeds", "updates", "loss", "largest", "clipped"]
_HEAD += ["reach first", "reach trained"]
_LEFT = {"task", "cell"}


class Group(NamedTuple):
    """The trials that differ in their seed alone."""

    task: str
    cell: str
    distance: int
    clip_norm: float
    """0: no clipping"""
    records: list[Record]

    @property
    def accuracies(self) -> list[float]:
        """One a seed."""
        return [record.results.accuracy for record in self.records]

    @property
    def distances(self) -> list[int]:
        """Of the norms."""
        return self.records[0].results.distances

    @property
    def initial(self) -> Flow:
        """Norms before training, geometric means over seeds."""
        return _mean([record.results.initial for record in self.records])

    @property
    def trained(self) -> Flow:
        """Norms after training, geometric means over seeds."""
        return _mean([record.results.trained for record in self.records])

    @property
    def largest_gradient(self) -> float | None:
        """The largest norm of the parameters' gradient in any of the trainings."""
        return _largest([record.results.largest_gradient for record in self.records])


def grouped(records: Sequence[Record]) -> list[Group]:
    """Group trials over their seeds, in the order of task, distance, cell and clipping."""
    groups: dict[tuple[str, int, str, float], Group] = {}
    for record in records:
        trial = record.trial
        key = (trial.task, trial.distance, trial.cell, trial.clip_norm)
        empty = Group(trial.task, trial.cell, trial.distance, trial.clip_norm, [])
        groups.setdefault(key, empty).records.append(record)
    order = {task: number for number, task in enumerate(dict.fromkeys(record.trial.task for record in records))}
    return sorted(groups.values(), key=lambda group: (order[group.task], group.distance))


def as_text(groups: Sequence[Group]) -> str:
    """Write a table with a row for each group, and below it what its columns mean and how it was made."""
    rows = [_HEAD, *map(_cells, groups)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(_HEAD, row, widths, strict=True)
        lines.append(
            "  ".join(f"{cell:{'<' if head in _LEFT else '>'}{width}}" for head, cell, width in cells).rstrip()
        )
    notes = ["accuracy: mean over the seeds, with the lowest and the highest; updates: made until the task was solved"]
    for task in dict.fromkeys(group.task for group in groups):
        notes.append(f"{task} without memory: {TASKS[task].without_memory}")
    notes.append("largest, clipped: norm of the parameters' gradient, and share of the updates in which it was clipped")
    notes.append("reach: ‖∂L/∂s‖ of the first position by that at the first answer, before and after training; 1e+00:")
    notes.append("the gradient arrives as it left")
    return "\n".join([*lines, "", *notes, *caption([record for group in groups for record in group.records]), ""])


def as_json(groups: Sequence[Group]) -> str:
    """Write all numbers, curves too, as one JSON object; a group a line."""
    records = [record for group in groups for record in group.records]
    lines = ",\n".join(json.dumps(_values(group)) for group in groups)
    head = json.dumps({"made": caption(records), "options": vars(records[0].options)})
    return f'{head[:-1]}, "groups": [\n{lines}\n]}}\n'


def caption(records: Sequence[Record]) -> list[str]:
    """Say in lines how the numbers were made: seeds, sizes, minutes, machine."""
    options = records[0].options
    seeds = sorted({record.trial.seed for record in records})
    minutes = sum(record.seconds for record in records) / 60
    machines = sorted({f"{each.machine['processor']}, PyTorch {each.machine['torch']}" for each in records})
    scale = "" if options.initialization == "glorot_orthogonal" else f" of scale {options.init_scale:g}"
    return [
        f"seeds {' '.join(map(str, seeds))}; {options.hidden_size} hidden units; batches of {options.batch_size} "
        f"sequences; at most {options.updates:,} updates, fewer where 99 % is right",
        f"AdamW, learning rate {options.learning_rate:g}; first weights {options.initialization}{scale}, forget bias "
        f"{options.forget_bias:g}",
        f"{minutes:.1f} minutes in all, {options.threads} thread{'s' * (options.threads != 1)}; {'; '.join(machines)}",
    ]


def _clipping(clip_norm: float) -> str:
    return f"at {clip_norm:g}" if clip_norm else "none"


def _cells(group: Group) -> list[str]:
    results = [record.results for record in group.records]
    accuracies, losses = group.accuracies, [each.loss for each in results]
    finite = [loss for loss in losses if loss is not None]
    return [
        group.task,
        str(group.distance),
        group.cell,
        _clipping(group.clip_norm),
        f"{statistics.fmean(accuracies):.3f}",
        f"{min(accuracies):.3f}-{max(accuracies):.3f}",
        " ".join(str(each.updates) + "!" * each.diverged for each in results),
        f"{statistics.fmean(finite):.4f}" if len(finite) == len(losses) else "no number",
        "infinite" if group.largest_gradient is None else f"{group.largest_gradient:.3g}",
        f"{statistics.fmean(each.clipped for each in results):.0%}",
        _reach(group.initial),
        _reach(group.trained),
    ]


def _reach(flow: Flow) -> str:
    near, far = flow.state[0], flow.state[-1]
    return "no number" if not near or far is None else f"{far / near:.0e}"


def _values(group: Group) -> dict[str, Any]:
    results = [record.results for record in group.records]
    return {
        "task": group.task,
        "distance": group.distance,
        "cell": group.cell,
        "clip_norm": group.clip_norm,
        "seeds": [record.trial.seed for record in group.records],
        "accuracy": group.accuracies,
        "loss": [each.loss for each in results],
        "updates": [each.updates for each in results],
        "solved": [each.solved for each in results],
        "diverged": [each.diverged for each in results],
        "largest_gradient": [each.largest_gradient for each in results],
        "clipped": [each.clipped for each in results],
        "seconds": [record.seconds for record in group.records],
        "distances": group.distances,
        "initial": group.initial._asdict(),
        "trained": group.trained._asdict(),
    }


def _mean(flows: Sequence[Flow]) -> Flow:
    """Take geometric means: norms of several orders of magnitude have one of their middle order."""
    return Flow(*([_geometric(values) for values in zip(*curves, strict=True)] for curves in zip(*flows, strict=True)))


def _geometric(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    if min(numbers) == 0:
        return 0.0
    return float(f"{math.exp(statistics.fmean(map(math.log, numbers))):.3g}")


def _largest(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return max(numbers) if len(numbers) == len(values) else None
