"""What `auto` wants to know of a text: how many pairs differ, how long they are, what both sides have in common."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from typing import NamedTuple

from nmt.config.choices import SubwordKind
from nmt.corpus.cache import Cache
from nmt.corpus.distinct import SeenPairs
from nmt.corpus.reader import CorpusPaths, Pair, has_text, read_pairs
from nmt.text.scripts import UNSPACED
from nmt.training.texts import remembered

_FORMAT = 1  # of what is remembered
_CHUNK_PAIRS = 10_000
_FIRST_PAIRS = 20_000
_EVERY = 16
"""The letters and words of the first pairs are counted, then those of every so many."""
_LONGEST = 2000
"""Characters of a line; a longer one is no sentence, and training leaves it out."""
_NEARLY_ALL = 0.998
"""Of the letters, in an alphabet."""
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class TextFacts:
    """Of pairs with text on both sides."""

    pairs: int = 0
    distinct: int = 0
    """different ones"""
    epoch_pairs: float = 0.0
    """that an epoch reads"""
    source_characters: float = 0.0
    """of a mean line, lines that are too long aside"""
    target_characters: float = 0.0
    """of the same"""
    source_unspaced: float = 0.0
    """share of the letters that are of scripts without spaces between words"""
    target_unspaced: float = 0.0
    """of the same"""
    source_alphabet: float = 0.0
    """letters, the rarest aside"""
    target_alphabet: float = 0.0
    """of the same"""
    shared_letters: float = 0.0
    """share that the two sides' distributions of letters have in common, from 0 to 1"""
    shared_words: float = 0.0
    """share of the running words that stand on the other side too, the mean of both sides"""

    @property
    def repeated(self) -> int:
        """Count the pairs that stand there before."""
        return self.pairs - self.distinct


class Lengths(NamedTuple):
    """Subwords of a mean sentence, the end of sentence counted."""

    source: float
    target: float

    @property
    def longer(self) -> float:
        """Of the two, which the budget of a batch counts."""
        return max(self)


def find_facts(texts: Sequence[CorpusPaths], weights: Sequence[float], *, cache: Cache, once: bool) -> TextFacts:
    """Find the facts of all training texts together, each of which is read once and remembered.

    Args:
        texts: one at least.
        weights: passes of an epoch through each.
        cache: where facts are remembered.
        once: whether a pair that stands several times in a text is read once.

    Raises:
        CorpusError: as `nmt.corpus.reader.read_pairs`.
    """
    found = []
    for paths in texts:
        key = ("facts", _FORMAT, cache.digests(paths))
        found.append(TextFacts(**remembered(cache, lambda paths=paths: asdict(read_facts(paths)), *key)))  # type: ignore[misc]
    return join_facts(found, weights, once=once)


def join_facts(found: Sequence[TextFacts], weights: Sequence[float], *, once: bool) -> TextFacts:
    """Join the facts of several texts: a mean by the pairs that an epoch reads of each; arguments as `find_facts`."""
    pairs = [weight * (each.distinct if once else each.pairs) for each, weight in zip(found, weights, strict=True)]
    means = {
        item.name: sum(n * getattr(each, item.name) for n, each in zip(pairs, found, strict=True)) / (sum(pairs) or 1.0)
        for item in fields(TextFacts)[3:]
    }
    counts = (sum(each.pairs for each in found), sum(each.distinct for each in found), sum(pairs))
    return TextFacts(*counts, **means)


def read_facts(paths: CorpusPaths) -> TextFacts:
    """Find the facts of one text in one pass; of each pair memory holds eight bytes, and of every 16th its words."""
    seen, pairs, sides = SeenPairs(), 0, (_Side(), _Side())
    for chunk in _chunks(pair for pair in read_pairs(paths) if has_text(pair)):
        for number, (pair, repeated) in enumerate(zip(chunk, seen.add(chunk), strict=True), start=pairs):
            if not repeated and max(map(len, pair)) <= _LONGEST:
                for side, text in zip(sides, pair, strict=True):
                    side.add(text, looked_at=number < _FIRST_PAIRS or number % _EVERY == 0)
        pairs += len(chunk)
    source, target = sides
    return TextFacts(
        pairs,
        len(seen),
        pairs,
        source.mean_characters,
        target.mean_characters,
        source.unspaced,
        target.unspaced,
        source.alphabet,
        target.alphabet,
        _shared_letters(source.letters, target.letters),
        (_known_words(source.words, target.words) + _known_words(target.words, source.words)) / 2,
    )


def subword_lengths(facts: TextFacts, vocabulary: int, *, kind: SubwordKind = SubwordKind.unigram) -> Lengths:
    """Estimate how many subwords a mean sentence has, from its characters; off by a fifth or so.

    What stands here was measured: unigram subwords of six corpora, in ten languages, with 1,000 to 16,000 of them.
    """
    doublings = math.log2(max(vocabulary, 250) / 1000)
    of_words, of_unspaced = min(2.8 + 0.45 * doublings, 4.6), 1.4 + 0.1 * doublings
    if kind is SubwordKind.char:
        of_words = of_unspaced = 1.0
    sides = (
        (facts.source_characters, facts.source_unspaced),
        (facts.target_characters, facts.target_unspaced),
    )
    return Lengths(
        *(1 + characters / (unspaced * of_unspaced + (1 - unspaced) * of_words) for characters, unspaced in sides)
    )


@dataclass
class _Side:
    lines: int = 0
    characters: int = 0
    letters: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, *, looked_at: bool) -> None:
        self.lines += 1
        self.characters += len(text)
        if looked_at:
            words = _WORD.findall(text)
            self.words.update(words)
            self.letters.update("".join(words).casefold())

    @property
    def mean_characters(self) -> float:
        return self.characters / max(1, self.lines)

    @property
    def unspaced(self) -> float:
        found = sum(count for letter, count in self.letters.items() if _UNSPACED.match(letter))
        return found / max(1, self.letters.total())

    @property
    def alphabet(self) -> int:
        """Count the most frequent letters, as many as make up nearly all of the text."""
        covered, wanted = 0, _NEARLY_ALL * self.letters.total()
        for number, (_, count) in enumerate(self.letters.most_common()):
            if covered >= wanted:
                return number
            covered += count
        return len(self.letters)


def _shared_letters(one: Counter[str], other: Counter[str]) -> float:
    totals = max(1, one.total()), max(1, other.total())
    return sum(min(count / totals[0], other[letter] / totals[1]) for letter, count in one.items())


def _known_words(words: Counter[str], others: Counter[str]) -> float:
    return sum(count for word, count in words.items() if word in others) / max(1, words.total())


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(islice(pairs, _CHUNK_PAIRS)):
        yield chunk
