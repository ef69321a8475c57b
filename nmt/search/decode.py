"""decode: search as the options say, greedily, with a beam or by sampling."""

from collections.abc import Sequence

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Hypothesis
from nmt.search.sampling import Draw, draw_outputs
from nmt.search.stepper import Stepper


def decode(stepper: Stepper, draws: Sequence[Draw] = ()) -> list[list[Hypothesis]]:
    """Translate the batch of a stepper.

    Args:
        stepper: of the batch.
        draws: with sampling, what the random numbers of each sentence depend on.

    Returns:
        for each sentence of the batch, in order, one to n_best hypotheses, all different. The finished ones come
        first, then those cut. Each group is ordered by score, the best first; of equals, the one that ended first.
        Samples come in the order of their numbers, and may be equal.

    Raises:
        RunError: the model's scores are not numbers.
    """
    if stepper.options.sampling is not None:
        return draw_outputs(stepper, draws)
    return greedy_search(stepper) if stepper.options.beam_size == 1 else beam_search(stepper)
