"""Greedy search: the best token, step after step. What beam search with one place finds, by a shorter way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from nmt.search.arrays import operations_for, to_host
from nmt.search.candidates import Prefix, Rule, best_candidates
from nmt.search.history import Endings, History
from nmt.search.interface import Array, Hypothesis, State, StepModel
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
    history = History(batch_size)
    taken, log_probs = np.zeros(batch_size, dtype=np.int64), np.zeros(batch_size)
    finished = np.zeros(batch_size, dtype=np.bool_)

    with operations.without_gradients():
        # 1. Begin with the sentences that may take a step at all.
        here, length = np.flatnonzero(limits > 0), 0
        previous, so_far = np.full((len(here), 1), bos_id), np.zeros((len(here), 1))
        if len(here):
            shortest = limits[here].min()
            state: State = model.start(source, lengths)
            if len(here) < batch_size:
                state = state.keep(operations.from_host(here))
        gone = np.zeros(len(here), dtype=np.bool_)
        while len(here):
            # 2. Score the next token of every sentence and take the best.
            step = model.step(operations.from_host(previous), state, with_weights=with_weights)
            prefix = Prefix(here, length, partial(history.prefixes, here, 1))
            best = best_candidates(step, so_far, 1, rules=rules, prefix=prefix, operations=operations)
            weights = operations.to_host(step.weights) if with_weights and step.weights is not None else None
            history.append(here, best.parents, best.tokens, weights)
            state, previous, length = step.state, best.tokens, length + 1

            # 3. Note those that ended, reached their limit or were left nothing to take; these as they were.
            stuck = best.log_probs[:, 0] == -np.inf
            ending = (best.tokens[:, 0] == eos_id) | stuck
            if length >= shortest:
                ending |= limits[here] <= length
            ending &= ~gone
            if np.count_nonzero(ending):  # of few a fifth of the time that any() takes
                ended, left_out = here[ending], stuck[ending]
                taken[ended] = length - left_out
                log_probs[ended] = np.where(left_out, so_far[ending, 0], best.log_probs[ending, 0])
                finished[ended] = (best.tokens[ending, 0] == eos_id) & ~left_out
                gone |= ending
            so_far = best.log_probs

            # 4. They leave once they are enough.
            if np.count_nonzero(gone) * _PATIENCE >= len(here):
                stay = np.flatnonzero(~gone)
                here, previous, so_far = here[stay], previous[stay], so_far[stay]
                gone = np.zeros(len(here), dtype=np.bool_)
                if len(stay):
                    shortest = limits[here].min()
                    state = state.keep(operations.from_host(stay))

    scores = normalizer.score(log_probs, taken)
    everyone = np.arange(batch_size)
    endings = Endings(everyone, np.zeros_like(everyone), taken, log_probs, scores, finished)
    return history.hypotheses(endings, to_host(lengths) if with_weights else None)
