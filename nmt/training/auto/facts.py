"""What `auto` wants to know of a text: how many pairs differ, how long they are, what both sides have in common."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from nmt.config.choices import SubwordKind
from nmt.corpus.cache import Cache
from nmt.corpus.distinct import SeenPairs
from nmt.corpus.reader import CorpusPaths, Pair, has_text, read_pairs
from nmt.text.scripts import UNSPACED
from nmt.training.temperature import weights_of
from nmt.training.texts import TrainingText, remembered

_FORMAT = 2  # of what is remembered
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
    shared_letters: float = 0.0
    """share that the two sides' distributions of letters have in common, from 0 to 1"""
    shared_words: float = 0.0
    """share of the running words that stand on the other side too, the mean of both sides"""
    source_letters: str = ""
    """the alphabets of all texts, the rarest letters aside"""
    target_letters: str = ""
    """of the same"""
    by_pair: dict[str, int] = field(default_factory=dict)
    """different pairs of each language pair, where there are several"""

    @property
    def repeated(self) -> int:
        """Count the pairs that stand there before."""
        return self.pairs - self.distinct


_MEANS = (
    *("source_characters", "target_characters", "source_unspaced", "target_unspaced", "shared_letters"),
    "shared_words",
)
"""Of several texts, the mean."""


class Lengths(NamedTuple):
    """Subwords of a mean sentence, the end of sentence counted."""

    source: float
    target: float

    @property
    def longer(self) -> float:
        """Of the two, which the budget of a batch counts."""
        return max(self)


def find_facts(texts: Sequence[TrainingText], *, temperature: float, cache: Cache, once: bool) -> TextFacts:
    """Find the facts of all training texts together, each of which is read once and remembered.

    Args:
        texts: one at least.
        temperature: that settles the share of each language pair, see `nmt.training.temperature`.
        cache: where facts are remembered.
        once: whether a pair that stands several times in a text is read once.

    Raises:
        CorpusError: as `nmt.corpus.reader.read_pairs`.
    """
    text_facts = []
    for text in texts:
        key, find = ("facts", _FORMAT, cache.digests(text.paths)), partial(read_facts, text.paths)
        text_facts.append(TextFacts(**remembered(cache, lambda find=find: asdict(find()), *key)))  # type: ignore[misc]
    counts = [each.distinct if once else each.pairs for each in text_facts]
    by_pair: Counter[str] = Counter()
    for text, each in zip(texts, text_facts, strict=True):
        if text.pair:
            by_pair[str(text.pair)] += each.distinct
    facts = join_facts(text_facts, weights_of(texts, counts, temperature), once=once)
    return replace(facts, by_pair=dict(by_pair))


def join_facts(text_facts: Sequence[TextFacts], weights: Sequence[float], *, once: bool) -> TextFacts:
    """Join the facts of several texts: a mean by the pairs that an epoch reads of each.

    Args:
        text_facts: of each text.
        weights: passes of an epoch through each.
        once: as `find_facts`.
    """
    pairs = [weight * (each.distinct if once else each.pairs) for each, weight in zip(text_facts, weights, strict=True)]
    means: dict[str, Any] = {
        name: sum(n * getattr(each, name) for n, each in zip(pairs, text_facts, strict=True)) / (sum(pairs) or 1.0)
        for name in _MEANS
    }
    letters: dict[str, Any] = {
        name: "".join(sorted({letter for each in text_facts for letter in getattr(each, name)}))
        for name in ("source_letters", "target_letters")
    }
    counts = TextFacts(sum(each.pairs for each in text_facts), sum(each.distinct for each in text_facts), sum(pairs))
    return replace(counts, **means, **letters)


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
        _shared_letters(source.letters, target.letters),
        (_known_words(source.word_counts, target.word_counts) + _known_words(target.word_counts, source.word_counts))
        / 2,
        source.alphabet,
        target.alphabet,
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
    word_counts: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, *, looked_at: bool) -> None:
        self.lines += 1
        self.characters += len(text)
        if looked_at:
            line_words = _WORD.findall(text)
            self.word_counts.update(line_words)
            self.letters.update("".join(line_words).casefold())

    @property
    def mean_characters(self) -> float:
        return self.characters / max(1, self.lines)

    @property
    def unspaced(self) -> float:
        unspaced_letters = sum(count for letter, count in self.letters.items() if _UNSPACED.match(letter))
        return unspaced_letters / max(1, self.letters.total())

    @property
    def alphabet(self) -> str:
        """List the most frequent letters, as many as make up nearly all of the text, in the order of Unicode."""
        letters: list[str] = []
        covered, wanted = 0, _NEARLY_ALL * self.letters.total()
        for letter, count in self.letters.most_common():
            if covered >= wanted:
                break
            letters.append(letter)
            covered += count
        return "".join(sorted(letters))


def _shared_letters(one: Counter[str], other: Counter[str]) -> float:
    totals = max(1, one.total()), max(1, other.total())
    return sum(min(count / totals[0], other[letter] / totals[1]) for letter, count in one.items())


def _known_words(words: Counter[str], others: Counter[str]) -> float:
    return sum(count for word, count in words.items() if word in others) / max(1, words.total())


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(islice(pairs, _CHUNK_PAIRS)):
        yield chunk
