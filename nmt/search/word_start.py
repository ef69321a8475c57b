"""WordStart: a prefix that ends with a space is continued by a new word.

Shapes: B sentences, K places, V columns of the logits (the vocabulary, or N ids of a shortlist).
"""

from collections.abc import Sequence

import numpy as np

from nmt.search.arrays import Bools, Floats, Ints
from nmt.search.interface import Constraints
from nmt.search.rules import Prefix


class WordStart:
    """Where `Constraints.word_follows` says so, a word begins behind the prefix, or the translation ends."""

    def __init__(self, begins: Bools) -> None:
        """Take what may stand there: (V,) by id, the first subwords of words, and EOS."""
        self._begins = begins

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `nmt.search.processors.Processor`."""
        return any(each.word_follows and length <= len(each.prefix) for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `nmt.search.processors.Processor`."""
        for row, each in enumerate(constraints):
            if each.word_follows and prefix.length == len(each.prefix):
                scores[row][:, ~(self._begins if ids is None else self._begins[ids[row]])] = -np.inf
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `nmt.search.processors.Processor`: it only takes away."""
        return np.zeros(len(constraints))
