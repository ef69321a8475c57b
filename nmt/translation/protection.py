"""Protected lines: with a mark in the place of each span that shall come back as it is.

What a mark is, and what a span, says nmt.text.spans. A model writes the marks that its vocabulary has. Those that it
does not write, or that its vocabulary lacks, are put where attention says that their neighbours went.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.text.scripts import is_unspaced
from nmt.text.spans import Place, common_marks, find_spans, put_marks, spelt_by
from nmt.text.subwords import MARKS, SPACE, SubwordModel
from nmt.translation.request import TextHypothesis


@dataclass(frozen=True)
class ProtectedLine:
    """A line with marks, and what they stand for."""

    marked: str
    """the line, normalised, with MARKS in the place of its spans, in order"""
    spans: tuple[str, ...] = ()
    """what each of these marks stands for"""
    known_marks: int = 0
    """how many marks the model can read and write; it is not given the others"""

    @cached_property
    def given(self) -> str:
        """What the model is given: the line without the marks that it does not know."""
        return self.without_unknown(self.marked)

    def origin(self, start: int, end: int) -> Place:
        """Say where characters of the marked line, none of them a mark, stand in the line without marks."""
        before = zip(self.spans, MARKS, strict=False)
        shift = sum(len(span) - 1 for span, mark in before if self.marked.index(mark) < start)
        return Place(start + shift, end + shift)

    def missing(self, translation: str) -> list[str]:
        """List the marks that a translation lacks."""
        return [mark for mark in MARKS[: len(self.spans)] if mark not in translation]

    def with_marks(self, text: str) -> str:
        """Put marks into a text of the target, such as what a translation shall begin with."""
        for mark, span in zip(MARKS, self.spans, strict=False):
            text = text.replace(span, mark, 1)
        return text

    def without_unknown(self, text: str) -> str:
        """Take the marks that the model does not know out of a text."""
        return _without(text, self.unknown)

    @property
    def unknown(self) -> Sequence[str]:
        """The marks that the model does not know."""
        return MARKS[self.known_marks : len(self.spans)]

    def restored(self, translation: str) -> str:
        """Put the spans back into a translation, in the place of their marks."""
        return (
            translation.translate(dict(zip(map(ord, MARKS), self.spans, strict=False))) if self.spans else translation
        )


class Protector:
    """Finds what the translation of a line must give back."""

    def __init__(self, source: SubwordModel, target: SubwordModel) -> None:
        """Take the vocabularies of both sides."""
        self._source = source
        self._characters = spelt_by(source)
        self._known_marks = len(common_marks(source, target))

    def protect(
        self, line: str, *, also: Sequence[tuple[Place, str]] = (), terms: Sequence[tuple[Place, str, bool]] = ()
    ) -> ProtectedLine:
        """Put marks into a line; of more than 64 spans the rest stays text.

        Args:
            line: what shall be translated.
            also: further places of the normalised line, and what shall come back of each. A place that touches a
                span is left out.
            terms: places of terms, what shall come back of each, and whether the model can write that. What it can
                write is protected only in the place of whole spans.
        """
        text = self._source.normalized(line)
        spans = {place: text[place.start : place.end] for place in find_spans(text, self._characters)[: len(MARKS)]}
        for place, target, can_be_written in terms:
            touched = [span for span in spans if place.start < span.end and span.start < place.end]
            covers = all(place.start <= start and end <= place.end for start, end in touched)
            if covers and (touched or not can_be_written) and len(spans) - len(touched) < len(MARKS):
                spans = {span: text for span, text in spans.items() if span not in touched} | {place: target}
        for place, span in also:
            if len(spans) < len(MARKS) and all(place.end <= start or end <= place.start for start, end in spans):
                spans[place] = span
        places = sorted(spans)
        if not places:
            return ProtectedLine(text)
        return ProtectedLine(put_marks(text, places, MARKS), tuple(spans[place] for place in places), self._known_marks)


class Decoded(NamedTuple):
    """How a translation came about: T target tokens of S source positions."""

    ends: Sequence[int]
    """(T,) characters of the translation up to the end of each token"""
    surfaces: Sequence[str]
    """(S,) text of each source position, empty for a tag"""
    weights: npt.NDArray[np.floating[Any]] | None
    """(T, S) attention; None where the model has none"""
    terms: Sequence[str] = ()
    """what no mark may stand within"""
    begun: int = 0
    """characters at the start of the translation that stay as they are: its prefix"""


class Attempt(NamedTuple):
    """A line, and how it was translated."""

    line: ProtectedLine
    ids: list[int]
    """its subwords; empty where there is none to translate"""
    hypotheses: list[TextHypothesis]
    """with marks in their texts"""
    is_whole: bool
    """whether the model itself wrote all marks of the best one"""
    warnings: list[str]
    """what a user should know of this line"""


def with_marks(hypothesis: TextHypothesis, line: ProtectedLine, decoded: Decoded) -> TextHypothesis:
    """Put the marks that a translation lacks where attention says that their neighbours went.

    A mark stands in a gap between two source subwords. It goes into the gap of the translation whose two tokens
    attend most to these. The token before the gap counts for the first subword, the token behind it for the second. A
    mark that begins or ends the line does so in the translation too. Spaces around it are as in the source.
    """
    text, links = hypothesis.text, hypothesis.alignment
    if links is not None:
        word_numbers = words_left(line.marked, line.unknown)
        links = [(word_numbers[source], target) for source, target in links if source < len(word_numbers)]
    # From the end, so that offsets stay right; marks are in the order of the source.
    missing = [(_behind_prefix(text, _offset(line, mark, text, decoded), decoded), mark) for mark in line.missing(text)]
    for offset, mark in sorted(missing, reverse=True):
        left, right = text[:offset], text[offset:]
        text = left + _spaced(line.marked, mark, left, right) + right
        if links is not None:
            links = _linked(links, line.marked, mark, before=f"{left}{right}", after=text)
    return replace(hypothesis, text=text, alignment=links)


def words_left(text: str, left_out: Sequence[str]) -> list[int]:
    """Say which words of a text have something left without these marks."""
    return [number for number, word in enumerate(text.split()) if _without(word, left_out)]


def _linked(
    links: Sequence[tuple[int, int]], marked: str, mark: str, *, before: str, after: str
) -> list[tuple[int, int]]:
    """Link a mark that was put into a translation, and renumber the words behind it where it is one of its own."""
    mark_word = next(number for number, word in enumerate(after.split()) if mark in word)
    is_word = len(after.split()) > len(before.split())
    moved = [(source, target + (is_word and target >= mark_word)) for source, target in links]
    source = next(number for number, word in enumerate(marked.split()) if mark in word)
    return sorted({*moved, (source, mark_word)}, key=lambda pair: pair[::-1]) if is_word else moved


def _offset(line: ProtectedLine, mark: str, text: str, decoded: Decoded) -> int:
    """Find where in a translation a mark goes, in characters."""
    place = line.marked.index(mark)
    unknown = MARKS[line.known_marks : len(line.spans)]
    before, behind = (len(_without(part, unknown).replace(" ", "")) for part in line.marked.split(mark, 1))
    if not before or not behind:
        return len(text) if before else 0
    gaps = [(i, end) for i, end in enumerate([0, *decoded.ends]) if _is_gap(text, end, decoded.terms)]
    if decoded.weights is None or not gaps:
        share = place / len(line.marked)
        return min((end for _, end in gaps), key=lambda end: abs(end - share * len(text)), default=len(text))
    weights = decoded.weights
    ends = np.cumsum([len(surface.replace(SPACE, "")) for surface in decoded.surfaces])
    left = int(np.searchsorted(ends, before))
    if left + 1 >= weights.shape[1]:  # the source was cut before the mark
        return len(text)

    def evidence(gap: int) -> float:
        return float((weights[gap - 1, left] if gap else 0) + (weights[gap, left + 1] if gap < len(weights) else 0))

    return max(gaps, key=lambda gap: evidence(gap[0]))[1]


def _behind_prefix(text: str, offset: int, decoded: Decoded) -> int:
    """Move an offset inside the prefix to the first gap behind that."""
    if offset >= decoded.begun:
        return offset
    ends = range(decoded.begun, len(text) + 1)
    # A prefix with line ends is longer than what stands in the text for it.
    return next((end for end in ends if _is_gap(text, end, decoded.terms)), len(text))


def _is_gap(text: str, offset: int, terms: Sequence[str]) -> bool:
    """Tell whether something may stand at this offset without breaking a word, a number or a term."""
    if 0 < offset < len(text) and _is_inside(text[offset - 1]) and _is_inside(text[offset]):
        return False
    return not any(term in text[max(0, offset - len(term) + 1) : offset + len(term) - 1] for term in terms)


def _is_inside(character: str) -> bool:
    return character.isalnum() and not is_unspaced(character)


def _spaced(marked: str, mark: str, left: str, right: str) -> str:
    """Give a mark the spaces that it has in the source."""
    place = marked.index(mark)
    has_left, has_right = place == 0 or marked[place - 1] == " ", marked[place + 1 : place + 2] in ("", " ")
    before = " " if left and not left.endswith(" ") and (has_left or (_is_inside(left[-1]) and place == 0)) else ""
    after = " " if right and not right.startswith(" ") and (has_right or _is_inside(right[0])) else ""
    return before + mark + after


def _without(text: str, marks: Sequence[str]) -> str:
    for mark in marks:
        text = text.replace(mark, "")
    return text
