"""Greedy search: the best token, position after position. What beam search with one place finds, by a shorter way."""

import numpy as np

from nmt.search.interface import Hypothesis
from nmt.search.stepper import Stepper

_PATIENCE = 6
"""Drop finished sentences once they are a sixth of the batch. Each that stays costs a part of a step, and so does
copying the states of the others."""


def greedy_search(stepper: Stepper) -> list[list[Hypothesis]]:
    """Translate a batch by taking the best token at every position, of equals the one with the lowest id."""
    with stepper.without_gradients():
        # 1. Begin with the sentences that may take a step at all.
        frontier, state = stepper.start()
        while state is not None:
            # 2. Take the best token of every sentence, at many positions or at one.
            enough = -(-len(frontier.sentences) // _PATIENCE)
            growth = stepper.take_many(frontier, state, width=1, enough=enough)
            growth = growth or stepper.take_one(frontier, state, count=1)

            # 3. What ended, reached its limit or was left nothing to take goes to the pool.
            frontier, state = stepper.collect(frontier, growth), growth.state

            # 4. Finished sentences leave once they are enough.
            stay = frontier.live[:, 0]
            if len(stay) - np.count_nonzero(stay) >= enough:
                frontier, state = stepper.keep(frontier, growth, stay)

    # 5. Read the hypotheses backwards.
    return stepper.hypotheses()
