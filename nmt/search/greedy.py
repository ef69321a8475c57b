"""Greedy search: the best token, position after position. What beam search with one place finds, by a shorter way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Bools, Floats, Ints, operations_for, to_host
from nmt.search.candidates import Prefix, Rule, best_candidates, forbidden_ahead, in_question
from nmt.search.interface import Ahead, Array, Hypothesis, State, StepModel
from nmt.search.scores import LengthNormalizer

_PATIENCE = 6
"""Sentences that have ended leave once they are one of so many: to copy what the others need costs these a part of a
step, and so does each that stays (docs/RESULTS.md)."""


def greedy_search(
    model: StepModel,
    source: Array,
    lengths: Array,
    *,
    max_lengths: Array | Sequence[int],
    bos_id: int,
    eos_id: int,
    length_penalty: float = 1.0,
    normalization: str = "average",
    rules: Sequence[Rule] = (),
    with_weights: bool = False,
) -> list[Hypothesis]:
    """Translate a batch by taking the best token of every step, of equals the one with the lowest id.

    A model that looks ahead (`nmt.search.interface.LooksAhead`) takes many positions at once as long as the rules allow
    all that it takes; where they do not, and for attention weights, it takes steps.

    Args:
        model: what scores the next token.
        source: (B, S) source ids, a torch tensor or a NumPy array: the model takes and gives arrays of that kind.
        lengths: (B,) how many of the S are the sentence's own.
        max_lengths: (B,) for each sentence, the most target positions it may take, that of EOS included. One that
            has not ended by then is cut: unfinished, with so many tokens and no EOS; so is one to which the rules
            leave no token at all.
        bos_id: what the first step reads.
        eos_id: what ends a hypothesis.
        length_penalty: only shapes `score`, see nmt.search.scores; as does `normalization`.
        normalization: "gnmt" or "average".
        rules: what may be emitted, see nmt.search.rules.
        with_weights: attach attention weights, if the model has any.

    Returns:
        one hypothesis a sentence, in the order of the batch.

    Raises:
        ConfigError: an option is impossible.
        RunError: the model's scores are not numbers.
    """
    normalizer = LengthNormalizer(length_penalty, normalization)
    batch_size = len(source)
    limits = to_host(max_lengths).reshape(batch_size)
    operations = operations_for(source)
    path = _Path(batch_size)
    taken, log_probs = np.zeros(batch_size, dtype=np.int64), np.zeros(batch_size)
    finished = np.zeros(batch_size, dtype=np.bool_)
    look_ahead = None if with_weights else getattr(model, "look_ahead", None)

    with operations.without_gradients():
        # 1. Begin with the sentences that may take a step at all.
        here = np.flatnonzero(limits > 0)
        previous, so_far = np.full((len(here), 1), bos_id), np.zeros((len(here), 1))
        gone = np.zeros(len(here), dtype=np.bool_)
        if len(here):
            state: State = model.start(source, lengths)
            if len(here) < batch_size:
                state = state.keep(operations.from_host(here))
        while len(here):
            # 2. Take the best token of every sentence, at many positions where model and rules allow that, or at one.
            block, enough = None, -(-len(here) // _PATIENCE)
            before = operations.from_host(previous)
            if look_ahead is not None:
                most = int(limits[here[~gone]].min()) - path.length
                ahead = look_ahead(
                    before, state, log_probs=so_far, width=1, most=most, eos_id=eos_id, ended=gone, enough=enough
                )
                if ahead is not None and _is_allowed(ahead, here, gone, path, rules=rules, eos_id=eos_id):
                    block, after = _Block(here, ahead.tokens[..., 0].T, ahead.log_probs[..., 0].T, None), ahead.state
                elif ahead is not None:
                    look_ahead = None
            if block is None:
                step = model.step(before, state, with_weights=with_weights)
                prefix = Prefix(here, path.length, partial(path.prefixes, here))
                best = best_candidates(step, so_far, 1, rules=rules, prefix=prefix, operations=operations)
                weights = operations.to_host(step.weights) if with_weights and step.weights is not None else None
                block, after = _Block(here, best.tokens, best.log_probs, weights), step.state

            # 3. Note those that ended, reached their limit or were left nothing to take; these as they were.
            stuck = block.log_probs == -np.inf
            ending = (block.tokens == eos_id) | stuck
            ending[:, -1] |= limits[here] <= path.length + ending.shape[1]
            ending[gone] = False
            if np.count_nonzero(ending):  # of few a fifth of the time that any() takes
                rows = np.flatnonzero(ending.any(1))
                at = ending[rows].argmax(1)
                ended, left_out = here[rows], stuck[rows, at]
                taken[ended] = path.length + at + 1 - left_out
                log_probs[ended] = np.where(left_out, so_far[rows, 0], block.log_probs[rows, at])
                finished[ended] = (block.tokens[rows, at] == eos_id) & ~left_out
                gone[rows] = True
            path.append(block)
            state, previous, so_far = after, block.tokens[:, -1:], block.log_probs[:, -1:]

            # 4. They leave once they are enough.
            if np.count_nonzero(gone) >= enough:
                stay = np.flatnonzero(~gone)
                here, previous, so_far, gone = here[stay], previous[stay], so_far[stay], gone[stay]
                if len(stay):
                    state = state.keep(operations.from_host(stay))

    scores = normalizer.score(log_probs, taken).tolist()
    hypotheses = [
        Hypothesis(tokens[: count - ended].tolist(), log_prob, score, ended)  # without EOS
        for tokens, count, log_prob, score, ended in zip(
            path.tokens(), taken.tolist(), log_probs.tolist(), scores, finished.tolist(), strict=True
        )
    ]
    if with_weights:
        path.attach_weights(hypotheses, to_host(lengths).tolist())
    return hypotheses


class _Block(NamedTuple):
    """T positions that the sentences (B',) took which were still here."""

    sentences: Ints
    """rows of the caller's batch"""
    tokens: Ints
    """(B', T)"""
    log_probs: Floats
    """(B', T) of the hypotheses up to each, -inf where the rules left nothing to take"""
    weights: npt.NDArray[Any] | None
    """(B', T, S)"""


class _Path:
    """What the sentences of a batch have taken, block by block; without back-pointers, since there is one place."""

    def __init__(self, batch_size: int) -> None:
        self.length = 0
        self._batch_size, self._blocks = batch_size, list[_Block]()

    def append(self, block: _Block) -> None:
        """Add what was taken last."""
        self._blocks.append(block)
        self.length += block.tokens.shape[1]

    def tokens(self) -> Ints:
        """Return all tokens, (B, T); what lies behind a sentence's end is nobody's."""
        tokens = np.zeros((self._batch_size, self.length), dtype=np.int64)
        end = 0
        for block in self._blocks:
            start, end = end, end + block.tokens.shape[1]
            tokens[block.sentences, start:end] = block.tokens
        return tokens

    def prefixes(self, sentences: Ints) -> Ints:
        """Return what these sentences (B',) have taken, (B', 1, T), for rules."""
        return self.tokens()[sentences, None]

    def attach_weights(self, hypotheses: Sequence[Hypothesis], source_lengths: Sequence[int]) -> None:
        """Give each hypothesis its own attention, if the model has any."""
        found: list[list[npt.NDArray[Any]]] = [[] for _ in hypotheses]
        for block in self._blocks:
            if block.weights is None:
                return
            for sentence, weights in zip(block.sentences.tolist(), block.weights, strict=True):
                found[sentence].extend(weights[:, : source_lengths[sentence]])
        for hypothesis, rows, length in zip(hypotheses, found, source_lengths, strict=True):
            kept = rows[: len(hypothesis.tokens)]
            hypothesis.weights = np.stack(kept) if kept else np.zeros((0, length), dtype=np.float32)


def _is_allowed(ahead: Ahead, here: Ints, gone: Bools, path: _Path, *, rules: Sequence[Rule], eos_id: int) -> bool:
    """Tell whether what a model took ahead can stay: all of it by the rules, and if its scores are numbers.

    What it took after the end of a sentence matters to nobody.
    """
    if not np.isfinite(ahead.log_probs[-1]).all():
        return False
    rules = in_question(rules, ahead, path.length)
    if not rules:
        return True
    for position in range(len(ahead.tokens)):

        def read(position: int = position) -> Ints:
            return np.concatenate([path.prefixes(here), ahead.tokens[:position, :, 0].T[:, None]], axis=2)

        prefix = Prefix(here, path.length + position, read)
        forbidden = forbidden_ahead(ahead, position, rules=rules, prefix=prefix)
        if forbidden is not None:
            ended = gone | (ahead.tokens[:position, :, 0] == eos_id).any(0)
            if (forbidden & ~ended).any():
                return False
    return True
