"""From the search settings of a model to the one value that every search is told."""

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.search.distribution import Sampling
from nmt.search.options import SearchOptions
from nmt.search.processors import ForcedPrefix, RequiredMarks
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram, OwnMarks, Rule
from nmt.search.scores import LengthNormalizer
from nmt.search.terms import FavouredTerms, RequiredTerms, TermSpelling
from nmt.text.subwords import SPACE, SubwordModel
from nmt.text.terms import count_words
from nmt.translation.prefixes import PrefixReader

_SAMPLED = 8
"""Copies of a step's scores that sampling needs, in units of single precision."""


def search_options(subwords: SubwordModel, search: SearchConfig, *, n_best: int, with_weights: bool) -> SearchOptions:
    """Make the options of every search from the settings."""
    spelling = TermSpelling(lambda: subwords.pieces, space=SPACE, eos_id=subwords.eos_id, count=count_words)
    return SearchOptions(
        bos_id=subwords.bos_id,
        eos_id=subwords.eos_id,
        beam_size=n_best if search.sample else search.beam_size,
        n_best=n_best,
        normalizer=LengthNormalizer(search.length_penalty, str(search.normalization)),
        rules=_rules(subwords, search),
        processors=(
            FavouredTerms(spelling),
            ForcedPrefix(),
            PrefixReader(subwords).end,
            RequiredMarks(eos_id=subwords.eos_id),
            RequiredTerms(spelling),
        ),
        terms=spelling,
        sampling=Sampling(search.temperature, search.top_k, search.top_p, search.seed) if search.sample else None,
        with_weights=with_weights,
    )


def require_places(search: SearchConfig, n_best: int) -> None:
    """Raise ConfigError where so many hypotheses of each line are impossible; samples may be any number."""
    places, name, what = search.beam_size, "beam_size", "the beam size"
    if search.mbr_samples:
        places, name, what = search.mbr_samples, "mbr_samples", "the number of samples"
    if n_best < 1 or (n_best > places and not search.sample):
        raise ConfigError(f"n_best={n_best} is not possible with {name}={places}: it must be between 1 and {what}")


def scores_of_a_step(options: SearchOptions, vocabulary: int) -> int:
    """Count the floats that a step computes for each line, for `nmt.translation.batching.cut_batches`."""
    return options.beam_size * vocabulary * (_SAMPLED if options.sampling else 1)


def _rules(subwords: SubwordModel, search: SearchConfig) -> tuple[Rule, ...]:
    """List what may be emitted: text, and its end after one subword at least, since no sentence translates to nothing.

    The unknown symbol is forbidden too, because it decodes to nothing. The second-best subword, which a reader sees, is
    always better.
    """
    special = [subwords.pad_id, subwords.unk_id, subwords.bos_id]
    forbidden = Forbidden([*special, *subwords.control_ids, *subwords.language_ids])
    rules: list[Rule] = [forbidden, MinimumLength(max(1, search.min_length), eos_id=subwords.eos_id)]
    if subwords.mark_ids:
        rules.append(OwnMarks(subwords.mark_ids))
    if search.no_repeat_ngram:
        rules.append(NoRepeatNgram(search.no_repeat_ngram))
    return tuple(rules)
