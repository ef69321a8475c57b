"""Which words of a text became which of its translation: one forced pass of the model over both, as characters see it.

Shapes: T target units, S source units of a pair; a unit is a word, a protected span or a single other character.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.config.search import SearchConfig
from nmt.search.interface import Constraints
from nmt.text.scripts import is_unspaced
from nmt.text.spans import Place, find_spans
from nmt.text.subwords import MARKS, SPACE, SubwordModel
from nmt.text.vocabulary import subwords_of
from nmt.translation.capitals import Capitals
from nmt.translation.languages import source_prefix
from nmt.translation.model import Translating
from nmt.translation.protection import ProtectedLine, Protector
from nmt.translation.request import Request
from nmt.translation.rows import Row, RowTranslator

_ATTACHED = "\u200c\u200d\u00ad"
_INSIDE_WORDS = "'’-_.,·"


class Links(NamedTuple):
    """How the units of a pair belong together."""

    source: list[Place]
    """(S,)"""
    target: list[Place]
    """(T,)"""
    weights: npt.NDArray[np.floating[Any]]
    """(T, S) higher where a target unit has more of a source unit"""


class Linker:
    """Links texts and their translations."""

    def __init__(self, bundle: Translating, search: SearchConfig) -> None:
        """Take the model, and how it reads lines."""
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self._rows = RowTranslator(bundle, search, n_best=1, with_weights=True)
        self._protector = Protector(self._source, self._target)
        self._bundle, self._search, self._capitals = bundle, search, Capitals(bundle, search)

    def link(self, pairs: Sequence[tuple[str, str]], languages: Sequence[str | None] = ()) -> list[Links]:
        """Link the units of each pair of a text and its translation, into one of `languages`; empty: as always."""
        languages = languages or [None] * len(pairs)
        read = [self._read(*pair, to) for pair, to in zip(pairs, languages, strict=True)]
        lines = [self._protector.protect(source) for source, _ in read]
        targets = [line.with_marks(target) for line, (_, target) in zip(lines, read, strict=True)]
        asked: list[tuple[Row, list[int]]] = []
        prefixes = [source_prefix(self._bundle, self._search, to=to) for to in languages]
        for line, target, before in zip(lines, targets, prefixes, strict=True):
            ids = tuple(self._source.encode(line.given)[: self._search.max_source_tokens])
            asked.append((Row(before, ids, Constraints(), 1), self._target.encode(line.without_unknown(target))))
        linkable = [number for number, (row, tokens) in enumerate(asked) if row.ids and tokens]
        attention = dict(zip(linkable, self._rows.attention([asked[number] for number in linkable]), strict=True))
        links: list[Links] = []
        for number, (pair, line, target) in enumerate(zip(pairs, lines, targets, strict=True)):
            units = units_of(pair[0]), units_of(pair[1])
            weights = _even(len(units[1]), len(units[0]))
            if (token_weights := attention.get(number)) is not None:
                columns = _units_of_tokens(
                    units[0], self._tokens(pair[0], line.marked, line, self._source), token_weights.shape[1]
                )
                rows = _units_of_tokens(
                    units[1], self._tokens(pair[1], target, line, self._target), token_weights.shape[0]
                )
                weights = 1e-6 * weights + rows.T @ token_weights @ np.roll(columns, len(prefixes[number]), axis=0)
            links.append(Links(*units, weights + _same(*pair, *units)))
        return links

    def _read(self, source: str, target: str, to: str | None) -> tuple[str, str]:
        """Write a pair in capitals as the model translated it."""
        usual = self._capitals.usual(Request(source, prefix=target, to=to)).request
        return usual.text, usual.prefix

    def _tokens(self, text: str, marked: str, line: ProtectedLine, subwords: SubwordModel) -> list[int]:
        """Say which token each character of a text is of; -1: none."""
        readable = line.without_unknown(marked)
        bytes_of, spans = set(subwords.byte_ids), dict(zip(MARKS, line.spans, strict=False))
        owners: list[int] = []
        for token, (i, piece) in enumerate(zip(subwords.encode(readable), subwords.surfaces(readable), strict=True)):
            # Of the bytes of a character the first one counts.
            count = (int(piece[3:5], 16) & 0xC0) != 0x80 if i in bytes_of else len(piece.replace(SPACE, ""))
            owners += [token] * count
        rest, tokens = iter(owners), list[int]()
        for character in marked:
            is_silent = character in line.unknown or character in (" ", SPACE)
            tokens += [-1 if is_silent else next(rest, -1)] * len(spans.get(character, " "))
        # A text that was composed has other characters; their share of the whole is about the same.
        return tokens if len(tokens) == len(text) else [tokens[i * len(tokens) // len(text)] for i in range(len(text))]


def units_of(text: str) -> list[Place]:
    """Cut a text into what tags may stand between: words, protected spans and other characters, without spaces."""
    units: list[Place] = []
    spans = iter([*find_spans(text, None), Place(len(text), len(text))])
    span, place = next(spans), 0
    while place < len(text):
        if place == span.start:
            units.append(span)
            place, span = span.end, next(spans)
            continue
        end = place + 1
        while end < span.start and _is_one(text, end):
            end += 1
        if not text[place].isspace():
            units.append(Place(place, end))
        place = end
    return units


def _is_one(text: str, border: int) -> bool:
    """Tell whether the characters around a border are of one word."""
    left, right = text[border - 1], text[border]
    if left.isspace():
        return False
    if unicodedata.category(right)[0] == "M" or "\U0001f3fb" <= right <= "\U0001f3ff" or right in _ATTACHED:
        return True
    if left in _ATTACHED:
        return not right.isspace()
    if left in _INSIDE_WORDS:
        return _is_letter(right) and border > 1 and _is_letter(text[border - 2])
    is_inner = right in _INSIDE_WORDS and _is_letter(text[border + 1 : border + 2])
    return _is_letter(left) and (_is_letter(right) or is_inner)


def _is_letter(character: str) -> bool:
    is_of_word = character.isalnum() or unicodedata.category(character or " ")[0] == "M"
    return is_of_word and not is_unspaced(character)


def _units_of_tokens(units: Sequence[Place], tokens: Sequence[int], count: int) -> npt.NDArray[np.float64]:
    """Say how much of each token is of each unit: (count, units)."""
    shares = np.zeros((count, len(units)))
    for number, (start, end) in enumerate(units):
        for token in tokens[start:end]:
            if 0 <= token < count:
                shares[token, number] += 1
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1))


def _even(targets: int, sources: int) -> npt.NDArray[np.float64]:
    """Weigh units by how alike their places are: (T, S)."""
    places = [(np.arange(count) + 0.5) / max(1, count) for count in (targets, sources)]
    return np.asarray(1 - abs(places[0][:, None] - places[1][None]))


def _same(source: str, target: str, sources: Sequence[Place], targets: Sequence[Place]) -> npt.NDArray[np.float64]:
    """Find the units that are the same on both sides, and once only: (T, S)."""
    texts = [[text[start:end] for start, end in units] for text, units in ((target, targets), (source, sources))]
    weights = np.zeros((len(targets), len(sources)))
    counts = [Counter(side) for side in texts]
    places = [
        {unit: i for i, unit in enumerate(side) if unit_counts[unit] == 1}
        for side, unit_counts in zip(texts, counts, strict=True)
    ]
    for unit in places[0].keys() & places[1].keys():
        weights[places[0][unit], places[1][unit]] = 2
    return weights
