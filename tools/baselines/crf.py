"""A linear-chain CRF over features that people wrote down (Lafferty et al. 2001), by sklearn-crfsuite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import sklearn_crfsuite

from baselines.baseline import Baseline
from baselines.features import features
from nmt.corpus.reader import Pair
from nmt.text.words import split_tokens


class CRF(Baseline):
    """Word, affixes and shape of a token, and word and shape of both neighbours."""

    name: ClassVar[str] = "CRF of features"
    grid: ClassVar[Sequence[dict[str, float]]] = [
        {"c1": c1, "c2": c2} for c1 in (0.0, 0.1, 0.5) for c2 in (0.01, 0.1, 1.0)
    ]

    def train(self, pairs: Sequence[Pair], settings: dict[str, float]) -> None:
        """See `Baseline`."""
        self._crf = sklearn_crfsuite.CRF(
            algorithm="lbfgs", max_iterations=100, all_possible_transitions=True, **settings
        )
        self._crf.fit([features(pair.source) for pair in pairs], [split_tokens(pair.target) for pair in pairs])

    def answer(self, lines: Sequence[str]) -> list[str]:
        """See `Baseline`."""
        return [" ".join(labels) for labels in self._crf.predict([features(line) for line in lines])]
