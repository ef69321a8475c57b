"""What every decoder keeps: the frontier of live prefixes, and the pool of hypotheses that ended.

Shapes: B sentences of the batch, B' those that are still here, K places of each, T positions taken at once.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Bools, Floats, Ints
from nmt.search.interface import State
from nmt.search.options import SearchOptions


class Growth(NamedTuple):
    """The T positions that were added to a frontier at once."""

    tokens: Ints
    """(T, B', K') ids"""
    parents: Ints
    """(T, B', K') the place before each position that each place after it continues"""
    totals: Floats
    """(T, B', K') of the whole prefixes, -inf for an empty place"""
    state: State
    """after the last position"""
    follows: bool
    """whether the state is at these places already; else it has the places before, and must be reordered"""
    weights: npt.NDArray[Any] | None = None
    """(B', K, S) attention of the places before, where asked for: then positions are taken one by one"""
    added: Floats | None = None
    """(B', K') as in `Frontier`, after the last position"""


class Frontier(NamedTuple):
    """The prefixes of all sentences that are still here."""

    sentences: Ints
    """(B',) rows of the caller's batch, ascending"""
    tokens: Ints
    """(B', K) what each place emitted last"""
    totals: Floats
    """(B', K) log-probability with what processors added, which ranks prefixes of one length; -inf: an empty place"""
    length: int
    """how many tokens every place has emitted"""
    added: Floats | None = None
    """(B', K) what processors added to the log-probability; None: nothing"""

    @staticmethod
    def at_start(sentences: Ints, bos_id: int) -> "Frontier":
        """Stand before the first position, with one place a sentence."""
        return Frontier(sentences, np.full((len(sentences), 1), bos_id), np.zeros((len(sentences), 1)), 0)

    @property
    def live(self) -> Bools:
        """(B', K) which places hold a prefix to extend."""
        return self.totals > -np.inf

    def after(self, growth: Growth, position: int) -> "Frontier":
        """Move on by what was taken, up to a position of it and with that."""
        length = self.length + position + 1
        return Frontier(self.sentences, growth.tokens[position], growth.totals[position], length, growth.added)

    def keep(self, stay: Bools) -> "Frontier":
        """Stay with these sentences only, (B',) bool."""
        if np.count_nonzero(stay) == len(stay):
            return self
        added = None if self.added is None else self.added[stay]
        return Frontier(self.sentences[stay], self.tokens[stay], self.totals[stay], self.length, added)


class Endings(NamedTuple):
    """Where N hypotheses ended or were cut, and what they are worth; each field is (N,)."""

    sentences: Ints
    """rows of the caller's batch"""
    places: Ints
    """the place each stood in when it ended"""
    lengths: Ints
    """target positions, that of EOS included"""
    log_probs: Floats
    scores: Floats
    finished: Bools


class Pool:
    """The hypotheses of all B sentences that ended or were cut, up to K each, in the order in which they did.

    A place that ends is not filled again, so what a sentence has here and what it has live are never more than K.
    """

    def __init__(self, batch_size: int, options: SearchOptions) -> None:
        shape = batch_size, options.beam_size
        self._normalizer, self._n_best = options.normalizer, options.n_best
        self._is_sampled = options.sampling is not None
        self.counts = np.zeros(batch_size, dtype=np.int64)  # (B,), how many of each row below are taken
        self.nth_best = np.full(batch_size, -np.inf)  # (B,), the score of the n-th best, -inf where there are fewer
        self._scores, self._log_probs = np.full((2, *shape), -np.inf)
        self._places, self._lengths = np.zeros((2, *shape), dtype=np.int64)
        self._finished = np.zeros(shape, dtype=np.bool_)

    def add(self, frontier: Frontier, chosen: Bools, *, finished: bool) -> None:
        """Take the chosen places, (B', K) bool, as they stand at the frontier."""
        if not np.count_nonzero(chosen):  # for small arrays a fifth of the time of any()
            return
        rows, places = np.nonzero(chosen)
        sentences, totals = frontier.sentences[rows], frontier.totals[rows, places]
        at = sentences, self.counts[sentences] + np.arange(len(rows)) - np.searchsorted(rows, rows)
        self._places[at], self._lengths[at], self._finished[at] = places, frontier.length, finished
        self._scores[at] = self._normalizer.score(totals, frontier.length)
        self._log_probs[at] = totals if frontier.added is None else totals - frontier.added[rows, places]
        np.add.at(self.counts, sentences, 1)
        self.nth_best[sentences] = np.sort(self._scores[sentences], axis=1)[:, -self._n_best]

    def best(self) -> Endings:
        """Rank each sentence's hypotheses, finished before cut, then by score, and take the n best of each.

        Samples keep the order in which they are numbered: the best of them would be no sample of the model.
        """
        order = np.lexsort((-self._scores, ~self._finished), axis=-1)[:, : self._n_best]
        if self._is_sampled:
            order = np.lexsort((self._places, self._scores == -np.inf), axis=-1)[:, : self._n_best]
        sentences, ranks = np.nonzero(np.arange(order.shape[1]) < self.counts[:, None])
        at = sentences, order[sentences, ranks]
        return Endings(
            sentences, self._places[at], self._lengths[at], self._log_probs[at], self._scores[at], self._finished[at]
        )
