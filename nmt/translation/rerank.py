"""Choosing among the hypotheses of a line: the one that resembles the others most, instead of the likeliest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.translation.request import TextHypothesis
from nmt.translation.similarity import chrf_matrix

Rerank: TypeAlias = Callable[[Sequence[TextHypothesis]], list[TextHypothesis]]
"""Puts the hypotheses of a line in another order, the best first."""


@dataclass(frozen=True)
class MinimumBayesRisk:
    """Ranks by expected similarity to what may be right (Kumar & Byrne 2004; of n-best lists: Freitag et al. 2022).

    The model's probabilities, flattened to a power, say how likely each hypothesis is to be right. Hypotheses that read
    alike count as one, with the sum of their probabilities. What was cut comes last.
    """

    similarity: Callable[[Sequence[str]], npt.NDArray[np.float64]]
    """how alike each of N different texts is to each as its reference: (N, N)"""
    sharpness: float = 0.5
    """the power; 0: all count alike, as samples do, which are drawn as often as they are probable"""

    def __call__(self, hypotheses: Sequence[TextHypothesis]) -> list[TextHypothesis]:
        """Put them in order, of equals the likelier first; of those that read alike the first stays."""
        counted = [each for each in hypotheses if each.finished] or list(hypotheses)
        largest = max(each.log_prob for each in counted)
        weights: dict[str, float] = {}
        for each in counted:
            weights[each.text] = weights.get(each.text, 0.0) + math.exp(self.sharpness * (each.log_prob - largest))
        gains = self.similarity([*weights]) @ np.array([*weights.values()])
        expected = dict(zip(weights, gains.tolist(), strict=True))
        first = {each.text: each for each in reversed(counted)}
        ranked = sorted(weights, key=lambda text: -expected[text])  # stable
        return [first[text] for text in ranked]


class WaysToChoose(NamedTuple):
    """How the hypotheses of a line are found, and put in order."""

    search: SearchConfig
    n_best: int
    """hypotheses that the search returns"""
    rerank: Rerank | None
    """None: the search's order stands"""


def ways_to_choose(search: SearchConfig, rerank: Rerank | None, *, n_best: int) -> WaysToChoose:
    """Say how a translator finds `n_best` hypotheses; a rerank of its caller's takes all of the beam, or samples."""
    if rerank:
        return WaysToChoose(search, n_best if search.sample else search.beam_size, rerank)
    if search.mbr_samples:
        # Samples count alike: the probable ones are drawn more often.
        drawn = replace(search, sample=True, mbr_samples=0)
        return WaysToChoose(drawn, search.mbr_samples, MinimumBayesRisk(chrf_matrix, 0.0))
    return WaysToChoose(search, n_best, None)
