"""`auto` in a run: keys are settled before the text is prepared, told, and found in the state when the run goes on."""

import dataclasses
import time
from collections.abc import Set
from typing import Any

import torch

from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.schema import flatten, with_keys
from nmt.config.train import TrainConfig
from nmt.runs.log import LOG
from nmt.tasks.task import Task
from nmt.training.auto.choices import KEYS, Settled, consistent, settle, shown_passes
from nmt.training.auto.facts import Lengths, TextFacts, find_facts, subword_lengths
from nmt.training.auto.speed import pairs_per_second
from nmt.training.parallel import Processes
from nmt.training.texts import cache_of, read_scored_texts, training_texts

TRIAL_SECONDS = 8.0
"""Of all models that are tried, making them aside; each has half of what is left, and no more than the next."""
MODEL_SECONDS = 3.0
_SHARED_PACE = 0.8
"""Pace of each of several processes, beside that of one alone."""
_PARENTS = frozenset(f"model.{item.name}" for item in dataclasses.fields(ModelConfig))
"""What a run that starts from a bundle takes from it, or does as a run without `auto`."""
_PARENTS_SUBWORDS = frozenset(
    {"subwords.kind", "subwords.vocabulary_size", "subwords.joint", "subwords.sampling_alpha"}
)
"""The same, where the run has no subwords of its own."""


def is_auto(config: TrainConfig) -> bool:
    """Whether keys are settled: of a translation that does not search while it trains."""
    return config.auto and config.task is TaskName.translation and not config.objective.kind.searches


def made_consistent(config: TrainConfig, chosen: Set[str] | None) -> TrainConfig:
    """Change what the chosen keys exclude; without a list of chosen keys, or where nothing is settled, auto is off."""
    if chosen is None or not is_auto(config):
        return dataclasses.replace(config, auto=False)
    return config if config.init_from else consistent(config, chosen)


def restore_choices(config: TrainConfig, saved: dict[str, Any], *, chosen: Set[str]) -> TrainConfig:
    """Fill in, for a run that goes on, what was settled when it began; a run without `auto` stays one.

    Args:
        config: of the resuming command.
        saved: the configuration in the run's state, as plain dicts; an older one knows nothing of `auto`.
        chosen: keys that the resuming user set; they stay as they are, for the caller to compare with `saved`.
    """
    config = dataclasses.replace(config, auto=config.auto and saved.get("auto", False))
    if not is_auto(config):
        return config
    before = flatten(saved)
    return with_keys(config, {key: before[key] for key in sorted(KEYS - chosen) if key in before})


def settle_run(
    config: TrainConfig, task: Task, *, chosen: Set[str], device: torch.device, processes: Processes
) -> TrainConfig:
    """Settle the keys that were not chosen, by the text and the speed of the main process; the same for all processes.

    Raises:
        CorpusError: a text is missing or cannot be read.
    """
    if not is_auto(config):
        return config
    settings: dict[str, Any] = processes.from_main(lambda: _settings(config, task, chosen, device, processes.size))
    return with_keys(config, settings)


def _settings(
    config: TrainConfig, task: Task, chosen: Set[str], device: torch.device, processes: int
) -> dict[str, Any]:
    for key in ("valid", "test"):  # soon read: a mistake there shall not be told after a trial
        read_scored_texts(config, task, key)
    texts, cache = training_texts(config, task), cache_of(config.corpus)
    once = config.corpus.deduplicate or "corpus.deduplicate" not in chosen
    facts = find_facts(texts, temperature=config.corpus.temperature, cache=cache, once=once)
    trial = _Trial(device, processes)
    fixed = set(chosen)
    if config.init_from:
        fixed |= _PARENTS | (_PARENTS_SUBWORDS if config.subwords.inherit else set())
    settled = settle(config, facts, fixed=fixed, speed=trial)
    _tell(settled, facts, trial)
    return {choice.key: choice.value for choice in settled.choices}


class _Trial:
    """Tries how fast this machine trains."""

    def __init__(self, device: torch.device, processes: int) -> None:
        self._device, self._processes = device, processes
        self.seconds = 0.0
        """that all trials took"""

    def __call__(self, config: TrainConfig, lengths: Lengths) -> float:
        if self.seconds >= TRIAL_SECONDS:
            return 0.0  # where a small model took so long, a larger one is too slow
        began = time.monotonic()
        seconds = min(MODEL_SECONDS, max(0.0, TRIAL_SECONDS - self.seconds) / 2)
        alone = pairs_per_second(config, lengths, device=self._device, seconds=seconds)
        self.seconds += time.monotonic() - began
        return alone * max(1.0, self._processes * _SHARED_PACE)


def _tell(settled: Settled, facts: TextFacts, trial: _Trial) -> None:
    """Log the facts and a line for each choice."""
    source, target = subword_lengths(facts, settled.config.subwords.vocabulary_size)
    pairs = f"{facts.pairs:,} pair{'s' * (facts.pairs != 1)} ({facts.distinct:,} different)"
    LOG.info(
        f"auto: {pairs}, about {source:.0f} and {target:.0f} subwords a sentence; a key that you set stays, and "
        "auto=false settles none"
    )
    if facts.by_pair:
        LOG.info(f"auto: different pairs of {', '.join(f'{pair} {count:,}' for pair, count in facts.by_pair.items())}")
    if trial.seconds:
        LOG.info(
            f"auto: {shown_passes(settled.passes)} over the text are possible, as a trial of {trial.seconds:.1f} "
            "seconds on this machine showed"
        )
    for choice in settled.choices:
        LOG.info(f"auto: {choice}")
