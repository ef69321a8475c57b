"""What an output is worth: sentence chrF of its text against the reference's."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nmt.evaluation.metrics import sentence_chrf
from nmt.search.arrays import Floats
from nmt.text.subwords import SubwordModel


class Reward(Protocol):
    """Judges outputs."""

    def __call__(self, outputs: Sequence[Sequence[int]], references: Sequence[Sequence[int]], /) -> Floats:
        """Give each of R outputs a number from 0 to 1, (R,), by its own reference; both are target ids."""


class ChrfReward:
    """chrF2 / 100 (Popović 2015), sacreBLEU's, of detokenised text."""

    def __init__(self, subwords: SubwordModel) -> None:
        """Take the subwords of the target."""
        self._subwords = subwords

    def __call__(self, outputs: Sequence[Sequence[int]], references: Sequence[Sequence[int]], /) -> Floats:
        """See `Reward`; equal pairs are judged once."""
        scores: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
        pairs = [(tuple(output), tuple(reference)) for output, reference in zip(outputs, references, strict=True)]
        for pair in pairs:
            if pair not in scores:
                scores[pair] = sentence_chrf(*map(self._subwords.decode, pair)) / 100
        return np.array([scores[pair] for pair in pairs])
