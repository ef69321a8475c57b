"""Synthetic parallel text with the words and lengths of real text, made from a seed; two seeds have the same languages.

The word of rank r has a frequency in proportion to 1 / r. From rank 8,000 on it falls with 1 / r², as in real text
(Ferrer i Cancho & Solé 2001). So new words come up however long the text is, but ever fewer (Heaps 1978). Frequent
words are short. A few common pairs stand there again and again, as in text of the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

FORMS = 500_000
_CONSONANTS, _VOWELS = "bdfghjklmnprstvwz", "aeiou"
_KERNEL = 8000
"""Words of the first regime."""
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
_CHUNK = 10_000
_FEWEST, _MOST = 3, 60
"""Words of a sentence."""
_REPEATED = 0.05
"""Share of the pairs that are one of the common ones."""
_COMMON = 1000


def sentences(pairs: int, *, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Yield sentences of 13 words on average, and their translations; the first of a longer text are the same.

    A translation has the words of its source one by one, but that neighbours change places here and there.
    """
    yield from islice(_endless(seed), pairs)


def _endless(seed: int) -> Iterator[tuple[str, str]]:
    draw, words = np.random.Generator(np.random.PCG64(seed)), _languages()
    ranks = np.arange(1, FORMS + 1)
    bounds = np.cumsum(np.minimum(1 / ranks, _KERNEL / ranks**2))
    common: list[tuple[str, str]] = []
    while True:
        lengths = np.clip(draw.gamma(2.5, 5.2, _CHUNK), _FEWEST, _MOST).astype(np.int64)
        places = np.searchsorted(bounds, draw.random(int(lengths.sum())) * bounds[-1])
        sources, targets = words[0][places].tolist(), words[1][_swapped(places, draw)].tolist()
        repeated = np.where(draw.random(_CHUNK) < _REPEATED, draw.integers(0, _COMMON, _CHUNK), -1).tolist()
        ends = np.cumsum(lengths)
        spans = zip((ends - lengths).tolist(), ends.tolist(), strict=True)
        made = [(" ".join(sources[start:end]), " ".join(targets[start:end])) for start, end in spans]
        common = common or made[:_COMMON]
        yield from (common[place] if place >= 0 else pair for place, pair in zip(repeated, made, strict=True))


@cache
def _languages() -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Make the words of both languages, which are the same for all seeds of texts."""
    draw = np.random.Generator(np.random.PCG64(0))
    return word_forms(draw), word_forms(draw)


def _swapped(ranks: npt.NDArray[np.int64], draw: np.random.Generator) -> npt.NDArray[np.int64]:
    """Let a tenth of the neighbours change places; a word may then stand in the next sentence, which does no harm."""
    order = np.arange(len(ranks))
    first = 2 * np.flatnonzero(draw.random(len(ranks) // 2) < 0.1)
    order[first], order[first + 1] = first + 1, first
    return ranks[order]


def word_forms(draw: np.random.Generator) -> npt.NDArray[np.object_]:
    """Make different words, those of high frequency first: of one syllable, then of two, then of three."""
    forms: list[str] = []
    syllables = 0
    while len(forms) < FORMS:
        syllables += 1
        chosen = draw.permutation(len(_SYLLABLES) ** syllables)[: FORMS - len(forms)]
        digits = [chosen // len(_SYLLABLES) ** place % len(_SYLLABLES) for place in range(syllables)]
        forms += ["".join(_SYLLABLES[i] for i in word) for word in zip(*map(np.ndarray.tolist, digits), strict=True)]
    return np.array(forms, dtype=object)


def write_text(directory: Path, pairs: int, *, seed: int = 1) -> Path:
    """Write PREFIX.en and PREFIX.de unless they are there, and return the prefix; the same bytes on every machine."""
    prefix = directory / f"zipf-{pairs}-seed-{seed}"
    paths = [prefix.with_name(f"{prefix.name}.{side}") for side in ("en", "de")]
    if not all(path.exists() for path in paths):
        directory.mkdir(parents=True, exist_ok=True)
        partial = [path.with_name(f"{path.name}.partial") for path in paths]
        with open(partial[0], "w", encoding="utf-8") as source, open(partial[1], "w", encoding="utf-8") as target:
            for pair in sentences(pairs, seed=seed):
                source.write(f"{pair[0]}\n")
                target.write(f"{pair[1]}\n")
        for path, made in zip(paths, partial, strict=True):
            made.replace(path)
    return prefix
