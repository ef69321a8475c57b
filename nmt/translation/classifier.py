"""Classifier: lines of text → a label each; same count, same order, whatever computes the scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.tokenizer import tokenize
from nmt.text.words import ClassVocabulary, WordVocabulary
from nmt.translation.answering import Answering, WordModel
from nmt.translation.request import Decision, Request, TextHypothesis, Translation


class Classifying(Protocol):
    """A model that scores the labels of lines."""

    @property
    def has_attention(self) -> bool:
        """Whether it weighs words."""

    def classify(self, *words: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Score each label: the arrays of `nmt.text.words.Words` → logits (B, Y), and weights (B, T) of the words."""


class _Scored(NamedTuple):
    log_probs: npt.NDArray[np.float64]
    """(Y,)"""
    attention: npt.NDArray[np.float64] | None
    """(T,) of the words of this line alone"""


class Classifier(Answering):
    """Classifies lines with a trained model, window by window."""

    def __init__(self, bundle: WordModel, *, search: SearchConfig | None = None, n_best: int = 1) -> None:
        """Prepare to classify, with as many labels as `n_best` for each line; ConfigError where the model does not."""
        source, target = bundle.source_subwords, bundle.target_subwords
        if not (isinstance(source, WordVocabulary) and isinstance(target, ClassVocabulary)):
            raise ConfigError("the model does not classify lines: use nmt predict, or nmt-translate")
        super().__init__(source, search or bundle.search)
        self._labels, self._n_best = target.labels, n_best
        self._model: Classifying = bundle.model

    def translate(self, requests: Iterable[Request | str]) -> list[Translation]:
        """Classify lines in their order: the most probable label of each, and perhaps the next ones behind it.

        A line without words has no label. Of a line with more than `search.max_source_tokens` words the first ones are
        read, with a warning.
        """
        asked = [Request(each) if isinstance(each, str) else each for each in requests]
        lines = [tokenize(request.text) for request in asked]
        limit = self.search.max_source_tokens
        scored = self._classify({" ".join(words[:limit]) for words in lines if words})
        return [
            self._answer(request, words, scored[" ".join(words[:limit])])
            if words
            else Translation(id=request.id, decision=Decision(attention=[] if self._model.has_attention else None))
            for request, words in zip(asked, lines, strict=True)
        ]

    def _classify(self, texts: set[str]) -> dict[str, _Scored]:
        scored: dict[str, _Scored] = {}
        for batch, words in self.batches(texts):
            logits, weights = self._model.classify(*words)
            log_probs = _log_softmax(logits.astype(np.float64))
            for row, (text, length) in enumerate(zip(batch, words.lengths.tolist(), strict=True)):
                attention = None if weights is None else weights[row, :length].astype(np.float64)
                scored[text] = _Scored(log_probs[row], attention)
        return scored

    def _answer(self, request: Request, words: list[str], scored: _Scored) -> Translation:
        # Labels of equal probability stay in the order of their names.
        order = np.argsort(-scored.log_probs, kind="stable").tolist()
        hypotheses = [
            TextHypothesis(
                self._labels[i],
                float(scored.log_probs[i]),
                float(scored.log_probs[i]),
                True,
                [i + ClassVocabulary.first_label],
            )
            for i in order[: self._n_best]
        ]
        limit, warnings = self.search.max_source_tokens, []
        if len(words) > limit:
            warnings.append(f"only the first max_source_tokens={limit} of its {len(words)} words were read")
        decision = Decision(
            {self._labels[i]: float(np.exp(scored.log_probs[i])) for i in order},
            words[:limit],
            None if scored.attention is None else scored.attention.tolist(),
        )
        return Translation(hypotheses, warnings, id=request.id, decision=decision)


def _log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn logits (B, Y) into log-probabilities."""
    shifted: npt.NDArray[np.float64] = logits - logits.max(axis=1, keepdims=True)
    log_probs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probs
