"""Terms: words of the source with what they shall be in the target, and where they stand in a text.

Matching looks up the word at which a term begins, so that thousands of terms cost a line little.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nmt.errors import ConfigError
from nmt.text.scripts import UNSPACED, is_unspaced

_SPACED = rf"[^\W_{UNSPACED}]"
_WORD = re.compile(f"{_SPACED}+")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?…:](?:[\"'”’»)\]]*)\s)[\s\"'“”‘’«»„‚(\[¿¡–—-]*$")
"""What stands before the first word of a sentence; a colon too, behind which many languages begin one."""

_NEAR = 20
"""Characters before a word that tell whether a sentence begins with it."""


class Term(NamedTuple):
    """What a user asks for."""

    source: str
    """a word of the source, or several"""
    forms: tuple[str, ...]
    """the target in every form that is allowed, the usual one first"""


class Match(NamedTuple):
    """Where a term stands in a text: characters `start` to before `end`."""

    start: int
    end: int
    forms: tuple[str, ...]
    """of its target, which may stand there"""


def joins(character: str) -> bool:
    """Tell whether a character is part of a word that may go on with another such character."""
    return (character.isalnum() or unicodedata.category(character)[0] == "M") and not is_unspaced(character)


def count_words(word: str, text: str, *, whole: bool = True) -> int:
    """Count how often a word, or several, stands in a text, not within other words.

    Args:
        word: what to look for.
        text: where.
        whole: whether nothing may follow within the word; if not, the word may have an ending.
    """
    found, start = 0, text.find(word)
    while start >= 0:
        end = start + len(word)
        is_word = _is_border(text, start) and (not whole or _is_border(text, end))
        found += is_word
        start = text.find(word, end if is_word else start + 1)
    return found


class Terms:
    """Finds terms in texts."""

    def __init__(self, terms: Iterable[Term]) -> None:
        """Take terms; of those with one source all forms are allowed."""
        self.targets: dict[str, tuple[str, ...]] = {}
        """the forms of each source"""
        for source, forms in terms:
            self.targets[source] = tuple(dict.fromkeys((*self.targets.get(source, ()), *forms)))
        self._by_word: dict[str, list[str]] = {}
        self._by_character: dict[str, list[str]] = {}
        for source in self.targets:
            word = _WORD.match(source)
            if word:
                self._by_word.setdefault(word[0], []).append(source)
                if (upper := _capital(source)) != source:
                    self._by_word.setdefault(_capital(word[0]), []).append(upper)
            else:
                self._by_character.setdefault(source[0], []).append(source)

    def find(self, text: str) -> list[Match]:
        """Find terms, in order; none overlaps another.

        A term is a whole word, or several, but in scripts without spaces. A term whose first letter is small may have
        a capital at the beginning of a sentence. Its target may have one then too. Of terms that overlap the longest
        counts, of equally long ones the first.
        """
        candidates = sorted(self._candidates(text), key=lambda match: (match.start - match.end, match.start))
        is_taken = bytearray(len(text))
        matches = []
        for match in candidates:
            if not any(is_taken[match.start : match.end]):
                is_taken[match.start : match.end] = b"\1" * (match.end - match.start)
                matches.append(match)
        return sorted(matches)

    def _candidates(self, text: str) -> Iterator[Match]:
        places = [(word.start(), self._by_word.get(word[0])) for word in _WORD.finditer(text)] if self._by_word else []
        if self._by_character:
            places += [(place, self._by_character.get(character)) for place, character in enumerate(text)]
        for start, sources in places:
            for source in sources or ():
                end = start + len(source)
                if text.startswith(source, start) and _is_border(text, start) and _is_border(text, end):
                    forms = self.targets.get(source)
                    if forms is not None:
                        yield Match(start, end, forms)
                    elif _SENTENCE_BEGINS.search(text, max(0, start - _NEAR), start):
                        forms = self.targets[source[0].lower() + source[1:]]
                        yield Match(start, end, tuple(dict.fromkeys((*map(_capital, forms), *forms))))


def _capital(text: str) -> str:
    """Write the first letter as a capital, where that is one letter and has this small one."""
    upper = text[:1].upper()
    return upper + text[1:] if len(upper) == 1 and upper.lower() == text[:1] else text


def _is_border(text: str, place: int) -> bool:
    """Tell whether no word goes on from before this place to behind it."""
    return not (0 < place < len(text) and joins(text[place - 1]) and joins(text[place]))


def checked_terms(terms: Iterable[tuple[str, Sequence[str]]]) -> tuple[Term, ...]:
    """Make terms of pairs of a source and its forms, or its only form; ConfigError: one of these is empty."""
    checked = []
    for source, forms in terms:
        term = Term(_plain(source), tuple(map(_plain, [forms] if isinstance(forms, str) else forms)))
        if not (term.source and term.forms and all(term.forms)):
            raise ConfigError(
                f"the term {source!r}: {forms!r} is empty: give a source, and one form of its target or more"
            )
        checked.append(term)
    return tuple(checked)


def _plain(text: str) -> str:
    return " ".join(text.split())
