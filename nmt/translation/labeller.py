"""Labeller: lines of tokens → lines of labels; same count, same order, whatever computes the scores.

It takes the requests of a `Translator` and answers with the same values, so that what reads and writes lines serves
both. A line's labels are a function of that line alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.errors import ConfigError
from nmt.search.viterbi import Path, Transitions, viterbi
from nmt.text.vocabulary import Vocabulary
from nmt.text.words import LabelVocabulary, WordVocabulary, split_tokens, take_apart
from nmt.translation.batching import WINDOW_BATCHES, cut_batches
from nmt.translation.request import Request, TextHypothesis, Translation

_Tag = TypeVar("_Tag")


class Tagging(Protocol):
    """A model that scores labels."""

    @property
    def transitions(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Its scores of labels that follow each other, see `nmt.search.viterbi.Transitions`."""

    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Score each label for each token: the arrays of `nmt.text.words.Words` → (B, T, Y)."""


class Labelling(Protocol):
    """What a Labeller needs to know of a trained model."""

    @property
    def model(self) -> Any:
        """See `Tagging`; in evaluation mode."""

    @property
    def source_subwords(self) -> Vocabulary:
        """The words that the model reads."""

    @property
    def target_subwords(self) -> Vocabulary:
        """The labels that it chooses from."""

    @property
    def search(self) -> SearchConfig:
        """How many lines are looked at together, and of how many tokens."""


class Labeller:
    """Labels lines with a trained model, window by window.

    The labels are the most probable sequence by Viterbi's algorithm. Where they are BIO, sequences that no entities
    spell are left out, and probabilities are those among the rest.
    """

    def __init__(self, bundle: Labelling, *, search: SearchConfig | None = None) -> None:
        """Prepare to label; ConfigError where the model translates instead."""
        source, target = bundle.source_subwords, bundle.target_subwords
        if not (isinstance(source, WordVocabulary) and isinstance(target, LabelVocabulary)):
            raise ConfigError("the model does not label, it translates: use nmt-translate instead")
        self.bundle, self.search = bundle, search or bundle.search
        self.window = self.search.batch_size * WINDOW_BATCHES
        """requests of a full window"""
        self.first_window = self.search.batch_size
        """requests of a window that need not wait for more"""
        self._words, self._labels = source, target
        self._model: Tagging = bundle.model
        between, start = target.impossible()
        self._transitions = Transitions(*self._model.transitions).plus(
            Transitions(between, start, np.zeros_like(start))
        )

    def translate(self, requests: Iterable[Request | str]) -> list[Translation]:
        """Label lines in their order; the labels of a line are parted by spaces, as many as it has tokens.

        A line without tokens has no labels. A line with more than `search.max_source_tokens` tokens is labelled in
        parts of this size, with a warning.
        """
        asked = [Request(each) if isinstance(each, str) else each for each in requests]
        size = self.search.max_source_tokens
        cut = [
            [" ".join(tokens[i : i + size]) for i in range(0, len(tokens), size)]
            for tokens in (split_tokens(request.text) for request in asked)
        ]
        paths = self._label({part for parts in cut for part in parts})
        return [self._join(request, [paths[part] for part in parts]) for request, parts in zip(asked, cut, strict=True)]

    def map(
        self, windows: Iterable[tuple[_Tag, Sequence[Request]]]
    ) -> Iterator[tuple[_Tag, Sequence[Request], list[Translation]]]:
        """Label windows as they come, each with a tag for the caller's use."""
        for tag, requests in windows:
            yield tag, requests, self.translate(requests)

    def _label(self, texts: set[str]) -> dict[str, Path]:
        """Label different texts; the longest go first, since what does not fit in memory fails at once then."""
        order = sorted(texts)
        rows = dict(zip(order, self._words.encode_batch(order), strict=True))
        order.sort(key=lambda text: -len(rows[text]))
        paths: dict[str, Path] = {}
        for cut in cut_batches([len(rows[text]) for text in order], self.search.batch_size):
            source, lengths = pad_rows(
                [rows[text] for text in order[cut]], pad_id=self._words.pad_id, eos_id=self._words.eos_id
            )
            words = take_apart(source, lengths, first_word=self._words.first_word)
            found = viterbi(self._model.emissions(*words), words.lengths, self._transitions)
            paths.update(zip(order[cut], found, strict=True))
        return paths

    def _join(self, request: Request, parts: list[Path]) -> Translation:
        if not parts:
            return Translation(id=request.id)
        labels = [label + self._labels.first_label for part in parts for label in part.labels]
        log_prob = sum(part.log_prob for part in parts)
        best = TextHypothesis(self._labels.decode(labels), log_prob / len(labels), log_prob, True, labels)
        warnings = []
        if len(parts) > 1:
            limit = f"max_source_tokens={self.search.max_source_tokens}"
            warnings.append(f"its {len(labels)} tokens were labelled in parts of {limit}; give one sentence a line")
        return Translation([best], warnings, id=request.id)
