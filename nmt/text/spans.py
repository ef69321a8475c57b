"""Protected spans: what a translation must give back as it is, and the marks that stand for it on the way.

Spans are known by their form: URLs, e-mail addresses, @names, #tags, placeholders and entities. A span is also what
the subwords cannot spell: an emoji, or a word with a letter that no training text had.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from nmt.text.scripts import UNSPACED, is_unspaced
from nmt.text.subwords import MARKS, SubwordModel

_NAME = rf"[^\W{UNSPACED}]"  # names end where a script without spaces begins
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_MAYBE = re.compile(rf"[@#%{{&{MARKS[0]}-{MARKS[-1]}]|://|(?i:www\.)")
"""What every span has that is known by its form; looking for it is faster."""
_SEPARATED = re.compile(r"\d[.,]\d")
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")
_ATTACHED = ("Mn", "Me", "Mc", "Cf", "Sk")
"""Categories of what belongs to the character before it: accents, joiners, colours of skin."""


class Place(NamedTuple):
    """Where a span stands in a text: characters `start` to before `end`."""

    start: int
    end: int


def find_spans(text: str, characters: frozenset[str] | None) -> list[Place]:
    """Find the protected spans of a text, in order; none touches another.

    Args:
        text: a line, normalised as the vocabulary asks.
        characters: that the vocabulary spells; None: all.
    """
    by_form = list(_by_form(text)) if _MAYBE.search(text) else []
    if characters is None or characters.issuperset(text):
        return by_form
    is_protected = bytearray(len(text))
    for start, end in by_form:
        is_protected[start:end] = b"\1" * (end - start)
    return sorted([*by_form, *_unspellable(text, characters, is_protected)])


def without_spans(text: str) -> str:
    """Put a mark in the place of each span that is known by its form."""
    return put_marks(text, list(_by_form(text)), MARKS[0] * len(text)) if _MAYBE.search(text) else text


def put_marks(text: str, places: Sequence[Place], marks: Iterable[str]) -> str:
    """Replace what stands in these places, which are in order, by one mark each."""
    parts, last = [], 0
    for (start, end), mark in zip(places, marks, strict=False):
        parts += [text[last:start], mark]
        last = end
    return "".join([*parts, text[last:]])


class PairMarker:
    """Puts marks into training pairs for the spans that stand on both sides, equally often."""

    def __init__(self, source: SubwordModel, target: SubwordModel) -> None:
        """Take the vocabularies of both sides; without marks in both it changes nothing."""
        self.marks = common_marks(source, target)
        """those that both have"""
        self._sides = source, target

    def __call__(self, source: str, target: str) -> tuple[str, str]:
        """Give the pair with its marks; a span that only one side has stays text.

        Which marks a pair gets depends on that pair alone, and all are used equally often.
        """
        if not self.marks:
            return source, target
        texts = [side.normalized(line) for side, line in zip(self._sides, (source, target), strict=True)]
        places = [find_spans(text, spelt_by(side))[: len(MARKS)] for side, text in zip(self._sides, texts, strict=True)]
        if not (places[0] and places[1]):
            return source, target
        spans = [[text[start:end] for start, end in there] for text, there in zip(texts, places, strict=True)]
        shared = [span for span in spans[0] if spans[0].count(span) == spans[1].count(span)]
        turn = sum(map(ord, source)) % len(self.marks)
        turned = self.marks[turn:] + self.marks[:turn]
        marked_spans = list(zip(shared, turned, strict=False))  # a span that occurs twice is there twice
        for side in (0, 1):
            left, chosen = list(marked_spans), []
            for place, span in zip(places[side], spans[side], strict=True):
                marked_span = next((pair for pair in left if pair[0] == span), None)
                if marked_span is not None:
                    left.remove(marked_span)
                    chosen.append((place, marked_span[1]))
            texts[side] = put_marks(texts[side], [place for place, _ in chosen], [mark for _, mark in chosen])
        return texts[0], texts[1]


def common_marks(source: SubwordModel, target: SubwordModel) -> str:
    """List the marks that both vocabularies have."""
    return min(source.marks, target.marks, key=len)


def spelt_by(subwords: SubwordModel) -> frozenset[str] | None:
    """Return the characters that a vocabulary spells; None: all of them."""
    return None if subwords.byte_fallback else subwords.characters


@cache
def _forms() -> re.Pattern[str]:
    """Compile the pattern of all forms when a line first may have one, since that takes a tenth of a second."""
    return re.compile(
        rf"""(?P<url> (?<![A-Za-z0-9])(?i:https?|ftps?|file|wss?)://[^\s<>"{UNSPACED}\u3000-\u303f\uff00-\uffef]+
                    | (?<![A-Za-z0-9])(?i:www\.)[^\s<>"{UNSPACED}\u3000-\u303f\uff00-\uffef]+)
          | (?P<mail> (?<![\w.+-])[\w.+-]{{0,63}}\w@\w[\w-]*(?:\.\w[\w-]*)+ )
          | (?P<braces> [$\#%]?\{{\{{[^\s{{}}]{{0,64}}\}}\}} | [$\#%]?\{{[^\s{{}}]{{0,64}}\}} )
          | (?P<printf> (?<![\d%])%(?:\(\w+\)|\d+\$)?[-+\#0]*\d*(?:\.\d+)?(?:hh|h|ll|l|q|j|z|t)?[diouxXeEfFgGcrsap@]
                        (?![^\W\d_]) )
          | (?P<entity> &(?:\#\d{{1,7}}|\#x[0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}}); )
          | (?P<name> (?<![\w@.])@{_NAME}(?:[\w.-]*{_NAME})? | (?<![\w\#&])\#{_NAME}*[^\W\d_{UNSPACED}]{_NAME}* )
          | (?P<mark> [{MARKS[0]}-{MARKS[-1]}] )""",
        re.VERBOSE,
    )


def _by_form(text: str) -> Iterator[Place]:
    for match in _forms().finditer(text):
        end = match.end()
        if match.lastgroup == "url":
            end = _without_punctuation(text, match.start(), end)
        yield Place(match.start(), end)


def _without_punctuation(text: str, start: int, end: int) -> int:
    """Leave out what ends the sentence around a URL: a period, or a bracket that the URL did not open."""
    brackets = {bracket: text.count(bracket, start, end) for pair in _CLOSERS.items() for bracket in pair}
    while end > start + 1:
        last = text[end - 1]
        is_foreign = last in _CLOSERS and brackets[last] > brackets[_CLOSERS[last]]
        if not (is_foreign or last in ".,;:!?'\"*»”’…"):
            break
        if last in brackets:
            brackets[last] -= 1
        end -= 1
    return end


def _unspellable(text: str, characters: frozenset[str], is_protected: bytearray) -> Iterator[Place]:
    """Find the runs of characters that have no subword, with the rest of their words, outside of what is taken."""
    place = 0
    while place < len(text):
        if is_protected[place] or text[place] in characters or unicodedata.category(text[place]) in _INVISIBLE:
            place += 1
            continue
        start, end = place, place + 1
        while end < len(text) and not is_protected[end] and _continues(text, end, characters):
            end += 1
        start, end = _widened(text, start, end, is_protected)
        yield Place(start, end)
        is_protected[start:end] = b"\1" * (end - start)
        place = end


def _continues(text: str, place: int, characters: frozenset[str]) -> bool:
    """Tell whether a run of unspellable characters goes on: with another one, or with what hangs on the last."""
    category = unicodedata.category(text[place])
    if category in _ATTACHED or text[place - 1] == "\u200d":
        return True
    return text[place] not in characters and category not in _INVISIBLE


def _widened(text: str, start: int, end: int, is_protected: bytearray) -> Place:
    """Widen a run to the whole word or number that it is a part of."""
    while start > 0 and not is_protected[start - 1] and _belong_together(text, start):
        start -= 1
    while end < len(text) and not is_protected[end] and _belong_together(text, end):
        end += 1
    return Place(start, end)


def _belong_together(text: str, border: int) -> bool:
    """Tell whether the characters around a border are of one word of a script with spaces, or of one number."""
    left, right = text[border - 1], text[border]
    if _is_of_word(left) and _is_of_word(right):
        return True
    pair = text[max(0, border - 2) : border + 2] if left in ".," or right in ".," else ""
    return (left + right).isdecimal() or _SEPARATED.search(pair) is not None


def _is_of_word(character: str) -> bool:
    """Tell whether it is a letter of a script with spaces, or an accent."""
    return unicodedata.category(character)[0] in "LM" and not is_unspaced(character)
