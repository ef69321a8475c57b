"""Labeller: lines of tokens → lines of labels; same count, same order, whatever computes the scores.

It takes the requests of a `Translator` and answers with the same values, so that what reads and writes lines serves
both. A line's labels are a function of that line alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.search.viterbi import Path, Transitions, viterbi
from nmt.text.words import LabelVocabulary, WordVocabulary, split_tokens
from nmt.translation.answering import Answering, WordModel
from nmt.translation.request import Request, TextHypothesis, Translation


class Tagging(Protocol):
    """A model that scores labels."""

    @property
    def transitions(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Its scores of labels that follow each other, see `nmt.search.viterbi.Transitions`."""

    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Score each label for each token: the arrays of `nmt.text.words.Words` → (B, T, Y)."""


class Labeller(Answering):
    """Labels lines with a trained model, window by window.

    The labels are the most probable sequence by Viterbi's algorithm. Where they are BIO, sequences that no entities
    spell are left out, and probabilities are those among the rest.
    """

    def __init__(self, bundle: WordModel, *, search: SearchConfig | None = None) -> None:
        """Prepare to label; ConfigError where the model translates instead."""
        source, target = bundle.source_subwords, bundle.target_subwords
        if not (isinstance(source, WordVocabulary) and isinstance(target, LabelVocabulary)):
            raise ConfigError("the model does not label tokens: use nmt predict, or nmt-translate")
        super().__init__(source, search or bundle.search)
        self._labels = target
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

    def _label(self, texts: set[str]) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for batch, words in self.batches(texts):
            batch_paths = viterbi(self._model.emissions(*words), words.lengths, self._transitions)
            paths.update(zip(batch, batch_paths, strict=True))
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
