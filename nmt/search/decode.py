"""decode: search as the options say, greedily or with a beam."""

from collections.abc import Sequence

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Array, Constraints, Hypothesis, StepModel
from nmt.search.options import SearchOptions


def decode(
    model: StepModel,
    source: Array,
    lengths: Array,
    *,
    max_lengths: Array | Sequence[int],
    options: SearchOptions,
    constraints: Sequence[Constraints] = (),
) -> list[list[Hypothesis]]:
    """Translate a batch; see `nmt.search.beam.beam_search`, whose result with one place greedy search gives too."""
    search = greedy_search if options.beam_size == 1 else beam_search
    return search(model, source, lengths, max_lengths=max_lengths, options=options, constraints=constraints)
