"""The few array operations that search needs, for torch tensors and for NumPy arrays alike.

Only what is V wide stays where the model put it (on a GPU, perhaps); the few candidates of a step come to the host in
one transfer, and all bookkeeping is plain NumPy, the same for both. torch is imported when a tensor first arrives.

Shapes: B sentences, K places of a beam, V vocabulary.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nmt.search.interface import Array

if TYPE_CHECKING:
    import torch

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

# Finding the best of 320 rows of 8,000 in chunks takes half the time (one CPU thread, torch and NumPy), that of a few
# rows longer.
_CHUNK = 64
_CHUNKED_ROWS = 16
_CHUNKED_COLUMNS = 8 * _CHUNK  # for each entry wanted

# NumPy makes several passes over the logits: 15 to 45 % faster over so many at a time, which stay in the cache.
_BLOCK = 2**16


def operations_for(array: Array) -> Operations:
    """Choose the operations for this kind of array.

    Raises:
        TypeError: it is neither a torch tensor nor a NumPy array.
    """
    if isinstance(array, np.ndarray):
        return NumpyOperations()
    if "torch" in sys.modules and isinstance(array, sys.modules["torch"].Tensor):
        return TorchOperations(array.device)
    raise TypeError(f"search reads torch tensors and NumPy arrays, not {type(array).__name__}")


def to_host(array: Array) -> npt.NDArray[Any]:
    """Bring an array, or a sequence of numbers, to the host as a NumPy array; free where it is there."""
    return np.asarray(array) if isinstance(array, np.ndarray | Sequence) else operations_for(array).to_host(array)


class Operations(ABC):
    """Array operations on one kind of array."""

    @abstractmethod
    def to_host(self, array: Array) -> npt.NDArray[Any]:
        """Bring an array to the host."""

    @abstractmethod
    def from_host(self, integers: Ints) -> Array:
        """Bring integers to where the model computes."""

    @abstractmethod
    def log_softmax(self, logits: Array) -> Array:
        """Normalise over the last axis: (..., V) → (..., V), a fresh array, of single precision at least, none above 0.

        torch's one fused pass over (64, 5, 8000) logits takes 3.5 ms of one CPU thread where logsumexp takes 4.9 ms,
        which is why search does not subtract logsumexp from the few it keeps.
        """

    @abstractmethod
    def exclude(self, log_probs: Array, tokens: Ints) -> Array:
        """Put -inf at these tokens of every place, in place: (..., V), (N,) → the same (..., V)."""

    @abstractmethod
    def exclude_at(self, log_probs: Array, sentences: Ints, places: Ints, tokens: Ints) -> Array:
        """Put -inf at single entries, in place: (B, K, V), three of (N,) → the same (B, K, V)."""

    @abstractmethod
    def without_gradients(self) -> AbstractContextManager[object]:
        """Record nothing for a backward pass while the context is open."""

    def top_k(self, values: Array, count: int) -> tuple[Floats, Ints]:
        """Find the best entries of the last axis, best first: (..., V) → (..., K) values and indices, on the host.

        K is `count`, or V if that is smaller. Of equal values the one with the lower index comes first, on both kinds
        of array. Library routines choose freely among equals, so one entry more than needed is fetched: if all of
        these differ, the choice and its order are unique; a row where two are equal, which is rare, is sorted by a
        stable sort. (-inf, where nothing may be chosen, is in any order.)
        """
        shape, columns = values.shape[:-1], values.shape[-1]
        count = min(count, columns)
        rows = values.reshape((-1, columns))
        if count == 1:
            best, indices = self._first_best(rows)
        elif len(rows) >= _CHUNKED_ROWS and columns >= _CHUNKED_COLUMNS * count and self._chunks_pay():
            best, indices = self._best_in_chunks(rows, count + 1)
        else:
            best, indices = map(self.to_host, self._best(rows, min(count + 1, columns)))
        if count > 1:
            equal = (best[:, 1:] == best[:, :-1]) & (best[:, 1:] > -np.inf)
            best, indices = best[:, :count], indices[:, :count]
            for row in np.flatnonzero(equal.any(1)).tolist():
                order = self._stable_order(rows[row])[:count]
                best[row], indices[row] = self.to_host(rows[row])[order], order
        return best.astype(np.float64).reshape((*shape, count)), indices.reshape((*shape, count))

    def _best_in_chunks(self, rows: Array, count: int) -> tuple[npt.NDArray[Any], Ints]:
        """Do as `_best`, on the host, looking only into the `count` chunks whose maxima are the largest.

        Every value of a chunk left out is at most the maximum of each chunk looked into, so these hold the `count`
        best values of all (of equals, any).
        """
        chunks = rows.shape[-1] // _CHUNK
        split = rows[:, : chunks * _CHUNK].reshape((len(rows), chunks, _CHUNK))
        row_numbers = np.arange(len(rows))[:, None]
        chosen = self._best(self._maxima(split), count)[1]
        inside = split[self.from_host(row_numbers), chosen].reshape((len(rows), count * _CHUNK))
        best, places = map(self.to_host, self._best(inside, count))
        indices = self.to_host(chosen)[row_numbers, places // _CHUNK] * _CHUNK + places % _CHUNK
        if chunks * _CHUNK == rows.shape[-1]:
            return best, indices
        rest = self.to_host(rows[:, chunks * _CHUNK :])
        rest_indices = np.broadcast_to(np.arange(chunks * _CHUNK, rows.shape[-1]), rest.shape)
        best, indices = np.concatenate([best, rest], -1), np.concatenate([indices, rest_indices], -1)
        order = np.argsort(-best, axis=-1)[:, :count]
        return best[row_numbers, order], indices[row_numbers, order]

    @abstractmethod
    def _chunks_pay(self) -> bool:
        """Whether `_best_in_chunks` is faster than `_best` for many long rows."""

    @abstractmethod
    def _maxima(self, values: Array) -> Array:
        """Take the maximum over the last axis."""

    @abstractmethod
    def _first_best(self, rows: Array) -> tuple[npt.NDArray[Any], Ints]:
        """Find the largest value of each row, the first of equals: (R, V) → (R,) and (R,), on the host."""

    @abstractmethod
    def _best(self, rows: Array, count: int) -> tuple[Array, Array]:
        """Find the `count` largest values of each row, best first, of equals any: (R, V) → two of (R, count)."""

    @abstractmethod
    def _stable_order(self, row: Array) -> Ints:
        """Sort one row (V,) from best to worst, equals by index, and return the indices, on the host."""


class NumpyOperations(Operations):
    """Operations on NumPy arrays."""

    def to_host(self, array: Array) -> npt.NDArray[Any]:
        """See `Operations`."""
        return np.asarray(array)

    def from_host(self, integers: Ints) -> Array:
        """See `Operations`."""
        return integers

    def log_softmax(self, logits: Array) -> Array:
        """See `Operations`."""
        result = np.empty(logits.shape, dtype=np.result_type(logits, np.float32))
        rows, results = (array.reshape((-1, array.shape[-1])) for array in (logits, result))
        size = max(1, _BLOCK // logits.shape[-1])
        for start in range(0, len(rows), size):
            block, shifted = rows[start : start + size], results[start : start + size]
            np.subtract(block, block.max(-1, keepdims=True), out=shifted)
            shifted -= np.log(np.exp(shifted).sum(-1, keepdims=True))
        return result

    def exclude(self, log_probs: Array, tokens: Ints) -> Array:
        """See `Operations`."""
        log_probs[..., tokens] = -np.inf
        return log_probs

    def exclude_at(self, log_probs: Array, sentences: Ints, places: Ints, tokens: Ints) -> Array:
        """See `Operations`."""
        log_probs[sentences, places, tokens] = -np.inf
        return log_probs

    def without_gradients(self) -> AbstractContextManager[object]:
        """See `Operations`."""
        return nullcontext()

    def _chunks_pay(self) -> bool:
        return True

    def _maxima(self, values: Array) -> Array:
        return values.max(-1)

    def _first_best(self, rows: Array) -> tuple[npt.NDArray[Any], Ints]:
        indices = rows.argmax(-1)
        return rows[np.arange(len(rows)), indices], indices

    def _best(self, rows: Array, count: int) -> tuple[Array, Array]:
        row_numbers = np.arange(len(rows))[:, None]
        indices = np.argpartition(rows, rows.shape[-1] - count, axis=-1)[:, -count:]
        indices = indices[row_numbers, np.argsort(-rows[row_numbers, indices], axis=-1)]
        return rows[row_numbers, indices], indices

    def _stable_order(self, row: Array) -> Ints:
        return np.argsort(-row, kind="stable")


class TorchOperations(Operations):
    """Operations on torch tensors of one device."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._torch = torch
        self._device = device

    def to_host(self, array: Array) -> npt.NDArray[Any]:
        """See `Operations`."""
        array = array.detach()
        if array.dtype == self._torch.bfloat16:  # unknown to NumPy
            array = array.float()
        return np.asarray(array.cpu())

    def from_host(self, integers: Ints) -> Array:
        """See `Operations`."""
        return self._torch.from_numpy(np.ascontiguousarray(integers)).to(self._device)

    def log_softmax(self, logits: Array) -> Array:
        """See `Operations`."""
        return logits.log_softmax(-1, dtype=self._torch.promote_types(logits.dtype, self._torch.float32))

    def exclude(self, log_probs: Array, tokens: Ints) -> Array:
        """See `Operations`."""
        return log_probs.index_fill_(-1, self.from_host(tokens), -np.inf)

    def exclude_at(self, log_probs: Array, sentences: Ints, places: Ints, tokens: Ints) -> Array:
        """See `Operations`."""
        log_probs[self.from_host(sentences), self.from_host(places), self.from_host(tokens)] = -np.inf
        return log_probs

    def without_gradients(self) -> AbstractContextManager[object]:
        """See `Operations`."""
        return self._torch.no_grad()

    def _chunks_pay(self) -> bool:
        return self._device.type == "cpu"

    def _maxima(self, values: Array) -> Array:
        return values.amax(-1)

    def _first_best(self, rows: Array) -> tuple[npt.NDArray[Any], Ints]:
        best, indices = rows.max(-1)
        return self.to_host(best), self.to_host(indices)

    def _best(self, rows: Array, count: int) -> tuple[Array, Array]:
        best, indices = rows.topk(count, -1)
        return best, indices

    def _stable_order(self, row: Array) -> Ints:
        return self.to_host(row.sort(stable=True, descending=True).indices)
