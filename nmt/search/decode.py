"""decode: search as the options say, greedily or with a beam."""

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Hypothesis
from nmt.search.stepper import Stepper


def decode(stepper: Stepper) -> list[list[Hypothesis]]:
    """Translate the batch of a stepper.

    Returns:
        for each sentence of the batch, in order, one to n_best hypotheses, all different. The finished ones come
        first, then those cut. Each group is ordered by score, the best first; of equals, the one that ended first.

    Raises:
        RunError: the model's scores are not numbers.
    """
    return greedy_search(stepper) if stepper.options.beam_size == 1 else beam_search(stepper)
