"""Lines of several sentences: each is translated by itself, and their translations are joined to one line again."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from nmt.config.search import SearchConfig
from nmt.corpus.reader import is_blank
from nmt.errors import ConfigError
from nmt.search.scores import LengthNormalizer
from nmt.text.scripts import CHINESE, KANA
from nmt.text.sentences import SentenceSplitter
from nmt.text.spans import Place
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line

Alignment: TypeAlias = list[tuple[int, int]]

_WITHOUT_SPACES = re.compile(f"[{CHINESE}{KANA}]")


class Sentences:
    """The layer that cuts lines into sentences."""

    def __init__(self, bundle: Translating, search: SearchConfig, *, is_split: bool = True) -> None:
        """Prepare for lines of a model's source language.

        Args:
            bundle: the model.
            search: how long a sentence may be, and how scores are normalised.
            is_split: False: a line is one sentence.

        Raises:
            ConfigError: sentencex is not installed.
        """
        language, subwords = bundle.source_language, subwords_of(bundle.source_subwords)
        limit = search.max_source_tokens
        self._splitter = SentenceSplitter(language, subwords, max_tokens=limit) if is_split else None
        self._normalizer = LengthNormalizer(search.length_penalty, str(search.normalization))

    def translate(
        self,
        requests: Sequence[Request],
        inner: Callable[[Sequence[Request]], list[Translation | ConfigError]],
    ) -> list[Translation | ConfigError]:
        """Translate lines sentence by sentence; a prefix is what the first sentence begins with."""
        places = [self.places(request.text) for request in requests]
        parts = [_parts(request, each) for request, each in zip(requests, places, strict=True)]
        translations = iter(inner([part for each in parts for part in each]))
        return [
            self._joined(request, each, [next(translations) for _ in line_parts])
            for request, each, line_parts in zip(requests, places, parts, strict=True)
        ]

    def places(self, text: str) -> list[Place]:
        """Find the sentences of a line; a blank one has none."""
        if is_blank(text):
            return []
        if self._splitter is not None:
            return self._splitter.split(text)
        return [Place(len(text) - len(text.lstrip()), len(text.rstrip()))]

    def whole(
        self, text: str, parts: Sequence[Translation], *, id: str | int | None, alignment: Alignment | None = None
    ) -> Translation:
        """Make the translation of a line from those of its sentences: log-probabilities add up."""
        best = [part.hypotheses[0] for part in parts]
        log_prob = sum(each.log_prob for each in best)
        hypothesis = TextHypothesis(
            text,
            float(self._normalizer.score(log_prob, sum(part.target_tokens for part in parts))),
            log_prob,
            all(each.finished for each in best),
            [token for each in best for token in each.tokens],
            alignment,
        )
        warnings = list(dict.fromkeys(warning for part in parts for warning in part.warnings))
        return Translation([hypothesis], warnings, "".join(part.unknown for part in parts), id)

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
        text, starts = joined_text(request.text, places, [each.text for each in best])
        alignment = None
        if all(each.alignment is not None for each in best):
            alignment = _alignment(request.text, [place.start for place in places], text, starts, best)
        return self.whole(text, parts, id=request.id, alignment=alignment)


def _parts(request: Request, places: Sequence[Place]) -> list[Request]:
    if len(places) < 2:
        return [request]
    parts = [replace(request, text=request.text[start:end], prefix="") for start, end in places]
    return [replace(parts[0], prefix=request.prefix), *parts[1:]]


def joined_text(source: str, places: Sequence[Place], translations: Sequence[str]) -> tuple[str, list[int]]:
    """Join translations by what stands between their sources; return where each of them begins, too."""
    text, starts = "".join(translations[:1]), [0]
    pairs = pairwise(zip(places, translations, strict=True))
    for (before, left), (behind, right) in pairs:
        space = in_one_line(source[before.end : behind.start])
        is_same = source[slice(*before)] == left and source[slice(*behind)] == right
        if not is_same:
            # A source without spaces has none to give. One that was cut inside a word needs none.
            around = source[before.end - 1 : behind.start + 1]
            is_wide = any(unicodedata.east_asian_width(each) in "WF" for each in around)
            space = _between(space or " " * is_wide, text, right)
        text += space if text and right else ""
        starts.append(len(text))
        text += right
    return text, starts


def _between(space: str, left: str, right: str) -> str:
    """Leave the space between two translations out where both are Chinese or Japanese."""
    last = next(filter(str.isalnum, reversed(left)), "")
    first = next(filter(str.isalnum, right), "")
    is_unspaced = _WITHOUT_SPACES.match(last) and _WITHOUT_SPACES.match(first)
    return "" if is_unspaced and not space.strip(" ") else space


def _alignment(
    source: str, source_starts: Sequence[int], target: str, target_starts: Sequence[int], best: Sequence[TextHypothesis]
) -> Alignment:
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
