"""How much of a small text is new to the training text, beside what would be new in other text of its kind."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.corpus.encoding import Side

_MOST_ROWS = 100_000
"""Of the training text that are looked at; of more, some are taken that lie evenly in it."""
_EDGE = (1 << 31) - 1
"""Stands before a row's first subword and behind its last; no subword has this id."""


class Novelty(NamedTuple):
    """Shares of the pairs of neighbouring subwords of a text."""

    new: float
    """that the training text does not have"""
    expected: float
    """the same of new text of the training text's kind"""
    pairs: int
    """how many pairs of neighbours the text has"""


def measure_novelty(training: Sequence[Side], text: Sequence[Sequence[int]]) -> Novelty:
    """Compare a text with the training text by pairs of neighbouring subwords.

    What is expected is estimated as by Good (1953): the probability of all that was never seen is the share of what was
    seen once. Rows that stand in the training text several times count once, since they would hide what is rare.

    Args:
        training: the same side of all training texts, one row at least.
        text: the rows of subword ids to compare.
    """
    neighbours = np.concatenate([_neighbours(row) for row in _sample(training)])
    training_neighbours, counts = np.unique(neighbours, return_counts=True)
    text_neighbours = [_neighbours(row) for row in text if len(row)]
    if not text_neighbours:
        return Novelty(0.0, 0.0, 0)
    flat = np.concatenate(text_neighbours)
    new = 1 - float(np.isin(flat, training_neighbours).mean())
    return Novelty(new, float((counts == 1).sum()) / len(neighbours), len(flat))


def _sample(sides: Sequence[Side]) -> Iterable[npt.NDArray[np.int64]]:
    """Yield rows of all sides, each content once."""
    rows = sum(len(side.offsets) - 1 for side in sides)
    every = -(-rows // _MOST_ROWS)
    seen: set[bytes] = set()
    for side in sides:
        for index in range(0, len(side.offsets) - 1, every):
            row = side.row(index)
            content = row.tobytes()
            if content not in seen:
                seen.add(content)
                yield row.astype(np.int64)


def _neighbours(row: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give each pair of neighbours of a row (S,) a number, its edges included: (S + 1,)."""
    ids = np.array([_EDGE, *row, _EDGE], dtype=np.int64)
    return (ids[:-1] << 31) + ids[1:]
