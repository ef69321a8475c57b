"""How much of a small text is in the training text too, counted without anything of the training text's size."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nmt.corpus.encoding import EncodedCorpus, Side
from nmt.corpus.reader import ParallelText, is_blank

_CHUNK_PAIRS = 10_000


class Overlap(NamedTuple):
    """How many pairs of a text are in the training text; space around a sentence is ignored."""

    pairs: int
    """that are there as they are"""
    sources: int
    """others, whose source is there with another translation"""


def count_overlaps(corpora: Iterable[EncodedCorpus], texts: Sequence[ParallelText]) -> list[Overlap]:
    """Look for the pairs of each text among those that are trained on; blank sources are no text.

    What filters left out of the corpora, and what is held out of them, is not trained on.
    """
    columns = [[[line.strip() for line in side] for side in text] for text in texts]
    wanted_sources = {source for sources, _ in columns for source in sources if not is_blank(source)}
    wanted_pairs = {pair for sources, targets in columns for pair in zip(sources, targets, strict=True)}
    found_sources: set[str] = set()
    found_pairs: set[tuple[str, str]] = set()
    for corpus in corpora:
        for row, line in enumerate(_lines(corpus.source)):
            source = line.strip()
            if source in wanted_sources:
                found_sources.add(source)
                pair = (source, corpus.target.line(row).strip())
                if pair in wanted_pairs:
                    found_pairs.add(pair)
    overlaps = []
    for sources, targets in columns:
        pairs = sum(pair in found_pairs for pair in zip(sources, targets, strict=True))
        overlaps.append(Overlap(pairs, sum(source in found_sources for source in sources) - pairs))
    return overlaps


def _lines(side: Side) -> Iterator[str]:
    """Yield the raw text of every row; a slice of the arrays for each would take several times as long."""
    for start in range(0, len(side.text_offsets) - 1, _CHUNK_PAIRS):
        offsets = side.text_offsets[start : start + _CHUNK_PAIRS + 1].tolist()
        text = side.text[offsets[0] : offsets[-1]].tobytes()
        for first, end in itertools.pairwise(offsets):
            yield text[first - offsets[0] : end - offsets[0]].decode("utf-8")
