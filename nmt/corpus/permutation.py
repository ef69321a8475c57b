"""Seeded permutations of any size that need no memory: each value is computed when it is asked for."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Words = npt.NDArray[np.uint64]
_ROUNDS = 8


@dataclass(frozen=True)
class Permutation:
    """A permutation of 0 … size − 1: a generalised Feistel network with cycle walking (Black & Rogaway 2002).

    A number x is the pair (x div b, x mod b) with a·b ≥ size. Every round adds a keyed hash of one half to the other.
    Subtracting the hash undoes the round, so the network permutes 0 … a·b − 1. A result of `size` or more goes through
    the network again; since a·b − size < a, few do.

    Attributes:
        size: how many numbers are permuted.
        entropy: the key, whole numbers of 0 or more; as for NumPy's `SeedSequence`, zeros at the end count for nothing.
    """

    size: int
    entropy: tuple[int, ...]

    def __call__(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(B,) positions, each below `size` → (B,) the numbers there."""
        keys = np.random.SeedSequence(self.entropy).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
        numbers = self._network(positions.astype(np.uint64), keys)
        while len(outside := np.flatnonzero(numbers >= self.size)):
            numbers[outside] = self._network(numbers[outside], keys)
        return numbers.astype(np.int64)

    def _network(self, numbers: _Words, keys: _Words) -> _Words:
        high = math.isqrt(self.size - 1) + 1  # a, and b is `low`
        low = -(-self.size // high)
        left: _Words = numbers // np.uint64(low)
        right: _Words = numbers % np.uint64(low)
        for i in range(0, _ROUNDS, 2):
            left = (left + _hash(right, keys[i]) % np.uint64(high)) % np.uint64(high)
            right = (right + _hash(left, keys[i + 1]) % np.uint64(low)) % np.uint64(low)
        left *= np.uint64(low)
        left += right
        return left


def _hash(numbers: _Words, key: np.uint64) -> _Words:
    """SplitMix64's output function (Steele et al. 2014) of number + key, modulo 2^64."""
    mixed: _Words = numbers + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
