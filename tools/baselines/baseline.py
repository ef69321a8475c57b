"""What a baseline does: it learns from pairs of lines, and answers lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from nmt.corpus.reader import Pair


class Baseline(ABC):
    """A model that is trained in one go; its settings are chosen by the validation text."""

    name: ClassVar[str]
    grid: ClassVar[Sequence[dict[str, float]]]
    """settings to choose from"""

    @abstractmethod
    def train(self, pairs: Sequence[Pair], settings: dict[str, float]) -> None:
        """Learn from all pairs; features are made here too."""

    @abstractmethod
    def answer(self, lines: Sequence[str]) -> list[str]:
        """Give the labels, or the label, of each line."""
