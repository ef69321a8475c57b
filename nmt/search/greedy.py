"""Greedy search: the best token, position after position. What beam search with one place finds, by a shorter way.

Shapes: B sentences of the batch, B' those that are still here, T positions taken at once.
"""

from collections.abc import Sequence

import numpy as np

from nmt.search.arrays import Bools, Floats, Ints, operations_for, to_host
from nmt.search.frontier import Frontier, Growth, Pool
from nmt.search.history import History
from nmt.search.interface import Array, Constraints, Hypothesis, StepModel
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper

_PATIENCE = 6
"""Drop finished sentences once they are a sixth of the batch. Each that stays costs a part of a step, and so does
copying the states of the others."""


def greedy_search(
    model: StepModel,
    source: Array,
    lengths: Array,
    *,
    max_lengths: Array | Sequence[int],
    options: SearchOptions,
    constraints: Sequence[Constraints] = (),
) -> list[list[Hypothesis]]:
    """Translate a batch by taking the best token at every position, of equals the one with the lowest id.

    Args:
        model: what scores the next token.
        source: (B, S) source ids, a torch tensor or a NumPy array: the model takes and gives arrays of that kind.
        lengths: (B,) how many of the S are the sentence's own.
        max_lengths: (B,) for each sentence, the most target positions it may take, that of EOS included. One that
            has not ended by then is cut: unfinished, with so many tokens and no EOS. So is one to which the rules
            leave no token at all.
        options: how to search, with a beam of one place.
        constraints: what each sentence is held to; empty where none is.

    Returns:
        one hypothesis for each sentence, in a list of its own, in the order of the batch.

    Raises:
        RunError: the model's scores are not numbers.
    """
    limits = to_host(max_lengths).reshape(len(source))
    operations = operations_for(source)
    history, pool = History(len(source)), Pool(len(source), options)
    stepper = Stepper(model, options, constraints, operations)

    with operations.without_gradients():
        # 1. Begin with the sentences that may take a step at all.
        frontier, state = stepper.start(source, lengths, limits, pool)
        while state is not None:
            # 2. Take the best token of every sentence, at many positions or at one.
            ended = pool.counts[frontier.sentences] > 0
            enough = -(-len(ended) // _PATIENCE)
            growth = stepper.take_many(
                frontier, state, history, width=1, limits=limits, ended=ended, enough=enough
            ) or stepper.take_one(frontier, state, history, count=1)
            history.append(frontier.sentences, growth, places=1)

            # 3. What ended, reached its limit or was left nothing to take goes to the pool.
            _collect(frontier, growth, pool, limits=limits, ended=ended, eos_id=options.eos_id)
            frontier, state = frontier.after(growth), growth.state

            # 4. Finished sentences leave once they are enough.
            stay = pool.counts[frontier.sentences] == 0
            if len(stay) - np.count_nonzero(stay) >= enough:
                frontier = frontier.keep(stay)
                state = stepper.follow(growth, stay) if len(frontier.sentences) else None

    # 5. Read the hypotheses backwards.
    return history.hypotheses(pool.best(), to_host(lengths) if options.with_weights else None)


def _collect(frontier: Frontier, growth: Growth, pool: Pool, *, limits: Ints, ended: Bools, eos_id: int) -> None:
    """Put the sentences that end inside these T positions into the pool; `ended`, (B',), has those of before."""
    tokens, totals = growth.tokens[..., 0], growth.totals[..., 0]  # (T, B')
    nothing_left = totals == -np.inf
    ending = (tokens == eos_id) | nothing_left
    ending[-1] |= limits[frontier.sentences] <= frontier.length + len(tokens)
    ending[:, ended] = False
    if not np.count_nonzero(ending):  # for small arrays a fifth of the time of any()
        return
    rows = np.flatnonzero(ending.any(0))
    at = ending[:, rows].argmax(0)
    is_left_out = nothing_left[at, rows]  # it stays as it was before
    before, after = frontier.totals[rows, 0], totals[at, rows]
    pool.add_each(
        frontier.sentences[rows],
        np.zeros_like(rows),
        frontier.length + at + 1 - is_left_out,
        np.where(is_left_out, before, after),
        _added(frontier, growth, rows, is_left_out),
        finished=(tokens[at, rows] == eos_id) & ~is_left_out,
    )


def _added(frontier: Frontier, growth: Growth, rows: Ints, is_left_out: Bools) -> Floats | None:
    """Read what processors added to the hypotheses of some rows, (N,); None: nothing to any."""
    if frontier.added is None and growth.added is None:
        return None
    nothing = np.zeros((len(frontier.sentences), 1))
    before, after = (nothing if added is None else added for added in (frontier.added, growth.added))
    return np.asarray(np.where(is_left_out, before[rows, 0], after[rows, 0]))
