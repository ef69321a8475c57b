"""How the best model of a run searches: once training has ended, the validation text decides, and the bundle keeps it.

A weak model repeats itself or stops early, and the likeliest translation does so most. What its samples have in common
is better (Eikema & Aziz 2022). A good model gains nothing by that, and a beam is faster.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_settings
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score
from nmt.runs.log import LOG
from nmt.tasks.task import PERPLEXITY, Task
from nmt.training.parallel import Processes
from nmt.training.texts import ScoredTexts, read_scored_texts
from nmt.training.validation import mean_score, score_texts

CANDIDATES: tuple[dict[str, Any], ...] = (
    {"length_penalty": 2.0},
    {"mbr_samples": 16, "temperature": 0.5},
    {"mbr_samples": 16, "temperature": 0.7},
    {"mbr_samples": 16, "temperature": 0.9},
)
"""Settings that are tried beside those of the run, the fastest first."""
LEAST_GAIN = 1.0
"""Points of the deciding metric that samples must gain, since they take longer than a beam."""
ALIKE = 0.3
"""Points by which the best samples may be better than others of a lower temperature, which are less odd."""
GOOD = 40.0
"""chrF2 from which on no samples are tried: models of 15 to 24 gained by them, one of 60 did not; 40 is a guess."""
FEWEST_LINES, MOST_LINES, TOKENS_A_LINE = 100, 500, 10_000
"""Of all texts together, lines that are evenly spread; a short training has fewer, a line for so many target positions.

So the choice is the same on every machine. It took 8 to 31 % of the time of six trainings of 4 to 20 minutes."""


def choose_search(
    task: Task,
    config: TrainConfig,
    valid: ScoredTexts | None,
    *,
    device: torch.device,
    processes: Processes,
) -> None:
    """Try searches on the validation text, log their scores, and keep the best in the best bundle.

    Nothing is done where perplexity decides, or where an earlier start has chosen. Every process does its share.

    Args:
        task: translation.
        config: of the run.
        valid: the validation text; None: it is read, where ``corpus.valid`` names one.
        device: that translates.
        processes: of the run.
    """
    best, metric = config.directory / "best", task.deciding(config.trainer.metric)
    if metric is PERPLEXITY:
        return
    bundle = load_bundle(best, device=device)
    if processes.from_main(lambda: "search" in bundle.metadata):
        return
    if not (texts := read_scored_texts(config, task, "valid") if valid is None else valid):
        return
    lines = min(max(FEWEST_LINES, bundle.metadata["target_tokens"] // TOKENS_A_LINE), MOST_LINES)
    parts = {pair: _some_of(text, -(-lines // len(texts))) for pair, text in texts.items()}
    tried: list[tuple[float, SearchConfig]] = []
    for changes in ({}, *CANDIDATES):
        search = replace(bundle.search, **changes)
        scores = _scores(task, replace(bundle, search=search), parts, processes=processes)
        tried.append((scores[metric.name].value, search))
        LOG.info(f"search by {search.how}: validation {scores[metric.name]}")
        if not changes and scores["chrf"].value >= GOOD:
            break
    chosen = _chosen(tried)
    written = ", ".join(f"{search.how} {metric.shown(value)}" for value, search in tried)
    LOG.info(f"the bundle translates by {chosen.how}")
    bundle = replace(bundle, search=chosen)
    bundle.metadata["search"] = f"{chosen.how}, by validation {metric.label}: {written}"
    processes.from_main(lambda: save_settings(bundle, best))


def _chosen(tried: Sequence[tuple[float, SearchConfig]]) -> SearchConfig:
    """Find the best search; samples must gain enough on the best of the others."""
    beams, samples = ([each for each in tried if (each[1].mbr_samples > 0) is drawn] for drawn in (False, True))
    value, search = max(beams, key=lambda each: each[0])
    best = max((drawn for drawn, _ in samples), default=0.0)
    if best < value + LEAST_GAIN:
        return search
    return next(each for drawn, each in samples if drawn >= best - ALIKE)


def _scores(task: Task, bundle: Bundle, texts: ScoredTexts, *, processes: Processes) -> dict[str, Score]:
    """Score what a bundle makes of the texts, by the names of the metrics: of several pairs the means."""
    scores_of_texts = score_texts(task, bundle, texts, processes=processes)
    means = [mean_score(column) for column in zip(*scores_of_texts, strict=True)]
    return {metric.name: score for metric, score in zip(task.metrics, means, strict=False)}


def _some_of(text: ParallelText, most: int) -> ParallelText:
    """Take so many lines of a text, spread evenly."""
    count = len(text.source)
    lines = range(count) if count <= most else [number * count // most for number in range(most)]
    return ParallelText(*([side[line] for line in lines] for side in text))
