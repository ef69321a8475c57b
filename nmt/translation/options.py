"""From the search settings of a model to the one value that every search is told."""

from nmt.config.search import SearchConfig
from nmt.search.options import SearchOptions
from nmt.search.processors import ForcedPrefix
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram, Rule
from nmt.search.scores import LengthNormalizer
from nmt.text.subwords import SubwordModel


def search_options(subwords: SubwordModel, search: SearchConfig, *, n_best: int, with_weights: bool) -> SearchOptions:
    """Make the options of every search from the settings."""
    return SearchOptions(
        bos_id=subwords.bos_id,
        eos_id=subwords.eos_id,
        beam_size=search.beam_size,
        n_best=n_best,
        normalizer=LengthNormalizer(search.length_penalty, str(search.normalization)),
        rules=_rules(subwords, search),
        processors=(ForcedPrefix(),),
        with_weights=with_weights,
    )


def _rules(subwords: SubwordModel, search: SearchConfig) -> tuple[Rule, ...]:
    """List what may be emitted: text, and its end after one subword at least, since no sentence translates to nothing.

    The unknown symbol is forbidden too, because it decodes to nothing. The second-best subword, which a reader sees, is
    always better.
    """
    forbidden = Forbidden([subwords.pad_id, subwords.unk_id, subwords.bos_id, *subwords.control_ids])
    rules = (forbidden, MinimumLength(1, eos_id=subwords.eos_id))
    return (*rules, NoRepeatNgram(search.no_repeat_ngram)) if search.no_repeat_ngram else rules
