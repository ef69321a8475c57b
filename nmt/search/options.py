"""SearchOptions: all that a search can be told, in one value."""

from dataclasses import dataclass, field

from nmt.search.distribution import Sampling
from nmt.search.processors import Processor
from nmt.search.rules import Rule
from nmt.search.scores import LengthNormalizer
from nmt.search.terms import TermSpelling


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search; made once, and handed down whole.

    Its numbers are in the ranges of `nmt.config.search.SearchConfig`, which the translator checks.
    """

    bos_id: int
    """what the first step reads"""
    eos_id: int
    """what ends a hypothesis"""
    beam_size: int = 1
    """places of the beam; 1 is greedy; with sampling: how many outputs are drawn"""
    n_best: int = 1
    """how many hypotheses are wanted of each sentence"""
    normalizer: LengthNormalizer = field(default_factory=LengthNormalizer)
    """how hypotheses of different lengths are compared"""
    rules: tuple[Rule, ...] = ()
    """what may be emitted, see nmt.search.rules"""
    processors: tuple[Processor, ...] = ()
    """what changes scores before the best are chosen, see nmt.search.processors"""
    terms: TermSpelling | None = None
    """says how far required terms are written, by which a beam shares out its places; None: no term is required"""
    sampling: Sampling | None = None
    """how outputs are drawn; None: the best are searched for"""
    with_weights: bool = False
    """attach attention weights to hypotheses, if the model has any"""
