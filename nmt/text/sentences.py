"""Cuts a line into sentences that a model can read whole: borders by the library sentencex, long ones cut further."""

import re
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from nmt.errors import ConfigError
from nmt.text.spans import Place, find_spans, without_spans
from nmt.text.subwords import SubwordModel

_CLAUSE_ENDS = re.compile(r"[;,:](?=\s)|[\u3001\uff0c\uff1b\uff1a\u060c\u061b]")
_SPACES = re.compile(r"(?<=\S)(?=\s)")


class SentenceSplitter:
    """Cuts lines of one language, never inside a protected span."""

    def __init__(self, language: str, subwords: SubwordModel, *, max_tokens: int) -> None:
        """Prepare to cut lines.

        Args:
            language: its code, as `en` or `zh_CN`; of a language that sentencex does not know, the rules are general.
            subwords: that the model reads.
            max_tokens: subwords of the longest sentence that it reads whole.

        Raises:
            ConfigError: sentencex is not installed.
        """
        self._language = re.split("[-_]", language)[0].lower()
        self._subwords, self._max_tokens = subwords, max_tokens
        self._segment = _segment()

    def split(self, text: str) -> list[Place]:
        """Find the sentences of a line, in order; nothing but white space stands before, between and behind them.

        One longer than the model reads is cut at a comma or semicolon near its middle, until all parts are short
        enough. Where there is none, it is cut at a space, else between two characters.
        """
        spans = find_spans(text, None)
        ends = list(accumulate(map(len, self._segment(self._language, text))))
        if ends[-1:] != [len(text)]:  # the borders are of another text
            ends = [len(text)]
        found, start = [], 0
        for end in _outside(ends, spans):
            found += self._short(text, _stripped(text, start, end), spans)
            start = end
        return found

    def _short(self, text: str, place: Place, spans: Sequence[Place]) -> list[Place]:
        """Cut a sentence until all its parts are short enough."""
        start, end = place
        if start == end:
            return []
        if self._fits(text[start:end]):
            return [place]
        quarter = (end - start) // 4
        low, high = start + max(1, quarter), end - max(1, quarter)
        clauses = (match.end() for match in _CLAUSE_ENDS.finditer(text, low, high))
        spaces = (match.end() for match in _SPACES.finditer(text, low, high))
        for borders in (clauses, spaces, range(low, high + 1)):
            if near := _outside(borders, spans):
                cut = min(near, key=lambda border: abs(2 * border - start - end))
                halves = _stripped(text, start, cut), _stripped(text, cut, end)
                return [part for half in halves for part in self._short(text, half, spans)]
        return [place]

    def _fits(self, text: str) -> bool:
        few = len(text.encode("utf-8", "surrogatepass")) < self._max_tokens  # a subword has one byte at least
        return few or len(self._subwords.encode(without_spans(text))) <= self._max_tokens


def _segment() -> Callable[[str, str], list[str]]:
    try:
        from sentencex import segment
    except ModuleNotFoundError:
        raise ConfigError(
            "sentencex is not installed, which finds the sentences of a line: pip install sentencex"
        ) from None
    find: Callable[[str, str], list[str]] = segment
    return find


def _stripped(text: str, start: int, end: int) -> Place:
    part = text[start:end]
    return Place(end - len(part.lstrip()), start + len(part.rstrip())) if part.strip() else Place(end, end)


def _outside(borders: Iterable[int], spans: Sequence[Place]) -> list[int]:
    """Leave out the borders inside a span; spans are in order."""
    starts, kept = [start for start, _ in spans], []
    for border in borders:
        number = bisect(starts, border) - 1
        if number < 0 or not spans[number].start < border < spans[number].end:
            kept.append(border)
    return kept
