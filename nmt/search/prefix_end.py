"""PrefixEnd: a forced prefix may end inside a word, or with a space; whatever subwords spell its end may follow.

Forcing the end's own best subwords would bar those that the model takes for the whole word: "Hu" is none of the
subwords of "Hund". So the tokens behind the whole words of a prefix are free, as long as what they spell agrees with
its end.

Shapes: B sentences, K places, V columns of the logits (the vocabulary, or N ids of a shortlist).
"""

import functools
from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np

from nmt.search.arrays import Bools, Floats, Ints
from nmt.search.interface import Constraints
from nmt.search.rules import Prefix


class Spelling:
    """Finds tokens by what they spell."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """Take what each id spells, "" where it is no text."""
        self.pieces = pieces
        self._ids = {piece: i for i, piece in enumerate(pieces) if piece}
        self._sorted = sorted(self._ids)

    def within(self, text: str) -> set[int]:
        """Find the tokens that stand anywhere in a text."""
        starts = range(len(text))
        parts = {text[start:end] for start in starts for end in range(start + 1, len(text) + 1)}
        return {self._ids[part] for part in parts & self._ids.keys()}

    def beginning(self, text: str) -> set[int]:
        """Find the tokens that begin with a text."""
        first, last = (bisect_left(self._sorted, end) for end in (text, text + chr(0x10FFFF)))
        return {self._ids[piece] for piece in self._sorted[first:last]}

    def agreeing(self, text: str) -> set[int]:
        """Find the tokens that begin with a text, or that it begins with."""
        begun = (text[:end] for end in range(1, len(text)))
        return self.beginning(text) | {self._ids[part] for part in begun if part in self._ids}


class PrefixEnd:
    """What stands behind a sentence's forced tokens agrees with its `Constraints.end`."""

    def __init__(self, pieces: Callable[[], Sequence[str]], *, space: str, eos_id: int) -> None:
        """Prepare.

        Args:
            pieces: says what each id spells, "" where it is no text; it is asked when a prefix first has an end.
            space: how a space is spelt. Behind one alone the translation may end too.
            eos_id: what ends it.
        """
        self._pieces, self._space, self._eos_id = pieces, space, eos_id
        self._allowed = functools.lru_cache(maxsize=256)(self._find_allowed)

    @functools.cached_property
    def spelling(self) -> Spelling:
        """What the tokens spell."""
        return Spelling(self._pieces())

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `nmt.search.processors.Processor`; a token spells a character at least."""
        return any(each.end and length < each.begun for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `nmt.search.processors.Processor`."""
        for row, each in enumerate(constraints):
            if not each.end or not len(each.prefix) <= prefix.length < each.begun:
                continue
            for place, tokens in enumerate(prefix.tokens[row, :, len(each.prefix) :].tolist()):
                spelt = sum(len(self.spelling.pieces[token]) for token in tokens)
                if spelt < len(each.end):
                    allowed = self._allowed(each.end[spelt:])
                    allowed = allowed if ids is None else allowed[ids[row]] & (ids[row] >= 0)
                    if allowed.any():  # a vocabulary may lack a character that only longer subwords have
                        scores[row, place, ~allowed] = -np.inf
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `nmt.search.processors.Processor`: it only takes away."""
        return np.zeros(len(constraints))

    def _find_allowed(self, lacking: str) -> Bools:
        """(V,) the ids that may stand where this much of an end is not spelt yet."""
        allowed = np.zeros(len(self.spelling.pieces), dtype=np.bool_)
        allowed[list(self.spelling.agreeing(lacking))] = True
        allowed[self._eos_id] = lacking == self._space
        return allowed
