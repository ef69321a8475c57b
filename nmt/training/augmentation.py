"""From a configuration to what training makes of its pairs, and to the pairs that are read in reverse."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from nmt.config.augmentation import REVERSED_TAG, AugmentationConfig
from nmt.config.pairs import LanguagePair
from nmt.corpus.augmentation import Augmentation
from nmt.corpus.filters import Filters
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.modifiers import capitals, titled
from nmt.corpus.reader import Pair
from nmt.corpus.word_links import WordLinks
from nmt.runs.log import LOG
from nmt.text.vocabulary import Vocabulary, subwords_of

Case = Callable[[str], str]
"""Writes a line in another letter case."""

_MOST_ALIGNED = 200_000
"""Pairs of each corpus whose words are aligned: memory holds all of them."""


def augmentation_of(
    config: AugmentationConfig,
    corpus: Mixture,
    *,
    pairs: Sequence[LanguagePair | None],
    limits: Filters,
    subwords: tuple[Vocabulary, Vocabulary],
) -> Augmentation | None:
    """Build what changes the pairs of a training; None where nothing does.

    Args:
        config: what is to be changed.
        corpus: the encoded texts.
        pairs: the languages of each text, those that are read in reverse aside; the words of each pair are aligned
            apart.
        limits: of length.
        subwords: of the source and of the target.

    Raises:
        CorpusError: words are to be aligned, and no pair has words on both sides.
    """
    settings = replace(config, reversed_pairs=0.0, reversed_epochs=0.0, growth_epochs=0.0)
    if settings == AugmentationConfig():
        return None
    links: list[WordLinks] = []
    if config.replaced_words or config.monotone_words:
        LOG.info("aligning the words of the training text for its augmentation")
        texts = [*zip(pairs, (part for part in corpus.parts if not part.is_reversed), strict=True)]
        learnt = {
            languages: WordLinks.learn(pair for other, part in texts if other == languages for pair in _pairs(part))
            for languages in dict.fromkeys(pairs)
        }
        links = [learnt[languages] for languages in pairs]
    source, target = map(subwords_of, subwords)
    return Augmentation(config, limits, source, target, tuple(links))


def letter_cases(config: AugmentationConfig) -> dict[Case, float]:
    """List how training writes some lines, in capitals or in title case, with the share of each."""
    shares = {str.upper: config.upper, _in_title_case: config.title}
    return {case: share for case, share in shares.items() if share}


def _in_title_case(text: str) -> str:
    return titled(text, capitals(None))


def with_cases(pairs: Iterable[Pair], cases: Mapping[Case, float]) -> Iterator[Pair]:
    """Yield all pairs, and a share of them in each letter case too, evenly spread, so that subwords are trained on all.

    Subwords that were trained without capitals spell them letter by letter, which makes lines several times as long.
    """
    for number, pair in enumerate(pairs):
        yield pair
        for case, share in cases.items():
            if int(number * share) < int((number + 1) * share):
                yield Pair(*map(case, pair))


def _pairs(part: Part) -> Sequence[Pair]:
    """Read the first pairs of a corpus."""
    rows = islice(range(len(part.corpus)), _MOST_ALIGNED)
    return [Pair(part.corpus.source.line(row), part.corpus.target.line(row)) for row in rows]


def with_reversed(config: AugmentationConfig, parts: Sequence[Part], source: Vocabulary) -> list[Part]:
    """Add each corpus once more, read from target to source behind a control symbol.

    So one model learns both directions, and after some epochs the wanted one alone (Ding et al. 2021, "Improving Neural
    Machine Translation by Bidirectional Training"; Gao et al. 2022, "Bi-SimCut").
    """
    if not config.reversed_pairs:
        return [*parts]
    until = f" in the first {config.reversed_epochs:g} epochs" if config.reversed_epochs else ""
    LOG.info(f"the training text is read from target to source too{until}")
    reversed_parts = [
        replace(
            part,
            corpus=replace(part.corpus, source=part.corpus.target, target=part.corpus.source),
            weight=part.weight * config.reversed_pairs,
            prefix=source.tag_prefix(REVERSED_TAG),
            epochs=config.reversed_epochs,
            is_reversed=True,
            marked=None,
        )
        for part in parts
    ]
    return [*parts, *reversed_parts]
