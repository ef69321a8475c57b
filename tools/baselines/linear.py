"""A linear classifier over tf-idf of one and two words, by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from baselines.baseline import Baseline
from nmt.corpus.reader import Pair


class Linear(Baseline):
    """A linear support vector machine; all that stands between spaces is a word, so that `?` is one too."""

    name: ClassVar[str] = "linear, tf-idf"
    grid: ClassVar[Sequence[dict[str, float]]] = [{"C": c} for c in (0.1, 0.3, 1.0, 3.0, 10.0)]

    def train(self, pairs: Sequence[Pair], settings: dict[str, float]) -> None:
        """See `Baseline`."""
        words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", sublinear_tf=True)
        self._model = make_pipeline(words, LinearSVC(**settings))
        self._model.fit([pair.source for pair in pairs], [pair.target for pair in pairs])

    def answer(self, lines: Sequence[str]) -> list[str]:
        """See `Baseline`."""
        return list(map(str, self._model.predict(list(lines))))
