"""Back-pointers: what was taken at every position and from which place, read backwards when hypotheses are known.

Shapes: B sentences of the batch, B' those that took a position, K places, T positions taken at once, N hypotheses.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Ints
from nmt.search.frontier import Endings, Frontier, Growth
from nmt.search.interface import Hypothesis


class _Block(NamedTuple):
    """T positions, for the sentences (B',) that were still there; where there are more places than one, T is 1."""

    start: int
    """the position of the first"""
    rows: Ints
    """(B,) the row of each sentence of the whole batch; 0 for those that had left"""
    tokens: Ints
    """(T, B', K')"""
    parents: Ints | None
    """(B', K') the place before that each place after continues; None: itself, the only one"""
    weights: npt.NDArray[Any] | None
    """(B', K, S) the attention of the places before; there is one position then"""


class _Visit(NamedTuple):
    """A block's positions of N hypotheses, M of which reach the first of them."""

    block: _Block
    active: Ints
    """(M,) of the N"""
    rows: Ints
    """(M,) their rows in the block's arrays"""
    places: Ints
    """(M,) their places after these positions"""
    parents: Ints
    """(M,) their places before"""


class History:
    """What a search over B sentences has taken: nothing is copied from place to place."""

    def __init__(self, batch_size: int) -> None:
        self.length = 0
        self._blocks: list[_Block] = []
        self._rows = np.zeros(batch_size, dtype=np.int64)
        self._sentences: Ints | None = None

    def append(self, before: Frontier, growth: Growth) -> None:
        """Add what was taken at a frontier; as long as no sentence leaves, its very same `sentences` save work."""
        if before.sentences is not self._sentences:
            self._sentences = before.sentences
            self._rows = np.zeros_like(self._rows)
            self._rows[before.sentences] = np.arange(len(before.sentences))
        if before.tokens.shape[1] == growth.tokens.shape[2] == 1:
            self._blocks.append(_Block(self.length, self._rows, growth.tokens, None, growth.weights))
        else:
            for position, parents in enumerate(growth.parents):
                tokens = growth.tokens[position : position + 1]
                self._blocks.append(_Block(self.length + position, self._rows, tokens, parents, growth.weights))
        self.length += len(growth.tokens)

    def prefixes(self, sentences: Ints, places: int) -> Ints:
        """Read all that these sentences (B',) have emitted in their K current places: (B', K, length)."""
        owners, slots = np.repeat(sentences, places), np.tile(np.arange(places), len(sentences))
        tokens = self._tokens(owners, slots, np.full_like(owners, self.length))
        return tokens.reshape(len(sentences), places, self.length)

    def hypotheses(self, endings: Endings, source_lengths: Ints | None) -> list[list[Hypothesis]]:
        """Read N hypotheses, all together, and group them by sentence: B lists.

        Source lengths (B,) ask for their attention, cut to these lengths.
        """
        tokens = self._tokens(endings.sentences, endings.places, endings.lengths)
        values = zip(*(column.tolist() for column in endings[2:]), strict=True)
        texts = [
            Hypothesis(row[: length - finished].tolist(), log_prob, score, finished)  # without EOS
            for row, (length, log_prob, score, finished) in zip(tokens, values, strict=True)
        ]
        if source_lengths is not None and all(block.weights is not None for block in self._blocks):
            self._attach_weights(texts, endings, source_lengths[endings.sentences].tolist())
        grouped: list[list[Hypothesis]] = [[] for _ in self._rows]
        for sentence, hypothesis in zip(endings.sentences.tolist(), texts, strict=True):
            grouped[sentence].append(hypothesis)
        return grouped

    def _tokens(self, sentences: Ints, places: Ints, lengths: Ints) -> Ints:
        """Read N prefixes (N, length); ids beyond a prefix' own length have no meaning."""
        tokens = np.zeros((len(sentences), self.length), dtype=np.int64)
        for block, active, rows, slots, _ in self._walk(sentences, places, lengths):
            tokens[active, block.start : block.start + len(block.tokens)] = block.tokens[:, rows, slots].T
        return tokens

    def _attach_weights(self, texts: list[Hypothesis], endings: Endings, own_lengths: list[int]) -> None:
        """Give each of N hypotheses its own attention over its own source positions."""
        traced: list[list[npt.NDArray[Any]]] = [[] for _ in texts]  # from the last position to the first
        for block, active, rows, _, parents in self._walk(*endings[:3]):
            assert block.weights is not None
            for n, row in zip(active.tolist(), block.weights[rows, parents], strict=True):
                traced[n].append(row[: own_lengths[n]])
        for hypothesis, reversed_rows, own_length in zip(texts, traced, own_lengths, strict=True):
            own_rows = reversed_rows[::-1][: len(hypothesis.tokens)]
            hypothesis.weights = np.stack(own_rows) if own_rows else np.zeros((0, own_length), dtype=np.float32)

    def _walk(self, sentences: Ints, places: Ints, lengths: Ints) -> Iterator[_Visit]:
        """Follow N back-pointers from the last position to the first, block by block."""
        slots = places.copy()
        for block in reversed(self._blocks):
            active = (lengths > block.start).nonzero()[0]
            if len(active):
                rows, here = block.rows[sentences[active]], slots[active]
                before = here if block.parents is None else block.parents[rows, here]
                yield _Visit(block, active, rows, here, before)
                slots[active] = before
