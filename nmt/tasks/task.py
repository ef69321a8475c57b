"""What training asks of a task: which texts it reads, what it minimises, and which score decides what is better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from nmt.config.search import SearchConfig
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score

if TYPE_CHECKING:
    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss
    from nmt.model.seq2seq import Seq2Seq

T = TypeVar("T")


@dataclass(frozen=True)
class Metric:
    """The score of a validation that decides which weights are the best."""

    name: str
    """in metrics.jsonl, where the best so far is ``best_NAME``"""
    label: str
    """for people"""
    higher_is_better: bool = True

    def is_better(self, value: float, best: float) -> bool:
        """Tell whether a score is better than the best so far; an equal one is not."""
        return value > best if self.higher_is_better else value < best


@dataclass(frozen=True)
class Side:
    """One of the texts that belong together, line by line."""

    name: str
    """the key of the group corpus that gives its language, which its files end in"""
    has_subwords: bool = True
    """whether its lines are text; False: labels, which are taken as they are"""


class Validation(NamedTuple):
    """The result of a validation."""

    perplexity: float
    """per real target position, EOS included, without label smoothing"""
    score: Score
    """of the task's metric"""
    how: str
    """the search that made the outputs, for people"""
    outputs: list[str]
    """what the model made of each line"""


class Shares(Protocol):
    """The processes that do a validation together, each its share of the lines."""

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Take this process's share of a list that all have."""
        ...

    def join_shares(self, share: list[T]) -> list[T]:
        """Put what the processes made of their shares back in order."""
        ...

    def gather_numbers(self, numbers: Sequence[float]) -> list[list[float]]:
        """Give every process all processes' numbers."""
        ...


class Task(ABC):
    """A task; it keeps nothing, and loads PyTorch only once it computes."""

    metric: ClassVar[Metric]
    sides: ClassVar[tuple[Side, ...]]
    """of every line, in the order of a file's columns"""

    def languages(self, corpus: Any) -> dict[str, str]:
        """Give the language of every side, which its files end in, as a `CorpusConfig` has it."""
        return {side.name: getattr(corpus, side.name) for side in self.sides}

    @abstractmethod
    def loss(self, model: Seq2Seq, batch: Batch, *, label_smoothing: float, offer: Offer | None = None) -> Loss:
        """Score a batch of lines, teacher forced; an `offer` stands for what the model's own lexicon says."""

    @abstractmethod
    def validate(
        self, bundle: Bundle, text: ParallelText, *, search: SearchConfig, batch_size: int, shares: Shares
    ) -> Validation:
        """Score a model in evaluation mode on raw text, with a search that is fast.

        Args:
            bundle: the model.
            text: all of it, of which this process does its share.
            search: the run's settings.
            batch_size: lines that are searched together.
            shares: who does which lines.
        """

    @abstractmethod
    def test(self, bundle: Bundle, text: ParallelText, *, shares: Shares) -> list[Score]:
        """Score a model on raw text as it will be used, with its own search, the most important score first."""

    @abstractmethod
    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """Show what became of a line of a validation's text."""

    @abstractmethod
    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """Say what makes scores on a text, which a message calls by this name, worth less than they seem."""

    @abstractmethod
    def usage(self, bundle: Path) -> str:
        """Say how a trained model is used."""
