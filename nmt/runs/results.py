"""The results of a run, read from its files: config.yaml, metrics.jsonl, best/config.json, failure.txt.

Nothing heavy is imported, so that a hundred runs are read at once.
"""

import contextlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from nmt.config.choices import MetricName, TaskName
from nmt.config.schema import flatten, from_dict, to_dict
from nmt.config.train import BEFORE, TrainConfig, TrainerConfig
from nmt.errors import ConfigError
from nmt.files import encoded
from nmt.runs.limits import Progress, limit_reached
from nmt.runs.metrics import MetricLines, read_metrics

FAILURE = "failure.txt"
"""In the directory of a sweep's job that failed: the reason in one line, and below it the traceback of a defect."""

_CONFIG, _METRICS, _STATE = "config.yaml", "metrics.jsonl", "state.pt"
_BUNDLES = ("best", "last")


class RunMetric(NamedTuple):
    """The score that decided which weights of a run are the best; its task has it too."""

    name: str
    """in metrics.jsonl"""
    label: str
    how: str
    """how a validation makes outputs"""
    higher_is_better: bool = True
    digits: int = 2

    def best(self, values: Sequence[float]) -> float | None:
        """Return the best of several scores, if there are any."""
        return (max if self.higher_is_better else min)(values, default=None)

    def shown(self, value: float) -> str:
        """Write a score for people."""
        return f"{value:.{self.digits}f}"


METRICS = (
    RunMetric("bleu", "BLEU", "greedy"),
    RunMetric("chrf", "chrF2", "greedy"),
    RunMetric("f1", "F1", "Viterbi"),
    RunMetric("accuracy", "accuracy", "Viterbi"),
    RunMetric("macro_f1", "macro F1", "most probable"),
    RunMetric("bits_per_character", "bits per character", "teacher forced", higher_is_better=False, digits=4),
)
"""Scores of outputs, in the order in which a table has them."""
PERPLEXITY = RunMetric("perplexity", "perplexity", "teacher forced", higher_is_better=False)
"""Every run has it; it decides where trainer.metric says so."""
DECIDING = (*METRICS, PERPLEXITY)
"""What may decide which weights are the best."""
_OF_TASK = {
    TaskName.translation: "chrf",
    TaskName.labelling: "f1",
    TaskName.classification: "macro_f1",
    TaskName.generation: "bits_per_character",
}
"""The metric by which a run of each task is expected to be validated; labels may turn out to be of no entities."""


class TestScore(NamedTuple):
    """A score of the best bundle on corpus.test."""

    value: float
    how: str
    """how it was made: search and signature"""


@dataclass(frozen=True)
class RunResults:
    """One run, as its files describe it."""

    directory: Path
    settings: dict[str, Any]
    """its configuration, as ``{"optimizer.lr": 0.001, ...}``; a key that an older nmt did not have has its default"""
    finished: bool = False
    """whether it reached one of its limits"""
    updates: int = 0
    epochs: int = 0
    """complete passes over the text"""
    minutes: float = 0.0
    """of training, validations included"""
    metric: RunMetric = METRICS[1]
    """by which validations are compared"""
    score: float | None = None
    """the best of the validations"""
    bleu: float | None = None
    """greedy validation BLEU of the same weights, where outputs have it"""
    signature: str = ""
    """how the score was made"""
    test_scores: Mapping[str, TestScore] = field(default_factory=dict)
    """by the names of `METRICS`"""
    failure: str = ""
    """why its job of a sweep failed, or why it cannot be read"""
    problems: tuple[str, ...] = ()
    """what is wrong with its metrics, in a sentence each"""

    def test_score(self, name: str) -> float | None:
        """Give a score of the best bundle on corpus.test, by its name in `METRICS`; None where there is none."""
        return self.test_scores[name].value if name in self.test_scores else None


def settings_text(config: TrainConfig) -> str:
    """Write a configuration as the ``config.yaml`` of its run."""
    return str(yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True))


def find_runs(directory: Path) -> list[Path]:
    """List the run directories in a directory, which may be one itself, in the order of their names.

    Raises:
        ConfigError: there is no such directory, or no run in it.
    """
    if not directory.is_dir():
        raise ConfigError(f"there is no directory {directory}; name a run directory, or one that holds several")
    runs = []
    for place, folders, files in os.walk(directory):
        folders[:] = sorted(folder for folder in folders if folder not in _BUNDLES)
        if {_METRICS, _STATE, FAILURE} & set(files):
            runs.append(Path(place))
    if not runs:
        raise ConfigError(f"there is no run in {directory}; name a run directory, such as runs/demo, or one above it")
    return runs


