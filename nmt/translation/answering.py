"""What answers lines of words, whatever the answer is: windows of requests, and batches of the words in them.

It takes the requests of a `Translator` and gives the same values, so that what reads and writes lines serves all. An
answer is a function of its line alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.text.vocabulary import Vocabulary
from nmt.text.words import Words, WordVocabulary, take_apart
from nmt.translation.batching import WINDOW_BATCHES, cut_batches
from nmt.translation.request import Request, Translation

_Tag = TypeVar("_Tag")


class WordModel(Protocol):
    """What is needed of a trained model."""

    @property
    def model(self) -> Any:
        """It computes, in evaluation mode."""

    @property
    def source_subwords(self) -> Vocabulary:
        """The words that the model reads."""

    @property
    def target_subwords(self) -> Vocabulary:
        """The labels that it chooses from."""

    @property
    def search(self) -> SearchConfig:
        """How many lines are looked at together, and of how many words."""


class Answering(ABC):
    """Answers lines with a trained model, window by window."""

    def __init__(self, vocabulary: WordVocabulary, search: SearchConfig) -> None:
        """Read lines with the words of this vocabulary."""
        self.search = search
        self.window = search.batch_size * WINDOW_BATCHES
        """requests of a full window"""
        self.first_window = search.batch_size
        """requests of a window that need not wait for more"""
        self._vocabulary = vocabulary

    @abstractmethod
    def translate(self, requests: Iterable[Request | str]) -> list[Translation]:
        """Answer lines in their order."""

    def map(
        self, windows: Iterable[tuple[_Tag, Sequence[Request]]]
    ) -> Iterator[tuple[_Tag, Sequence[Request], list[Translation]]]:
        """Answer windows as they come, each with a tag for the caller's use."""
        for tag, requests in windows:
            yield tag, requests, self.translate(requests)

    def batches(self, texts: Collection[str]) -> Iterator[tuple[list[str], Words]]:
        """Read different texts of words; the longest go first, since what does not fit in memory fails at once then."""
        order = sorted(texts)
        rows = dict(zip(order, self._vocabulary.encode_batch(order), strict=True))
        order.sort(key=lambda text: -len(rows[text]))
        for cut in cut_batches([len(rows[text]) for text in order], self.search.batch_size):
            source, lengths = pad_rows(
                [rows[text] for text in order[cut]], pad_id=self._vocabulary.pad_id, eos_id=self._vocabulary.eos_id
            )
            yield order[cut], take_apart(source, lengths, first_word=self._vocabulary.first_word)
