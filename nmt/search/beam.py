"""Beam search: the K best prefixes of every sentence, extended side by side.

Shapes: B' sentences that are still here, K places of each (which varies from step to step).
"""

import numpy as np

from nmt.search.arrays import Bools, Floats, Ints
from nmt.search.frontier import Frontier
from nmt.search.interface import Hypothesis
from nmt.search.stepper import Stepper


def beam_search(stepper: Stepper) -> list[list[Hypothesis]]:
    """Translate a batch by keeping the best prefixes of every sentence, as many as the beam has places.

    A hypothesis that ends keeps its place, so each end narrows the beam by one. It counts as an end only if it is among
    the best continuations of its step, as many as places are live. A sentence is done when no place is live, or when
    no live hypothesis can reach the score of its n-th best finished one. A search without this shortcut gives the same
    result. Of equal continuations the one from the lower place, then with the lower id, comes first.
    """
    beam_size = stepper.options.beam_size
    with stepper.without_gradients():
        # 1. Begin with one place for each sentence that may take a step at all.
        frontier, state = stepper.start()
        while state is not None:
            # 2. Take the best continuations of every sentence, as many as it has places that have not ended.
            widths = beam_size - stepper.pool.counts[frontier.sentences]
            growth = None
            if widths.min() == beam_size:  # until something ends, perhaps many positions at once
                growth = stepper.take_many(frontier, state, width=beam_size, enough=1)
            if growth is None:
                growth = stepper.take_one(frontier, state, count=int(widths.max()))
                growth = growth._replace(totals=_narrowed(growth.totals, widths))

            # 3. What ended or was cut goes to the pool, and leaves its place empty.
            frontier = stepper.collect(frontier, growth)

            # 4. The sentences that are done leave, and the state follows the places of the others.
            frontier, state = stepper.keep(frontier, growth, ~_settled(frontier, stepper))

    # 5. Read the best of each pool backwards.
    return stepper.hypotheses()


def _narrowed(totals: Floats, widths: Ints) -> Floats:
    """Empty the places beyond each sentence's width: totals (1, B', K'), widths (B',).

    All prefixes are of one length here, so that total and score rank them alike.
    """
    if widths.min() >= totals.shape[2]:
        return totals
    return np.where(np.arange(totals.shape[2]) < widths[:, None], totals, -np.inf)


def _settled(frontier: Frontier, stepper: Stepper) -> Bools:
    """Tell which sentences (B',) are done: no live hypothesis can still score above their n-th best finished one.

    With fewer than n finished that score is -inf, and so is the bound where nothing is live.
    """
    best, nth_best = frontier.totals.max(1), stepper.pool.nth_best[frontier.sentences]
    if nth_best.max() == -np.inf:
        return np.asarray(best == -np.inf)
    most = best + np.where(best > -np.inf, stepper.most_added(frontier), 0.0)
    limits = stepper.limits[frontier.sentences]
    reachable = stepper.options.normalizer.bound(most, frontier.length + 1, limits)
    return np.asarray(reachable <= nth_best)
