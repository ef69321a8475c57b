"""Lines in capitals: their words as they are usually written, and a translation in capitals again.

A model that never saw A DOG RUNS spells it letter by letter. Its subwords tell how a word is usually written. Of dog,
Dog and DOG it knows the one best that takes the fewest subwords.
"""

import functools
import re
from collections.abc import Iterator, Sequence

from nmt.text.spans import Place, find_spans, without_spans
from nmt.text.subwords import SubwordModel

_LETTERS = re.compile(r"([^\W\d_]+)")
_SENTENCE_ENDS = re.compile(r"[.!?…][\"'”’»)\]]*$")
_FEWEST = 2
"""Capitals of a line in capitals: one may begin a sentence."""
_LONGEST = 100
"""Characters of a word; a longer one is none, and is not looked at part by part."""
_TURKIC = frozenset(("tr", "tur", "az", "aze", "azj", "azb", "crh", "gag"))
"""Languages whose i keeps its dot as a capital, and whose I has none as a small letter."""


def is_in_capitals(text: str) -> bool:
    """Tell whether all letters of a text are capitals, protected spans aside; ß may stand among them."""
    text = without_spans(text)
    return sum(map(str.isupper, text)) >= _FEWEST and not any(map(_is_small, text))


def in_capitals(text: str, language: str) -> str:
    """Write a text of a language in capitals."""
    return (text.replace("i", "İ") if language in _TURKIC else text).upper()


class UsualCase:
    """Writes lines in capitals as a vocabulary knows their words best."""

    def __init__(self, subwords: SubwordModel, language: str) -> None:
        """Take the vocabulary of a language."""
        self._subwords, self._language = subwords, language
        self._known_word = functools.lru_cache(maxsize=4096)(self._best_known)

    def written(self, text: str, kept: Sequence[Place] = ()) -> str:
        """Write a line in its usual case, as far as that is known; each word stays one.

        Args:
            text: in capitals.
            kept: what stands in these places stays as it is, and so do protected spans.
        """
        return "".join(self._words(text, [*find_spans(text, None), *kept]))

    def _words(self, text: str, kept: Sequence[Place]) -> Iterator[str]:
        is_kept = bytearray(len(text))
        for start, end in kept:
            is_kept[start:end] = b"\1" * (end - start)
        place, begins = 0, True  # begins: the next word begins a sentence
        for word in re.split(r"(\s+)", text):
            end = place + len(word)
            if not word or word.isspace():
                yield word
            elif any(is_kept[place:end]):
                yield word
                begins = False
            else:
                usual = self._known_word(word, begins)
                # %S is no placeholder, and %s is one.
                yield usual if find_spans(usual, None) == find_spans(word, None) else word
                begins = bool(_SENTENCE_ENDS.search(word)) or (begins and not _LETTERS.search(word))
            place = end

    def _best_known(self, word: str, begins: bool) -> str:
        """Write each run of letters of a word in the case in which the whole is known best, from left to right.

        Of equals, small letters are taken. The first word of a sentence has a capital, unless the vocabulary has none.
        """
        if not all(self._comes_back(letter) for letter in word):
            return word
        if len(word) > _LONGEST:
            return _lower(word, self._language)
        parts = _LETTERS.split(word)  # every second one is of letters
        small = [_lower(part, self._language) for part in parts]
        for i in range(1, len(parts), 2):
            spellings = [small[i], in_capitals(small[i][:1], self._language) + small[i][1:], parts[i]]
            if self._language == "de" and "ss" in small[i]:
                spellings += [spelling.replace("ss", "ß") for spelling in spellings[:2]]
            costs = {spelling: self._cost("".join([*small[:i], spelling, *small[i + 1 :]])) for spelling in spellings}
            if begins and i == 1 and not parts[0][-1:].isdigit():
                unknown = costs[small[i]][0]
                capital = {
                    spelling: cost
                    for spelling, cost in costs.items()
                    if not spelling[:1].islower() and cost[0] <= unknown
                }
                costs = capital or costs
            small[i] = min(costs, key=costs.__getitem__)
        written = "".join(small)
        return word if self._cost(written)[0] else written  # what cannot be spelt is protected, as it stands

    def _comes_back(self, letter: str) -> bool:
        """Tell whether a capital comes back from its small letter; that of the sign of Kelvin is another K."""
        capital = in_capitals(_lower(letter, self._language), self._language)
        return capital == letter or not letter.isupper() or letter == "ẞ"

    def _cost(self, word: str) -> tuple[int, int]:
        """Say how little a word is known: how many of its subwords are unknown, and how many it has."""
        ids = self._subwords.encode(word)
        return ids.count(self._subwords.unk_id), len(ids)


def _is_small(letter: str) -> bool:
    """Tell whether a letter has a capital; º has none, and ß stands between capitals as it is."""
    return letter.islower() and letter != "ß" and letter.upper() != letter


def _lower(text: str, language: str) -> str:
    if language in _TURKIC:
        text = text.replace("I", "ı").replace("İ", "i")
    return text.lower()
