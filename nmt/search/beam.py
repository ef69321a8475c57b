"""Beam search: the K best prefixes of every sentence, extended side by side.

Shapes: B sentences of the batch, B' those that are still here, K places of each (which varies from step to step).
"""

from collections.abc import Sequence

import numpy as np

from nmt.search.arrays import Bools, Floats, Ints, operations_for, to_host
from nmt.search.frontier import Frontier, Growth, Pool
from nmt.search.history import History
from nmt.search.interface import Array, Constraints, Hypothesis, StepModel
from nmt.search.options import SearchOptions
from nmt.search.scores import LengthNormalizer
from nmt.search.stepper import Stepper


def beam_search(
    model: StepModel,
    source: Array,
    lengths: Array,
    *,
    max_lengths: Array | Sequence[int],
    options: SearchOptions,
    constraints: Sequence[Constraints] = (),
) -> list[list[Hypothesis]]:
    """Translate a batch by keeping the best prefixes of every sentence, as many as the beam has places.

    A hypothesis that ends keeps its place, so each end narrows the beam by one. It counts as an end only if it is among
    the best continuations of its step, as many as places are live. A sentence is done when no place is live, or when
    no live hypothesis can reach the score of its n-th best finished one. A search without this shortcut gives the same
    result. Of equal continuations the one from the lower place, then with the lower id, comes first.

    Args:
        model: what scores the next token.
        source: (B, S) source ids, a torch tensor or a NumPy array: the model takes and gives arrays of that kind.
        lengths: (B,) how many of the S are the sentence's own.
        max_lengths: (B,) for each sentence, the most target positions it may take, that of EOS included. What is live
            then is cut: unfinished, with so many tokens and no EOS. So is what the rules leave no token at all.
        options: how to search.
        constraints: what each sentence is held to; empty where none is.

    Returns:
        for each sentence of the batch, in order, one to n_best hypotheses, all different. The finished ones come
        first, then those cut. Each group is ordered by score, the best first; of equals, the one that ended first.

    Raises:
        RunError: the model's scores are not numbers.
    """
    limits = to_host(max_lengths).reshape(len(source))
    operations = operations_for(source)
    history, pool = History(len(source)), Pool(len(source), options)
    stepper = Stepper(model, options, constraints, operations)

    with operations.without_gradients():
        # 1. Begin with one place for each sentence that may take a step at all.
        frontier, state = stepper.start(source, lengths, limits, pool)
        while state is not None:
            # 2. Take the best continuations of every sentence, as many as it has places that have not ended.
            widths = options.beam_size - pool.counts[frontier.sentences]
            growth = None
            if widths.min() == options.beam_size:  # until something ends, perhaps many positions at once
                nobody = np.zeros(len(widths), dtype=np.bool_)
                growth = stepper.take_many(
                    frontier, state, history, width=options.beam_size, limits=limits, ended=nobody, enough=1
                )
            if growth is None:
                growth = stepper.take_one(frontier, state, history, count=int(widths.max()))
                growth = growth._replace(totals=_narrowed(growth.totals, widths))
            history.append(frontier.sentences, growth, places=frontier.tokens.shape[1])

            # 3. What ended or was cut goes to the pool, and leaves its place empty.
            frontier = _collect(frontier, growth, pool, eos_id=options.eos_id)
            at_limit = limits[frontier.sentences] <= frontier.length
            if np.count_nonzero(at_limit):
                pool.add(frontier, frontier.live & at_limit[:, None], finished=False)

            # 4. The sentences that are done leave, and the state follows the places of the others.
            more = stepper.most_added(frontier)
            stay = ~(at_limit | _settled(frontier, pool, limits, options.normalizer, more))
            frontier = frontier.keep(stay)
            state = stepper.follow(growth, stay) if len(frontier.sentences) else None

    # 5. Read the best of each pool backwards.
    return history.hypotheses(pool.best(), to_host(lengths) if options.with_weights else None)


def _narrowed(totals: Floats, widths: Ints) -> Floats:
    """Empty the places beyond each sentence's width: totals (1, B', K'), widths (B',).

    All prefixes are of one length here, so that total and score rank them alike.
    """
    if widths.min() >= totals.shape[2]:
        return totals
    return np.where(np.arange(totals.shape[2]) < widths[:, None], totals, -np.inf)


def _collect(before: Frontier, growth: Growth, pool: Pool, *, eos_id: int) -> Frontier:
    """Put what ended into the pool; return the frontier after it, with their places empty."""
    frontier = before.after(growth)
    live = frontier.live
    if np.count_nonzero(live) < live.size and len(growth.tokens) == 1:
        # Where the rules leave no token to any prefix of a sentence, these are cut as they were.
        pool.add(before, before.live & ~live.any(1, keepdims=True), finished=False)
    ended = live & (frontier.tokens == eos_id)
    if not np.count_nonzero(ended):  # for small arrays a fifth of the time of any()
        return frontier
    pool.add(frontier, ended, finished=True)
    return frontier._replace(totals=np.where(ended, -np.inf, frontier.totals))


def _settled(frontier: Frontier, pool: Pool, limits: Ints, normalizer: LengthNormalizer, more: Floats | float) -> Bools:
    """Tell which sentences (B',) are done: no live hypothesis can still score above their n-th best finished one.

    With fewer than n finished that score is -inf, and so is the bound where nothing is live. `more` is the most that
    processors may still add.
    """
    best, nth_best = frontier.totals.max(1), pool.nth_best[frontier.sentences]
    if nth_best.max() == -np.inf:
        return np.asarray(best == -np.inf)
    most = best + np.where(best > -np.inf, more, 0.0)
    reachable = normalizer.bound(most, frontier.length + 1, limits[frontier.sentences])
    return np.asarray(reachable <= nth_best)
