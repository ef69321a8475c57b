"""Kinds of training text: pairs that are written otherwise than the validation text have a control symbol.

What a model learns of one spelling helps it with another, and the symbol keeps the two apart (as the domains of Kobus
et al. 2017). Without the symbol it writes as the validation text does.
"""

from collections.abc import Sequence
from dataclasses import replace

from nmt.config.corpus import UNLIKE_TAG
from nmt.corpus.likeness import find_unlike
from nmt.corpus.mixture import Part
from nmt.runs.log import LOG
from nmt.text.vocabulary import Vocabulary
from nmt.training.texts import ScoredTexts, TrainingText


def with_unlike_marked(
    parts: Sequence[Part], texts: Sequence[TrainingText], valid: ScoredTexts, *, source: Vocabulary, target: Vocabulary
) -> list[Part]:
    """Mark the pairs of each language pair whose targets are written otherwise than those of its validation text.

    Args:
        parts: the encoded texts.
        texts: what each of them is.
        valid: the validation text of each language pair.
        source: vocabulary, which has the control symbol.
        target: vocabulary.
    """
    marked = list(parts)
    for pair, text in valid.items():
        text_numbers = [number for number, each in enumerate(texts) if each.pair == pair]
        rows = target.encode_batch(list(text.target))
        likeness = find_unlike(
            [parts[number].corpus.target for number in text_numbers], rows, vocabulary=target.vocabulary_size
        )
        if not likeness.tells_apart:
            continue
        LOG.info(
            f"{1 - likeness.like:.0%} of the training pairs{f' of {pair}' if pair else ''} have targets that are "
            f"written otherwise than the validation text: they bear control symbol {UNLIKE_TAG} (corpus.tag_unlike)"
        )
        for number, unlike in zip(text_numbers, likeness.unlike, strict=True):
            marked[number] = replace(parts[number], marked=unlike, mark=source.tag_prefix(UNLIKE_TAG))
    return marked
