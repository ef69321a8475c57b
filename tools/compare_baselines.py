"""Compare labelling, classification and generation with baselines that have no network, on the same text.

    python tools/compare_baselines.py train weibo_ner    # what is missing of the rows of these experiments
    python tools/compare_baselines.py table              # all rows, as entries of docs/results/runs.jsonl

A network of each seed stands beside sklearn-crfsuite's CRF or scikit-learn's linear classifier (pip install -e
'.[baselines]'), or beside character n-grams and compressors. All learn from the same lines, and choose by the same
validation text: the network its weights, the baseline its settings. docs/results/tasks.jsonl keeps the rows.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.baseline import Baseline
from baselines.characters import COMPRESSORS, compressed_bits, ngram_bits
from benchmark_training import compose, configuration
from recorded.again import this_machine
from recorded.kept import find, keep, read_kept

from nmt.bundle.loading import load
from nmt.cli.common import Parser, report, run
from nmt.config.choices import TaskName
from nmt.config.train import TrainConfig
from nmt.corpus.reader import Pair, ParallelText, has_text, read_pairs
from nmt.errors import ConfigError, RunError
from nmt.machine import set_threads
from nmt.tasks.task import Task, task_named
from nmt.training.data import TrainingData, prepare

NAME = "compare_baselines.py"
ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs/results/tasks.jsonl"
ORDERS = range(4, 10)
"""Of character n-grams, of which the best is taken."""
Measure = Callable[[Sequence[Pair], TrainingData], dict[str, Any]]
"""Trains a baseline on pairs, and scores it on the test text."""
_NETWORK = "network"
_UNITS = {"bits per character": "bits", "perplexity": ""}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("verb", metavar="VERB", choices=("train", "table"), help="see above")
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="of conf/experiment")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--runs", type=Path, default=Path("runs/tasks"), metavar="DIRECTORY", help="of the trainings")
    parser.add_argument("--kept", type=Path, default=KEPT, metavar="FILE", help="of the rows")

    def command() -> None:
        arguments = parser.parse_args(argv)
        if arguments.verb == "table":
            for entry in entries(read_kept(arguments.kept)):
                print(json.dumps(entry, ensure_ascii=False))
            return
        if not arguments.experiments:
            raise ConfigError("there is nothing to compare: name experiments, such as weibo_ner")
        set_threads(1)
        for experiment in arguments.experiments:
            compare(experiment, arguments.seeds, runs=arguments.runs, kept=arguments.kept)

    return run(command, NAME)


def compare(experiment: str, seeds: Sequence[int], *, runs: Path, kept: Path) -> None:
    """Train what is missing of an experiment's rows: a network of each seed, and the baseline.

    Raises:
        ConfigError: the experiment has no baseline, no test text, or a package is missing.
        RunError: a training failed.
    """
    config = configuration(compose([f"experiment={experiment}"]))
    baselines = baselines_of(config)
    data = prepare(config, task_named(config.task.value))
    if data.test is None:
        raise ConfigError(f"experiment={experiment} has no corpus.test: name one that has")
    pairs = training_pairs(config, data)
    same = {
        "experiment": experiment,
        "task": config.task.value,
        "training_words": _words(pair.source for pair in pairs),
    }
    for seed in seeds:
        if not find(read_kept(kept), experiment=experiment, model=_NETWORK, seed=seed):
            found = measure_network(experiment, seed, data.task, data.test, run_dir=runs / f"{experiment}-{seed}")
            keep(kept, same | {"model": _NETWORK, "seed": seed} | found)
    for name, measure in baselines:
        if not find(read_kept(kept), experiment=experiment, model=name):
            keep(kept, same | {"model": name} | measure(pairs, data))


def baselines_of(config: TrainConfig) -> list[tuple[str, Measure]]:
    """Choose the baselines of a task: names, and what measures each.

    Raises:
        ConfigError: there is none, or its package is missing.
    """
    if config.task is TaskName.generation:
        compressors = [(name, functools.partial(measure_compressor, name)) for name in COMPRESSORS]
        return [("character n-grams", measure_ngrams), *compressors]
    try:
        if config.task is TaskName.labelling:
            from baselines.crf import CRF

            return [(CRF.name, functools.partial(measure_baseline, CRF()))]
        if config.task is TaskName.classification:
            from baselines.linear import Linear

            return [(Linear.name, functools.partial(measure_baseline, Linear()))]
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install -e '.[baselines]'") from None
    raise ConfigError(f"task={config.task} has no baseline: name an experiment of another task")


def training_pairs(config: TrainConfig, data: TrainingData) -> list[Pair]:
    """Read the pairs that a network is trained on: without those that are held out for validation."""
    held_out = set() if config.corpus.valid else {line.strip() for line in data.valid.source}
    pairs = (pair for text in data.texts for pair in read_pairs(text.paths))
    return [pair for pair in pairs if has_text(pair) and pair.source.strip() not in held_out]


def measure_network(experiment: str, seed: int, task: Task, test: ParallelText, *, run_dir: Path) -> dict[str, Any]:
    """Train a network, or go on with it, and score it on the test text: fp32, one thread, PyTorch."""
    report(NAME, f"training {run_dir}")
    words = [f"experiment={experiment}", f"seed={seed}", f"run_dir={run_dir}", "corpus.test=", "trainer.threads=1"]
    command = [sys.executable, "-m", "nmt.cli.train", *words, "trainer.progress=false"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RunError(
            f"nmt-train {' '.join(words)} ended with {finished.returncode}: {finished.stderr[-500:].strip()}"
        )
    lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    seconds = max(json.loads(line).get("seconds", 0.0) for line in lines)
    bundle = load(run_dir / "best", precision="fp32", device="cpu", threads=1)
    return {"training_seconds": seconds} | _scored(lambda sources: task.outputs(bundle, sources), task, test)


def measure_baseline(baseline: Baseline, pairs: Sequence[Pair], data: TrainingData) -> dict[str, Any]:
    """Train a baseline with the settings that are best on the validation text, and score it on the test text."""
    assert data.test is not None
    task = data.task
    scores, seconds = [], []
    for settings in baseline.grid:
        began = time.perf_counter()
        baseline.train(pairs, settings)
        seconds.append(round(time.perf_counter() - began, 2))
        [score] = task.scores(baseline.answer(data.valid.source), data.valid, language="")
        scores.append(score.value)
        report(NAME, f"{baseline.name}, {settings}: {score.name} {score.value:.2f} on the validation text")
    best = max(range(len(scores)), key=scores.__getitem__)
    baseline.train(pairs, baseline.grid[best])
    found = {"settings": baseline.grid[best], "training_seconds": seconds[best]}
    return found | _scored(baseline.answer, task, data.test)


def measure_ngrams(pairs: Sequence[Pair], data: TrainingData) -> dict[str, Any]:
    """Count n-grams of the order that is best on the validation text, and score the test text."""
    assert data.test is not None
    lines = [pair.target for pair in pairs]
    order = min(ORDERS, key=lambda order: ngram_bits(lines, data.valid.target, order=order))
    bits = ngram_bits(lines, data.test.target, order=order)
    return {"settings": {"order": order}} | _bits(bits)


def measure_compressor(name: str, pairs: Sequence[Pair], data: TrainingData) -> dict[str, Any]:
    """Compress the test text behind the training text."""
    assert data.test is not None
    return _bits(compressed_bits(name, [pair.target for pair in pairs], data.test.target))


def _bits(value: float) -> dict[str, Any]:
    scores = {"scores": {"bits per character": round(value, 4)}}
    return scores | {"signatures": {"bits per character": "newlines:yes|spaces:single"}, "machine": _machine()}


def _scored(answer: Any, task: Task, test: ParallelText) -> dict[str, Any]:
    answer(test.source[:2])  # the first call loads what a program loads once
    began = time.perf_counter()
    outputs = answer(test.source)
    seconds = time.perf_counter() - began
    scores = task.scores(outputs, test, language="")
    found = {"scores": {score.name: round(score.value, 4) for score in scores}}
    found |= {"signatures": {score.name: score.signature for score in scores}}
    return found | {"use_seconds": round(seconds, 3), "test_words": _words(test.source), "machine": _machine()}


def entries(rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Turn rows into entries of the recorded runs, a network's seeds together."""
    for experiment, model in dict.fromkeys((row["experiment"], row["model"]) for row in rows):
        mine = [row for row in rows if (row["experiment"], row["model"]) == (experiment, model)]
        first = mine[0]
        values = {name: [row["scores"][name] for row in mine] for name in first["scores"]}
        if "use_seconds" in first:
            values["training words/s"] = [_rate(row["training_words"], row["training_seconds"]) for row in mine]
            values["words/s"] = [_rate(row["test_words"], row["use_seconds"]) for row in mine]
        name = "-".join([experiment, *model.replace(",", "").split()])
        for metric, numbers in values.items():
            yield {
                "id": f"{name}/{metric.lower().replace(' ', '-').replace('/s', '-per-second')}",
                **{"table": f"tasks/{first['task']}", "row": f"{experiment}: {model}", "metric": metric},
                **{"value": numbers, "unit": _UNITS.get(metric, "words/s" if metric.endswith("/s") else "%")},
                "signature": first["signatures"].get(metric),
                "seeds": [row["seed"] for row in mine] if model == _NETWORK else None,
                "commit": None,
                "machine": first["machine"],
                "configuration": [f"experiment={experiment}"] if model == _NETWORK else None,
                **{"corpus": None, "command": None, "reads": None, "tolerance": None},
            }


def _rate(words: int, seconds: float) -> float:
    return round(words / max(seconds, 1e-9))


def _words(lines: Any) -> int:
    return sum(len(line.split()) for line in lines)


def _machine() -> dict[str, Any]:
    return this_machine() | {"threads": 1}


if __name__ == "__main__":
    sys.exit(main())
