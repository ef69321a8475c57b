"""Which words of a pair translate each other, and which words of the corpus may take their places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp
from typing import Self

import numpy as np

from nmt.corpus.reader import Pair
from nmt.text.alignment import learn_table
from nmt.text.scripts import is_unspaced
from nmt.text.subwords import MARKS

_TENSION = 4.0
"""λ of `nmt.text.alignment`."""
_LEAST_LINK = 0.05
"""Probability below which a word is no translation of another."""
_LEAST_ENTRY, _LEAST_COUNT = 0.3, 2.0
"""Probability and expected occurrences below which two words are no entry of the lexicon."""


def split_line(text: str) -> tuple[list[str], str]:
    """Split a line into words, or into characters where its script has no spaces; return what joins them again too."""
    spaced_words = [word for word in text.split(" ") if word]
    if len(spaced_words) < 2 and any(map(is_unspaced, text)):
        return list(text), ""
    return spaced_words, " "


@dataclass(frozen=True)
class WordLinks:
    """What word alignment of a training text knows of its words.

    Attributes:
        probabilities: p(target | source) of likely translations, by source, then by target.
        entries: pairs of words that translate each other often, in a fixed order.
    """

    probabilities: dict[str, dict[str, float]]
    entries: Sequence[Pair]

    @classmethod
    def learn(cls, pairs: Iterable[Pair], *, max_cells: int = 20_000_000) -> Self:
        """Align a text; see `nmt.text.alignment.learn_table`, CorpusError too."""
        ids: tuple[dict[str, int], dict[str, int]] = ({}, {})
        rows: tuple[list[list[int]], list[list[int]]] = ([], [])
        for pair in pairs:
            for word_ids, side, text in zip(ids, rows, pair, strict=True):
                side.append([word_ids.setdefault(word, len(word_ids)) for word in split_line(text)[0]])
        table = learn_table(*rows, target_vocabulary=len(ids[1]), max_cells=max_cells)
        sources, targets = map(list, ids)
        probabilities: dict[str, dict[str, float]] = {}
        likely = np.flatnonzero(table.probabilities >= _LEAST_LINK)
        for i in likely.tolist():
            of_source = probabilities.setdefault(sources[table.sources[i]], {})
            of_source[targets[table.targets[i]]] = float(table.probabilities[i])
        often = np.flatnonzero((table.probabilities >= _LEAST_ENTRY) & (table.counts >= _LEAST_COUNT))
        entries = [Pair(sources[table.sources[i]], targets[table.targets[i]]) for i in often.tolist()]
        # A mark for a protected span comes into a pair with the span alone.
        return cls(probabilities, [entry for entry in entries if not set("".join(entry)).intersection(MARKS)])

    def links(self, source: Sequence[str], target: Sequence[str]) -> list[int | None]:
        """Find for each target word the place of the source word that it most likely translates, None for no such word.

        The place counts too: p(target | source) · exp(-λ |i/m - j/n|), as in `nmt.text.alignment`.
        """
        places: list[int | None] = []
        for j, word in enumerate(target, start=1):
            best, best_weight = None, 0.0
            for i, other in enumerate(source):
                probability = self.probabilities.get(other, {}).get(word, 0.0)
                weight = probability and probability * exp(-_TENSION * abs((i + 1) / len(source) - j / len(target)))
                if weight > best_weight:
                    best, best_weight = i, weight
            places.append(best)
        return places
