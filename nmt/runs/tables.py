"""Runs as text: one on a screen; many in one table, scores averaged over seeds, the best settings first."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nmt.config.schema import as_typed
from nmt.runs.results import DECIDING, METRICS, RunMetric, RunResults

FORMATS = ("text", "markdown", "tsv")

# Settings that do not make another experiment: where a run lies, how it is watched, its seed.
_NO_SETTINGS = {"name", "run_dir", "seed", "corpus.cache_dir"}
_NO_SETTINGS |= {"trainer.log_every", "trainer.overwrite", "trainer.progress", "trainer.tensorboard"}


class _Column(NamedTuple):
    """A column of scores."""

    metric: RunMetric
    of_test: bool = False
    """whether the scores are of corpus.test; False: of the validations that it decided"""

    def scores(self, group: Sequence[RunResults]) -> list[float]:
        """List the scores that the runs of a group have."""
        name = self.metric.name
        values = [
            run.test_score(name) if self.of_test else run.score
            for run in group
            if self.of_test or run.metric is self.metric
        ]
        return [value for value in values if value is not None]


class Summary:
    """Finished runs grouped by their settings without the seed, best first; and those that failed or are unfinished."""

    def __init__(self, runs: Iterable[RunResults], *, unfinished: bool = False) -> None:
        """Group the runs; those that are not finished count only where `unfinished` says so."""
        runs = list(runs)
        self.failed = [run for run in runs if run.failure]
        counted = [run for run in runs if not run.failure and run.score is not None and (run.finished or unfinished)]
        self.unfinished = [run for run in runs if not run.failure and run not in counted]
        groups: dict[str, list[RunResults]] = {}
        for run in counted:
            groups.setdefault(json.dumps(_experiment(run), sort_keys=True, default=str), []).append(run)
        self.groups = sorted(groups.values(), key=_rank)
        columns = {f"validation {metric.label}": _Column(metric) for metric in DECIDING}
        columns |= {f"test {metric.label}": _Column(metric, of_test=True) for metric in METRICS}
        self._columns = {head: column for head, column in columns.items() if column.scores(counted)}

    def table(self, style: str = "text") -> str:
        """Write the table as text in columns, as Markdown or with tabs; empty where no run counts.

        Args:
            style: one of FORMATS. With tabs a standard deviation has a column of its own.
        """
        if not self.groups:
            return ""
        shown = [{key: as_typed(value) for key, value in _experiment(group[0]).items()} for group in self.groups]
        all_keys = dict.fromkeys(key for row in shown for key in row)
        keys = [key for key in all_keys if len({row.get(key) for row in shown}) > 1]
        rows = [[*keys, *self._heads(style)]]
        for row, group in zip(shown, self.groups, strict=True):
            rows.append([*(row.get(key, "-") for key in keys), *self._cells(group, style)])
        return _render(rows, style, left=len(keys))

    def notes(self) -> list[str]:
        """Say how the scores were made, and which runs the table leaves out and why."""
        counted = [run for group in self.groups for run in group]
        notes = []
        if len(counted) > len(self.groups):
            notes.append("mean ± sample standard deviation over the runs of the same settings")
        for metric in DECIDING:
            best_of_run = f"validation {metric.label}: the best of a run, {metric.how}"
            signatures = {run.signature for run in counted if run.metric is metric}
            notes += [f"{best_of_run}, {how}" if how else best_of_run for how in sorted(signatures)]
            tests = {run.test_scores[metric.name].how for run in counted if metric.name in run.test_scores}
            notes += [f"test {metric.label}: {how}" for how in sorted(tests)]
        for run in self.unfinished:
            score = "not validated yet"
            if run.score is not None:
                score = f"validation {run.metric.label} {run.metric.shown(run.score)} so far"
            notes.append(f"unfinished: {run.directory}: {progress(run)}, {score}")
        notes += [f"failed: {run.directory}: {run.failure}" for run in self.failed]
        return notes

    def text(self, style: str = "text") -> str:
        """Write the table with its notes below it, as text or as Markdown."""
        notes = "".join(f"- {note}\n" if style == "markdown" else f"{note}\n" for note in self.notes())
        return f"{self.table(style)}\n\n{notes}" if self.groups else notes

    def _heads(self, style: str) -> list[str]:
        heads = ["runs"]
        for head in self._columns:
            heads += [head, f"{head} deviation"] if style == "tsv" else [head]
        return [*heads, "updates", "minutes"]

    def _cells(self, group: Sequence[RunResults], style: str) -> list[str]:
        """Write the numbers of a group: how many runs, mean scores, and what they took on average."""
        cells = [str(len(group))]
        for column in self._columns.values():
            scores, shown = column.scores(group), column.metric.shown
            mean = shown(statistics.fmean(scores)) if scores else "-"
            deviation = shown(statistics.stdev(scores)) if len(scores) > 1 else ""
            if style == "tsv":  # a program reads one number a cell
                cells += [mean, deviation]
            else:
                few = f" ({len(scores)} of {len(group)})" if 0 < len(scores) < len(group) else ""
                cells.append(mean + (f" ± {deviation}" if deviation else "") + few)
        updates = round(statistics.fmean(run.updates for run in group))
        minutes = statistics.fmean(run.minutes for run in group)
        return [*cells, str(updates) if style == "tsv" else f"{updates:,}", f"{minutes:.1f}"]


def overview(run: RunResults, defaults: Mapping[str, Any]) -> str:
    """Write a run as lines of text.

    Args:
        run: what its files tell.
        defaults: the settings of a run without any of its own, as ``{"optimizer.lr": 0.001, ...}``. Only settings that
            differ are listed.
    """
    lines = [f"{run.directory}: {_state(run)}"]
    if not run.settings:
        return f"{lines[0]}\n"
    if languages := [run.settings[key] for key in ("corpus.source", "corpus.target") if run.settings[key]]:
        lines.append(f"  languages        {' → '.join(languages)}")
    lines.append(f"  training         {run.updates:,} updates, {run.epochs} epochs, {run.minutes:.1f} minutes")
    label = run.metric.label
    how = ", ".join(filter(None, (run.metric.how, run.signature)))
    scores = {f"validation {label}": "none" if run.score is None else f"{run.metric.shown(run.score)} ({how})"}
    tests = [metric for metric in METRICS if metric.name in run.test_scores]
    for metric in tests:
        score, how = run.test_scores[metric.name]
        scores[f"test {metric.label}"] = f"{metric.shown(score)} ({how})"
    if not tests:
        scores[f"test {label}"] = "none"
    width = max(map(len, ("validation BLEU", *scores)))
    lines += [f"  {name:<{width}}  {score}" for name, score in scores.items()]
    best = run.directory / "best"
    lines.append(f"  bundle           {best if (best / 'config.json').is_file() else 'none'}")
    lines.append("  settings that differ from the defaults of nmt-train:")
    for key, value in run.settings.items():
        if key != "run_dir" and value != defaults.get(key):
            lines.append(f"    {key}={as_typed(value)}")
    return "\n".join(lines) + "\n"


def _state(run: RunResults) -> str:
    if run.failure:
        return f"failed: {run.failure}"
    return "finished" if run.finished else f"unfinished: {progress(run)}"


def progress(run: RunResults) -> str:
    """Say how far a run is towards its limits."""
    updates, epochs, minutes = (run.settings[f"trainer.max_{key}"] for key in ("updates", "epochs", "minutes"))
    passed = f", epoch {run.epochs} of {epochs}" if epochs else ""
    timed = f", minute {run.minutes:.1f} of {minutes:g}" if minutes else ""
    return f"update {run.updates} of {updates}{passed}{timed}"


def _experiment(run: RunResults) -> dict[str, Any]:
    """Return what makes a run comparable: its settings, and how its scores were made."""
    settings = {key: value for key, value in run.settings.items() if key not in _NO_SETTINGS}
    return settings | {f"{run.metric.label} signature": run.signature}


def _rank(group: Sequence[RunResults]) -> tuple[int, float]:
    """Give what a group of runs, whose metric is the same, is sorted by: the best first."""
    metric = group[0].metric
    mean = statistics.fmean(_Column(metric).scores(group))
    return DECIDING.index(metric), -mean if metric.higher_is_better else mean


def _render(rows: Sequence[Sequence[str]], style: str, *, left: int) -> str:
    """Write rows, the head first, whose first `left` columns are text and the others numbers."""
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    if style == "tsv":
        return "\n".join("\t".join(row) for row in rows)
    if style == "markdown":
        rule = ["---"] * left + ["---:"] * (len(rows[0]) - left)
        escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [escaped[0], rule, *escaped[1:]])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
