"""How much of the training each language pair gets: in proportion to n^(1/T) of its n sentence pairs.

The method is that of Arivazhagan et al. (2019, "Massively Multilingual Neural Machine Translation in the Wild: Findings
and Challenges", section 4.2). T=1 takes the texts as they are, a large T all pairs alike. The text of the subword model
is sampled so too, by language.
"""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from nmt.config.pairs import LanguagePair
from nmt.corpus.distinct import distinct_pairs
from nmt.corpus.encoding import EncodedCorpus
from nmt.corpus.filters import is_held_out
from nmt.corpus.reader import Pair, read_pairs
from nmt.runs.log import LOG
from nmt.training.augmentation import Case, with_cases
from nmt.training.texts import HoldOut, TrainingText

Key = TypeVar("Key", bound=Hashable)

_DIGITS = 6
"""Of a weight: what decimal numbers of other machines are the same, too."""


def passes(sizes: Mapping[Key, float], temperature: float) -> dict[Key, float]:
    """Say how often each of several texts is gone through, so that all together are as many lines as before.

    Args:
        sizes: n of each text, above 0.
        temperature: T.

    Returns:
        N p / n for each, where p is in proportion to n^(1/T), and N the sum of all sizes.
    """
    largest = max(sizes.values())
    shares = {key: (size / largest) ** (1 / temperature) for key, size in sizes.items()}
    total, scale = sum(sizes.values()), sum(shares.values())
    return {key: float(f"{total * share / scale / sizes[key]:.{_DIGITS}g}") for key, share in shares.items()}


def settled_weights(texts: Sequence[TrainingText], corpora: Sequence[EncodedCorpus], temperature: float) -> list[float]:
    """Give the weights of texts as `weights_of` does, and log what the temperature makes of the pairs."""
    counts = [len(corpus) for corpus in corpora]
    if sizes := _sizes_of_pairs(texts, counts):
        often, total = passes(sizes, temperature), sum(sizes.values())
        passes_of_pairs = (
            f"{pair} {often[pair]:.3g} times ({often[pair] * size / total:.0%})" for pair, size in sizes.items()
        )
        LOG.info(f"corpus.temperature={temperature:g}: an epoch goes through {', '.join(passes_of_pairs)}")
    return weights_of(texts, counts, temperature)


def weights_of(texts: Sequence[TrainingText], counts: Sequence[int], temperature: float) -> list[float]:
    """Give the weight of each text: its own, times the passes through its pair; 0 where the pair has no text.

    Args:
        texts: all training texts.
        counts: sentence pairs of each.
        temperature: T.
    """
    sizes = _sizes_of_pairs(texts, counts)
    if not sizes:
        return [text.weight for text in texts]
    often = passes(sizes, temperature)
    return [float(f"{text.weight * often.get(text.pair, 0.0):.{_DIGITS}g}") for text in texts]


def _sizes_of_pairs(texts: Sequence[TrainingText], counts: Sequence[int]) -> dict[LanguagePair | None, float]:
    """Count the sentence pairs of each language pair that has some, weights included; none without language pairs."""
    sizes: dict[LanguagePair | None, float] = {}
    for text, count in zip(texts, counts, strict=True):
        if text.pair and count:
            sizes[text.pair] = sizes.get(text.pair, 0.0) + text.weight * count
    return sizes


@dataclass(frozen=True)
class Balance:
    """The text that subwords of several pairs are trained on, in which each language has its share."""

    texts: Sequence[TrainingText]
    held_out: Mapping[LanguagePair | None, HoldOut]
    """which pairs shape no subword"""
    temperature: float
    languages: tuple[str, ...]
    """target languages, which get a symbol each"""
    deduplicate: bool = False
    """whether a pair counts once that stands in a text several times"""

    @property
    def recipe(self) -> list[Any]:
        """All that the text depends on besides the content of the files."""
        held_out = [[str(pair), *each] for pair, each in self.held_out.items()]
        return [[str(text.pair) for text in self.texts], held_out, self.temperature, self.languages]

    def lines(
        self, sides: Sequence[str] = ("source", "target"), cases: Mapping[Case, float] = MappingProxyType({})
    ) -> Iterator[str]:
        """Yield the lines of some sides; those of a language that has few of them several times.

        Args:
            sides: of each pair.
            cases: shares of the pairs that are there in another letter case too.
        """
        counts: Counter[str] = Counter()
        for text, _ in self._pairs(cases):
            counts.update(getattr(text.pair, side) for side in sides)
        if not counts:
            return  # empty files, of which the training of subwords tells
        often, seen = passes(counts, self.temperature), dict.fromkeys(counts, 0)
        for text, pair in self._pairs(cases):
            for side in sides:
                language = getattr(text.pair, side)
                number = seen[language]
                seen[language] += 1
                for _ in range(int((number + 1) * often[language]) - int(number * often[language])):
                    yield getattr(pair, side)

    def _pairs(self, cases: Mapping[Case, float]) -> Iterator[tuple[TrainingText, Pair]]:
        for text in self.texts:
            threshold, side = self.held_out.get(text.pair, HoldOut())
            read = read_pairs(text.paths)
            each = distinct_pairs(read) if self.deduplicate else read
            for pair in with_cases((pair for pair in each if not is_held_out(pair, threshold, side=side)), cases):
                yield text, pair
