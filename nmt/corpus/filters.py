"""Which pairs a training leaves out: those that are no pairs, and those that are held out for validation."""

import hashlib
from dataclasses import dataclass

import numpy as np

from nmt.corpus.distinct import distinct_pairs
from nmt.corpus.reader import CorpusPaths, Pair, has_text, read_pairs
from nmt.errors import CorpusError


@dataclass(frozen=True)
class Filters:
    """Which pairs training leaves out; lengths in subwords, without the end of sentence.

    Attributes:
        max_source_tokens: longest source.
        max_target_tokens: longest target.
        max_length_ratio: a pair goes when its longer side has more than this many times the subwords of the shorter
            one, plus 10. The ratio of short pairs means little, so that the 10 keeps them.
    """

    max_source_tokens: int = 256
    max_target_tokens: int = 256
    max_length_ratio: float = 4.0

    def reason(self, source_length: int, target_length: int) -> str:
        """Name the FilterCounts field that the pair belongs to."""
        if source_length == 0 or target_length == 0:
            return "empty"
        if source_length > self.max_source_tokens or target_length > self.max_target_tokens:
            return "too_long"
        shorter, longer = sorted((source_length, target_length))
        return "ratio" if longer > self.max_length_ratio * shorter + 10 else "kept"


@dataclass(frozen=True)
class FilterCounts:
    """How many pairs were kept, and how many left out for which reason (the first that applies)."""

    kept: int
    empty: int = 0
    too_long: int = 0
    ratio: int = 0
    validation: int = 0
    repeated: int = 0

    def summary(self) -> str:
        """One line for the log."""
        return (
            f"{self.kept:,} pairs kept; left out: {self.empty:,} with an empty side, {self.too_long:,} too long, "
            f"{self.ratio:,} of unlike lengths"
            + (f", {self.validation:,} whose source is validation text" if self.validation else "")
            + (f", {self.repeated:,} that stand there before: each pair counts once" if self.repeated else "")
        )


def hold_out_threshold(paths: CorpusPaths, pairs: int, *, side: str = "source", deduplicate: bool = False) -> int:
    """Choose the pairs to hold out for validation: those whose `side` hashes below the returned threshold.

    The choice depends on the text alone: the same sources are held out whatever their order, and equal sources stay on
    the same side. About `pairs` pairs go (never more than that, nor than a tenth of the corpus, but one at least).
    With `deduplicate`, a pair that stands several times is one.

    Raises:
        CorpusError: as `read_pairs`, or too few different sentences to hold any out.
    """
    read = distinct_pairs(read_pairs(paths)) if deduplicate else read_pairs(paths)
    hashes = np.sort(np.fromiter((_hash(getattr(p, side)) for p in read if has_text(p)), np.uint64))
    values, starts = np.unique(hashes, return_index=True)
    if not len(values):
        raise CorpusError(f"{paths.label}: no line has text; check the corpus files")
    if len(values) < 2:
        raise CorpusError(
            f"{paths.label}: too few different sentences ({len(values)}) to hold some out for validation; "
            f"name a validation corpus in corpus.valid"
        )
    wanted = max(1, min(pairs, len(hashes) // 10))
    # starts[i] pairs hash below values[i]
    index = int(np.searchsorted(starts, wanted, side="right")) - 1
    return int(values[max(1, index)])


def is_held_out(pair: Pair, threshold: int, *, side: str = "source") -> bool:
    """Whether the pair is validation text under a threshold of `hold_out_threshold`; 0 holds nothing out."""
    return threshold > 0 and _hash(getattr(pair, side)) < threshold and has_text(pair)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.strip().encode("utf-8"), digest_size=8).digest(), "big")
