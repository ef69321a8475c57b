"""The results of a run, read from its files: config.yaml, metrics.jsonl, best/config.json, failure.txt.

Nothing heavy is imported, so that a hundred runs are read at once.
"""

import contextlib
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from nmt.config.choices import TaskName
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
    RunMetric("f1", "F1", "Viterbi"),
    RunMetric("accuracy", "accuracy", "Viterbi"),
    RunMetric("macro_f1", "macro F1", "most probable"),
    RunMetric("bits_per_character", "bits per character", "teacher forced", higher_is_better=False, digits=4),
)
"""In the order in which a table has them."""
_BLEU = METRICS[0]
_OF_TASK = {
    TaskName.translation: "bleu",
    TaskName.labelling: "f1",
    TaskName.classification: "macro_f1",
    TaskName.generation: "bits_per_character",
}
"""The metric by which a run of each task is expected to be validated; labels may turn out to be of no entities."""


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
    metric: RunMetric = _BLEU
    """what the scores are of"""
    score: float | None = None
    """the best of the validations"""
    signature: str = ""
    """how that was made"""
    test_score: float | None = None
    """of the best bundle on corpus.test"""
    test_how: str = ""
    """how that was made: search and signature"""
    failure: str = ""
    """why its job of a sweep failed, or why it cannot be read"""
    problems: tuple[str, ...] = ()
    """what is wrong with its metrics, in a sentence each"""

    @property
    def bleu(self) -> float | None:
        """Best validation BLEU, greedy; None where another metric decides."""
        return self.score if self.metric is _BLEU else None

    @property
    def test_bleu(self) -> float | None:
        """BLEU of the best bundle on corpus.test, likewise."""
        return self.test_score if self.metric is _BLEU else None


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
    metric = next((each for each in METRICS if any(each.name in line for line in validations)), _expected(settings))
    test_score, test_how = _test_score(directory, settings, metric)
    return RunResults(
        directory,
        settings,
        finished=last.get("kind") == "validation" and _limit_reached(settings, validations, metric),
        updates=int(last.get("update", 0)),
        epochs=int(_number(last, "epoch")),
        minutes=_number(last, "seconds") / 60,
        metric=metric,
        score=metric.best([_number(line, metric.name) for line in validations if metric.name in line]),
        signature=str(validations[-1].get("signature", "")) if validations else "",
        test_score=test_score,
        test_how=test_how,
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
    return next((each for each in METRICS if each.name == names.get(str(settings["task"]))), _BLEU)


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


def _test_score(directory: Path, settings: dict[str, Any], metric: RunMetric) -> tuple[float | None, str]:
    """Read the score of corpus.test and how it was made from the best bundle, where the end of the run left it."""
    name = str(settings["corpus.test"])
    try:
        metadata = json.loads((directory / "best" / "config.json").read_text(encoding="utf-8"))["metadata"]
        text = str(metadata["test"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, ""
    match = re.match(rf"{metric.label} (\d+\.\d+) \(([^)]*)\)", text)
    if not name or not match or not text.endswith(f", {name}"):
        return None, ""
    search = re.search(r"\), ([^,]+)$", text.removesuffix(f", {name}"))
    return float(match[1]), f"{search[1]}, {match[2]}" if search else match[2]


def _number(values: dict[str, Any], key: str) -> float:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0
