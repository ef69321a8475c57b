"""Which pairs of a training text are written as a small text is, and which otherwise.

Corpora of small languages are often gathered from sources that spell differently, or that come from other times and
regions. Two unigram models of subwords tell them apart: one of the small text and all that is like it, one of the rest.
They are learnt by expectation maximisation (Dempster et al. 1977; with classes of text as Nigam et al. 2000).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.corpus.encoding import Side

_MOST_ROWS = 100_000
"""Of the training text that the models are learnt from; of more, some are taken that lie evenly in it."""
_ROUNDS = 15
_SMOOTHING = 1000.0
"""Subwords that each model has beforehand, as they are distributed in all of the training text."""
_CHUNK_ROWS = 100_000
_SURE = 0.85
"""Share of a small text, at the least, that must be found to be like it where it was not looked at."""
_GAP = 0.25
"""By so much, at the least, must that be more than the share of the training text. Text of one kind has 0 to 0.05."""
_FEWEST_ROWS = 100
"""Of the small text, to be judged by."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Likeness(NamedTuple):
    """Which rows are unlike the small text, and how sure that is."""

    unlike: list[Flags]
    """of each training text, (N,): which of its rows are written otherwise; none where kinds cannot be told apart"""
    like: float
    """share of all rows that are like the small text"""
    sure: float
    """share of the small text's other half that half of it finds to be like itself"""

    @property
    def tells_apart(self) -> bool:
        """Whether there are two kinds."""
        return bool(self.unlike)


def find_unlike(training: Sequence[Side], text: Sequence[Sequence[int]], *, vocabulary: int) -> Likeness:
    """Find the rows of training texts that are written otherwise than a small text.

    Args:
        training: the same side of all training texts, one row at least.
        text: rows of subword ids, those that are empty aside.
        vocabulary: number of subwords.
    """
    rows = [np.asarray(row, dtype=np.int64) for row in text if len(row)]
    if len(rows) < _FEWEST_ROWS:
        return Likeness([], 1.0, 1.0)
    sample = _Rows.of(list(_sample(training)))
    weights = _learn(sample, _Rows.of(rows[::2]), vocabulary)
    like, sure = (float((each.sums(weights) > 0).mean()) for each in (sample, _Rows.of(rows[1::2])))
    if sure < _SURE or sure - like < _GAP:
        return Likeness([], like, sure)
    weights = _learn(sample, _Rows.of(rows), vocabulary)
    unlike = [np.concatenate([chunk.sums(weights) <= 0 for chunk in _chunks(side)]) for side in training]
    is_unlike = np.concatenate(unlike)
    return Likeness(unlike, 1 - float(is_unlike.mean()), sure)


class _Rows(NamedTuple):
    """N rows of subwords, one after the other."""

    ids: npt.NDArray[np.int64]
    """(all subwords)"""
    lengths: npt.NDArray[np.int64]
    """(N,), each above 0"""

    @classmethod
    def of(cls, rows: Sequence[npt.NDArray[np.int64]]) -> "_Rows":
        return cls(np.concatenate(rows), np.array([len(row) for row in rows]))

    def sums(self, weights: Floats) -> Floats:
        """Add up the weights of each row's subwords: (N,)."""
        starts = np.cumsum(self.lengths) - self.lengths
        sums: Floats = np.add.reduceat(weights[self.ids], starts)
        return sums

    def counts(self, shares: Floats, vocabulary: int) -> Floats:
        """Count subwords, of each row a share: (vocabulary,)."""
        counts: Floats = np.bincount(self.ids, np.repeat(shares, self.lengths), vocabulary).astype(np.float64)
        return counts


def _learn(training: _Rows, text: _Rows, vocabulary: int) -> Floats:
    """Learn both models; return for each subword by how much it speaks for the small text's: the log of their ratio."""
    everything = training.counts(np.ones(len(training.lengths)), vocabulary)
    text_counts = text.counts(np.ones(len(text.lengths)), vocabulary)
    prior = _SMOOTHING * (everything + 0.5) / (everything + 0.5).sum()
    like_counts, unlike_counts = text_counts, everything
    weights = np.zeros(vocabulary)
    for _ in range(_ROUNDS):
        weights = np.log(_distribution(like_counts + prior) / _distribution(unlike_counts + prior))
        shares = 1 / (1 + np.exp(-np.clip(training.sums(weights), -30, 30)))
        counts_alike = training.counts(shares, vocabulary)
        like_counts, unlike_counts = text_counts + counts_alike, np.maximum(everything - counts_alike, 0.0)
    return weights


def _distribution(counts: Floats) -> Floats:
    distribution: Floats = counts / counts.sum()
    return distribution


def _sample(sides: Sequence[Side]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield rows of all sides, evenly spread."""
    every = -(-sum(len(side.offsets) - 1 for side in sides) // _MOST_ROWS)
    for side in sides:
        for index in range(0, len(side.offsets) - 1, every):
            yield side.row(index).astype(np.int64)


def _chunks(side: Side) -> Iterator[_Rows]:
    """Yield all rows, so many at a time."""
    count = len(side.offsets) - 1
    for start in range(0, count, _CHUNK_ROWS):
        offsets = np.asarray(side.offsets[start : min(start + _CHUNK_ROWS, count) + 1])
        yield _Rows(side.ids[offsets[0] : offsets[-1]].astype(np.int64), np.diff(offsets))
