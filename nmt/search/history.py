"""Back-pointers: what every step chose and from which place, read backwards when the hypotheses are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Floats, Ints
from nmt.search.interface import Hypothesis


class Endings(NamedTuple):
    """Where N hypotheses ended or were cut, and what they are worth; each field is (N,)."""

    sentences: Ints
    """Rows of the caller's batch."""
    places: Ints
    """The place each stood in when it ended."""
    lengths: Ints
    """Target positions, that of EOS included."""
    log_probs: Floats
    scores: Floats
    finished: npt.NDArray[np.bool_]


class _Choice(NamedTuple):
    """What one step chose, for the sentences (B',) that were still there."""

    rows: Ints
    """(B,) the row of each sentence of the whole batch; 0 for those that had left."""
    parents: Ints
    """(B', K') the place before the step that each place after it continues."""
    tokens: Ints
    """(B', K')"""
    weights: npt.NDArray[Any] | None
    """(B', K, S) the attention of the places before the step."""


class History:
    """The choices of a search over B sentences, step by step: nothing is copied from place to place."""

    def __init__(self, batch_size: int) -> None:
        self._choices: list[_Choice] = []
        self._rows = np.zeros(batch_size, dtype=np.int64)
        self._sentences: Ints | None = None

    def append(self, sentences: Ints, parents: Ints, tokens: Ints, weights: npt.NDArray[Any] | None) -> None:
        """Add a step: the sentences (B',) that took it, parents and tokens (B', K'), weights (B', K, S) or None.

        As long as no sentence leaves, the very same `sentences` save work.
        """
        if sentences is not self._sentences:
            self._sentences = sentences
            self._rows = np.zeros_like(self._rows)
            self._rows[sentences] = np.arange(len(sentences))
        self._choices.append(_Choice(self._rows, parents, tokens, weights))

    def take_back(self, steps: int) -> None:
        """Forget the last steps, of the sentences that are still here."""
        del self._choices[len(self._choices) - steps :]

    def prefixes(self, sentences: Ints, places: int) -> Ints:
        """Read all that these sentences (B',) have emitted in their K current places: (B', K, T)."""
        length = len(self._choices)
        owners, slots = np.repeat(sentences, places), np.tile(np.arange(places), len(sentences))
        tokens = self._tokens(owners, slots, np.full_like(owners, length))
        return tokens.reshape(len(sentences), places, length)

    def hypotheses(self, endings: Endings, source_lengths: Ints | None) -> list[Hypothesis]:
        """Read N hypotheses, all together; source_lengths (B,) asks for their attention, cut to these lengths."""
        tokens = self._tokens(endings.sentences, endings.places, endings.lengths)
        values = zip(*(column.tolist() for column in endings[2:]), strict=True)
        hypotheses = [
            Hypothesis(row[: length - finished].tolist(), log_prob, score, finished)  # without EOS
            for row, (length, log_prob, score, finished) in zip(tokens, values, strict=True)
        ]
        if source_lengths is not None and all(choice.weights is not None for choice in self._choices):
            own_lengths = source_lengths[endings.sentences].tolist()
            weights = self._weights(endings, own_lengths)
            for hypothesis, rows, own_length in zip(hypotheses, weights, own_lengths, strict=True):
                kept = rows[: len(hypothesis.tokens)]
                hypothesis.weights = np.stack(kept) if kept else np.zeros((0, own_length), dtype=np.float32)
        return hypotheses

    def _tokens(self, sentences: Ints, places: Ints, lengths: Ints) -> Ints:
        """Read N prefixes (N, T), T the greatest length; what lies beyond a prefix' own length is 0."""
        tokens = np.zeros((len(sentences), int(lengths.max(initial=0))), dtype=np.int64)
        for position, active, rows, slots, _ in self._walk(sentences, places, lengths):
            tokens[active, position] = self._choices[position].tokens[rows, slots]
        return tokens

    def _weights(self, endings: Endings, own_lengths: list[int]) -> list[list[npt.NDArray[Any]]]:
        """Read the attention of N hypotheses: for each, in the order of its tokens, rows (own source length,)."""
        traced: list[list[npt.NDArray[Any]]] = [[] for _ in own_lengths]
        for position, active, rows, _, parents in self._walk(*endings[:3]):
            weights = self._choices[position].weights
            assert weights is not None
            for n, row in zip(active.tolist(), weights[rows, parents], strict=True):
                traced[n].append(row[: own_lengths[n]])
        return [rows[::-1] for rows in traced]

    def _walk(self, sentences: Ints, places: Ints, lengths: Ints) -> Iterator[tuple[int, Ints, Ints, Ints, Ints]]:
        """Follow N back-pointers from the last step to the first.

        Yields, for every position: the position, which of the N reach it (M,), and for these (M,) the rows in the
        arrays of that step, the places after it and the places before it.
        """
        slots = places.copy()
        for position in range(int(lengths.max(initial=0)) - 1, -1, -1):
            choice = self._choices[position]
            active = (lengths > position).nonzero()[0]
            rows = choice.rows[sentences[active]]
            parents = choice.parents[rows, slots[active]]
            yield position, active, rows, slots[active], parents
            slots[active] = parents
