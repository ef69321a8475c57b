"""Pairs that stand in a text several times: each is told from those before it by a hash of 64 bits."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

import numpy as np
import numpy.typing as npt

from nmt.corpus.reader import Pair

_CHUNK_PAIRS = 10_000
_Hashes = npt.NDArray[np.uint64]


class SeenPairs:
    """The pairs of a text so far, in eight bytes each.

    Their hashes stand in sorted arrays, each more than twice as long as the next. So they are few, and a hash is moved
    seldom. Of n pairs, about n² / 2^65 are expected to have another one's hash by chance: none in a million.
    """

    def __init__(self) -> None:
        """Know no pair yet."""
        self._sorted: list[_Hashes] = []

    def __len__(self) -> int:
        """Count the different pairs so far."""
        return sum(map(len, self._sorted))

    def add(self, pairs: Sequence[Pair]) -> npt.NDArray[np.bool_]:
        """Take in pairs; tell of each, (N,), whether it stood before, among these or earlier ones."""
        hashes = np.fromiter(map(pair_hash, pairs), np.uint64, len(pairs))
        fresh = np.zeros(len(pairs), np.bool_)
        fresh[np.unique(hashes, return_index=True)[1]] = True
        for known in self._sorted:
            places = np.searchsorted(known, hashes)
            fresh &= known[np.minimum(places, len(known) - 1)] != hashes
        new = hashes[fresh]
        while self._sorted and len(self._sorted[-1]) <= 2 * len(new):
            new = np.concatenate([self._sorted.pop(), new])
        if len(new):
            self._sorted.append(np.sort(new))
        return ~fresh


def distinct_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield each different pair once, where it stands first; memory holds eight bytes for each."""
    seen, iterator = SeenPairs(), iter(pairs)
    while chunk := list(islice(iterator, _CHUNK_PAIRS)):
        repeated = seen.add(chunk)
        yield from (pair for pair, stood_before in zip(chunk, repeated, strict=True) if not stood_before)


def pair_hash(pair: Pair) -> int:
    """Hash both texts, without the space around them, to 64 bits."""
    text = f"{pair.source.strip()}\n{pair.target.strip()}"
    return int.from_bytes(blake2b(text.encode("utf-8"), digest_size=8).digest(), "big")
