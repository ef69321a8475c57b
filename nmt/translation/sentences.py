"""Lines of several sentences: each is translated by itself, and their translations are joined to one line again."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from nmt.config.search import SearchConfig
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.scores import LengthNormalizer
from nmt.text.scripts import CHINESE, KANA
from nmt.text.sentences import SentenceSplitter
from nmt.text.spans import Place
from nmt.text.subwords import SubwordModel
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line

_WITHOUT_SPACES = re.compile(f"[{CHINESE}{KANA}]")


class Sentences:
    """The layer that cuts lines into sentences."""

    def __init__(self, language: str, subwords: SubwordModel, search: SearchConfig) -> None:
        """Cut lines of this language, and of these subwords; ConfigError: sentencex is not installed."""
        self._splitter = SentenceSplitter(language, subwords, max_tokens=search.max_source_tokens)
        self._normalizer = LengthNormalizer(search.length_penalty, str(search.normalization))

    def translate(
        self,
        requests: Sequence[Request],
        inner: Callable[[Sequence[Request]], list[Translation | ConfigError]],
    ) -> list[Translation | ConfigError]:
        """Translate lines sentence by sentence; a prefix is what the first sentence begins with."""
        places = [[] if is_blank(request.text) else self._splitter.split(request.text) for request in requests]
        parts = [_parts(request, each) for request, each in zip(requests, places, strict=True)]
        found = iter(inner([part for each in parts for part in each]))
        return [
            self._joined(request, each, [next(found) for _ in own])
            for request, each, own in zip(requests, places, parts, strict=True)
        ]

    def _joined(
        self, request: Request, places: Sequence[Place], translations: Sequence[Translation | ConfigError]
    ) -> Translation | ConfigError:
        parts: list[Translation] = []
        for each in translations:
            if isinstance(each, ConfigError):
                return each
            parts.append(each)
        if len(parts) == 1:
            return parts[0]
        best = [part.hypotheses[0] for part in parts]
        text, starts = _text(request.text, places, [each.text for each in best])
        log_prob = sum(each.log_prob for each in best)
        alignment = None
        if all(each.alignment is not None for each in best):
            alignment = _alignment(request.text, [place.start for place in places], text, starts, best)
        whole = TextHypothesis(
            text,
            float(self._normalizer.score(log_prob, sum(part.target_tokens for part in parts))),
            log_prob,
            all(each.finished for each in best),
            [token for each in best for token in each.tokens],
            alignment,
        )
        warnings = list(dict.fromkeys(warning for part in parts for warning in part.warnings))
        return Translation([whole], warnings, "".join(part.unknown for part in parts), request.id)


def _parts(request: Request, places: Sequence[Place]) -> list[Request]:
    if len(places) < 2:
        return [request]
    parts = [replace(request, text=request.text[start:end], prefix="") for start, end in places]
    return [replace(parts[0], prefix=request.prefix), *parts[1:]]


def _text(source: str, places: Sequence[Place], translations: Sequence[str]) -> tuple[str, list[int]]:
    """Join translations by what stands between their sources; return where each of them begins, too."""
    text, starts = translations[0], [0]
    for (before, behind), right in zip(pairwise(places), translations[1:], strict=True):
        text += _between(source, before.end, behind.start, text, right) if text and right else ""
        starts.append(len(text))
        text += right
    return text, starts


def _between(source: str, end: int, start: int, left: str, right: str) -> str:
    """Choose the white space between two translations; between Chinese or Japanese ones there is none."""
    space = in_one_line(source[end:start])
    last = next(filter(str.isalnum, reversed(left)), "")
    first = next(filter(str.isalnum, right), "")
    if not space.strip(" ") and _WITHOUT_SPACES.match(last) and _WITHOUT_SPACES.match(first):
        return ""
    # A source without spaces has none to give. One that was cut inside a word needs none.
    is_wide = any(unicodedata.east_asian_width(each) in "WF" for each in source[end - 1 : start + 1])
    return space or " " * is_wide


def _alignment(
    source: str, source_starts: Sequence[int], target: str, target_starts: Sequence[int], best: Sequence[TextHypothesis]
) -> list[tuple[int, int]]:
    """Join alignments: words are numbered as those of the line, where sentences that no space parts share one."""
    links: set[tuple[int, int]] = set()
    for source_start, target_start, each in zip(source_starts, target_starts, best, strict=True):
        left, right = _words_before(source, source_start), _words_before(target, target_start)
        links.update((left + word, right + other) for word, other in each.alignment or ())
    return sorted(links, key=lambda pair: pair[::-1])


def _words_before(text: str, place: int) -> int:
    """Count the words that end before a place, by the spaces that part them."""
    before = text[:place]
    return len(before.split()) - bool(before and not before[-1].isspace())
