"""decode: search as the options say, greedily or with a beam."""

from collections.abc import Sequence

from nmt.search.arrays import Ints
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints, Hypothesis, StepModel
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper


def decode(
    model: StepModel,
    source: Ints,
    lengths: Ints,
    *,
    max_lengths: Sequence[int] | Ints,
    options: SearchOptions,
    constraints: Sequence[Constraints] = (),
) -> list[list[Hypothesis]]:
    """Translate a batch.

    Args:
        model: what scores the next token.
        source: (B, S) source ids.
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
    search = greedy_search if options.beam_size == 1 else beam_search
    return search(Stepper(model, source, lengths, max_lengths=max_lengths, options=options, constraints=constraints))