def read_results(directory: Path) -> RunResults:
    """Read the files of a run; the result names what is missing or damaged."""
    failure = _failure(directory)
    try:
        settings = _settings(directory / _CONFIG)
        metrics = read_metrics(directory / _METRICS) if (directory / _METRICS).exists() else MetricLines([], [])
    except ConfigError as error:
        return RunResults(directory, {}, failure=failure or str(error))
    validations = metrics.of("validation")
    # The clock of a validation has its own time too.
    last = max(metrics.lines, key=lambda line: (line["update"], line["kind"] == "validation"), default={})
    decides = (each for each in DECIDING if any(f"best_{each.name}" in line for line in validations))
    metric = next(decides, _expected(settings))
    score = metric.best([_number(line, metric.name) for line in validations if metric.name in line])
    best = next((line for line in validations if score is not None and _number(line, metric.name) == score), {})
    return RunResults(
        directory,
        settings,
        finished=last.get("kind") == "validation" and _limit_reached(settings, validations, metric),
        updates=int(last.get("update", 0)),
        epochs=int(_number(last, "epoch")),
        minutes=_number(last, "seconds") / 60,
        metric=metric,
        score=score,
        bleu=_number(best, "bleu") if "bleu" in best else None,
        # An older nmt had one score, and one signature.
        signature=str(best.get(f"{metric.name}_signature", best.get("signature", ""))),
        test_scores=_test_scores(directory, settings),
        failure=failure,
        problems=tuple(metrics.problems),
    )


def record_failure(run_dir: Path, message: str, *, trace: str = "") -> None:
    """Write the reason into the directory of a job that failed; do nothing where it cannot be written."""
    with contextlib.suppress(OSError):
        run_dir.mkdir(parents=True, exist_ok=True)
        text = f"{' '.join(message.split())}\n" + (f"\n{trace}" if trace else "")
        (run_dir / FAILURE).write_bytes(encoded(text))


def clear_failure(run_dir: Path) -> None:
    """Forget an earlier failure."""
    with contextlib.suppress(OSError):
        (run_dir / FAILURE).unlink(missing_ok=True)


def _failure(directory: Path) -> str:
    """Return the first line of the failure file, or nothing."""
    try:
        text = (directory / FAILURE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{FAILURE} cannot be read ({error.strerror or error})"
    return text.strip().partition("\n")[0] or "no reason is known"


def _settings(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no settings")
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing: the run did not get as far as training") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())})") from None
    return flatten(to_dict(TrainConfig())) | BEFORE | flatten(values)


def _expected(settings: dict[str, Any]) -> RunMetric:
    """Return the metric of a run that has not validated yet."""
    names = {task.value: name for task, name in _OF_TASK.items()}
    chosen = str(settings["trainer.metric"])
    name = names.get(str(settings["task"])) if chosen == MetricName.auto else chosen
    return next((each for each in DECIDING if each.name == name), RunResults.metric)


def _limit_reached(settings: dict[str, Any], validations: Sequence[dict[str, Any]], metric: RunMetric) -> bool:
    """Whether the last validation is the one that ends a run: a limit of the trainer is reached there."""
    last = validations[-1]
    best = f"best_{metric.name}"
    since_best = sum(line.get(best) == last.get(best) for line in validations) - 1
    keys = ("max_updates", "max_epochs", "max_minutes", "patience")
    limits = from_dict(TrainerConfig, {key: _number(settings, f"trainer.{key}") for key in keys})
    limits.max_updates = limits.max_updates or TrainerConfig.max_updates
    update, epoch, seconds = int(last["update"]), int(_number(last, "epoch")), _number(last, "seconds")
    return bool(limit_reached(limits, Progress(update, epoch, seconds, since_best)))


def _test_scores(directory: Path, settings: dict[str, Any]) -> dict[str, TestScore]:
    """Read the scores of corpus.test and how they were made from the best bundle, where a run's end left them."""
    name = str(settings["corpus.test"])
    try:
        metadata = json.loads((directory / "best" / "config.json").read_text(encoding="utf-8"))["metadata"]
        text = str(metadata["test"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not name or not text.endswith(f", {name}"):
        return {}
    search = re.search(r"\), ([^,]+)$", text.removesuffix(f", {name}"))
    scores = {}
    for metric in METRICS:
        if match := re.search(rf"(?:^|; ){metric.label} (\d+\.\d+) \(([^)]*)\)", text):
            scores[metric.name] = TestScore(float(match[1]), f"{search[1]}, {match[2]}" if search else match[2])
    return scores


def _number(values: dict[str, Any], key: str) -> float:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
