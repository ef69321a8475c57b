"""What training asks of a task: which texts it reads, what it minimises, and which score decides what is better."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nmt.config.search import SearchConfig
from nmt.corpus.filters import Filters
from nmt.corpus.reader import CorpusPaths, ParallelText, resolve
from nmt.errors import ConfigError
from nmt.evaluation.metrics import Score
from nmt.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss


@dataclass(frozen=True)
class Metric:
    """The score of a validation that decides which weights are the best."""

    name: str
    """in metrics.jsonl, where the best so far is ``best_NAME``"""
    label: str
    """for people"""
    higher_is_better: bool = True
    digits: int = 2
    """behind the point, for people"""

    def shown(self, value: float) -> str:
        """Write a score for people."""
        return f"{value:.{self.digits}f}"

    def is_better(self, value: float, best: float) -> bool:
        """Tell whether a score is better than the best so far; an equal one is not."""
        return value > best if self.higher_is_better else value < best


PERPLEXITY = Metric("perplexity", "perplexity", higher_is_better=False)
"""Of the references, per target position; every task has it."""


@dataclass(frozen=True)
class Side:
    """One of the texts that belong together, line by line."""

    name: str
    """the key of the group corpus that gives its language, which its files end in"""
    default: str = ""
    """what stands for an empty key; empty: it must be set"""
    has_subwords: bool = True
    """whether its lines are text; False: labels, which are taken as they are"""


class Task(ABC):
    """A task; it keeps nothing, and loads PyTorch only once it computes."""

    metric: Metric
    """by which validations are compared where the configuration says nothing"""
    metrics: tuple[Metric, ...]
    """of outputs, in the order of `scores`; the own one is among them"""
    sides: ClassVar[tuple[Side, ...]]
    """of every line, in the order of a file's columns"""
    units: ClassVar[str] = "subwords"
    """what vocabularies have, for people"""
    greedy_search: ClassVar[str] = "greedy"
    """how outputs are searched for in a validation, for people"""

    def languages(self, corpus: Any) -> dict[str, str]:
        """Give the language of every side by its name, which its files end in, as a `CorpusConfig` has it."""
        return {side.name: getattr(corpus, side.name) or side.default for side in self.sides}

    def deciding(self, name: str) -> Metric:
        """Find the metric by which validations are compared: a word of `nmt.config.choices.MetricName`.

        Raises:
            ConfigError: the task has no such metric.
        """
        choices = {"auto": self.metric} | {each.name: each for each in (*self.metrics, PERPLEXITY)}
        if name not in choices:
            raise ConfigError(f"there is no trainer.metric={name} here: take one of {', '.join(choices)}")
        return choices[name]

    def settled(self, target: Vocabulary) -> Task:
        """Give the task as the vocabulary of what is written settles it."""
        return self

    def find(self, name: str, corpus: Any, *, key: str) -> CorpusPaths:
        """Find the files of a text.

        Args:
            name: as the configuration has it.
            corpus: a `CorpusConfig`.
            key: the configuration's key, for messages.

        Raises:
            CorpusError: a file is missing.
        """
        sides = self.languages(corpus)
        return resolve(name, source=sides["source"], target=sides["target"], key=key)

    def vocabularies(
        self, texts: Sequence[CorpusPaths], *, size: int, hold_out: int
    ) -> tuple[Vocabulary, Vocabulary] | None:
        """Learn the vocabularies of both sides from all training texts; None: subwords are trained.

        Args:
            texts: all of them.
            size: ids of one at most.
            hold_out: threshold of `nmt.corpus.filters.hold_out_threshold`.
        """
        return None

    def filters(self, corpus: Any) -> Filters:
        """Say which pairs are left out of training, from a `CorpusConfig`."""
        return Filters(corpus.max_source_tokens, corpus.max_target_tokens, corpus.max_length_ratio)

    def check(self, paths: CorpusPaths, target: Vocabulary) -> list[str]:
        """Look through a text before training begins; say what a user should know of it.

        Raises:
            CorpusError: it cannot be used.
        """
        return []

    def test_search(self, search: SearchConfig) -> str:
        """Say how outputs are searched for with these settings, for people."""
        return search.how

    @abstractmethod
    def loss(self, model: Any, batch: Batch, *, label_smoothing: float, offer: Offer | None = None) -> Loss:
        """Score a batch of lines, teacher forced; an `offer` stands for what the model's own lexicon says."""

    @abstractmethod
    def reference_loss(self, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
        """Sum the negative log-likelihood of what stands in a text, in nats, and count its target positions.

        Args:
            bundle: the model, in evaluation mode.
            text: raw.
            batch_size: the most lines that are looked at together.
        """

    @abstractmethod
    def outputs(self, bundle: Bundle, lines: Sequence[str], *, search: SearchConfig | None = None) -> list[str]:
        """Give what a model makes of each line; without another search, as it will be used."""

    @abstractmethod
    def scores(self, outputs: Sequence[str], text: ParallelText, *, language: str) -> list[Score]:
        """Score what a model made of a raw text, by each of `metrics`; others may follow."""

    @abstractmethod
    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """Show what became of a line of a validation's text."""

    @abstractmethod
    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """Say what makes scores on a text, which a message calls by this name, worth less than they seem."""

    @abstractmethod
    def usage(self, bundle: Path) -> str:
        """Say how a trained model is used."""


def task_named(name: str) -> Task:
    """Find a task of `nmt.config.choices.TaskName`: its value in the module of this name beside this one."""
    task: Task = getattr(importlib.import_module(f"{__package__}.{name}"), name.upper())
    return task
