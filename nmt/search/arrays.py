"""The few array operations that search needs, for torch tensors and for NumPy arrays alike.

Arrays that are V wide stay where the model put them, which may be a GPU. The few candidates of a step come to the host
in one transfer. All bookkeeping is plain NumPy, the same for both. torch is imported when a model first has a device.

Shapes: B sentences, K places of a beam, V columns of the logits (the vocabulary, or a shortlist of it), R = B · K rows.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nmt.search.interface import Array

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

# Logits that NumPy passes over at a time: they fit in the processor's cache.
_BLOCK = 2**16
# Groups of columns, and groups of groups, whose maxima bound what the best of a row must reach.
_GROUPS = 1024
_COARSE = 64
# Above this many logits, looking for those groups is faster than comparing all logits.
_MANY = 2**17
# More than the rounding error of a log-probability plus a logit in double precision.
_ROUNDING = 1e-9


class Continuations(NamedTuple):
    """Possible next tokens, M of them over all sentences, on the host; those of a sentence by place, then column."""

    sentences: Ints
    """(M,) rows of the step's arrays"""
    places: Ints
    """(M,)"""
    tokens: Ints
    """(M,) columns of the logits"""
    log_probs: Floats
    """(M,) of the whole hypothesis, this token included"""

    def only(self, chosen: Bools) -> "Continuations":
        """Take those that are chosen, (M,)."""
        return Continuations(self.sentences[chosen], self.places[chosen], self.tokens[chosen], self.log_probs[chosen])


class Operations:
    """Array operations on NumPy arrays."""

    def to_host(self, array: Array) -> npt.NDArray[Any]:
        """Bring an array to the host."""
        return np.asarray(array)

    def from_host(self, integers: Ints) -> Array:
        """Bring integers to where the model computes."""
        return integers

    def without_gradients(self) -> AbstractContextManager[object]:
        """Record nothing for a backward pass while the context is open."""
        return nullcontext()

    def continuations(self, logits: Array, log_probs: Floats, count: int, *, normalized: bool = False) -> Continuations:
        """Find at least the best `count` continuations of every sentence, or all where these are fewer.

        Where equals compete for the last rank, the result has those of the lowest place and column. A result's number
        is log_prob + log_softmax(logits) of its place. It does not depend on what else is in the batch. torch
        normalises all logits, in fp32 at least. NumPy normalises only the results, in double precision.

        Args:
            logits: (B, K, V); they are only read.
            log_probs: (B, K) of the prefixes, -inf for an empty place, which has no continuation but perhaps -inf.
            count: 1 or more.
            normalized: whether the logits are log-probabilities already.

        Raises:
            FloatingPointError: a row of logits holds NaN or +inf, or nothing above -inf.
        """
        batch_size, places, columns = logits.shape
        rows = _single_at_least(logits).reshape(batch_size * places, columns)
        offsets = log_probs.reshape(-1, 1)  # (R, 1), what a logit is added to
        if not normalized:
            offsets = offsets - _log_normalizers(rows)
        if count == places == 1:
            everyone, best = np.arange(batch_size), rows.argmax(1)  # of equals the first
            peaks = rows[everyone, best]
            _check(peaks)
            return Continuations(everyone, np.zeros(batch_size, dtype=np.int64), best, offsets[:, 0] + peaks)
        reaching = _reaching(rows, offsets, count, places=places)
        numbers, tokens = np.divmod(reaching, columns)
        sentences, slots = np.divmod(numbers, places)
        return Continuations(sentences, slots, tokens, offsets[numbers, 0] + rows.reshape(-1)[reaching])

    def log_softmax(self, logits: Array) -> Array:
        """Normalise logits (B, K, V), in fp32 at least."""
        rows = _single_at_least(logits).reshape(-1, logits.shape[-1])
        return (rows - _log_normalizers(rows)).astype(rows.dtype).reshape(logits.shape)

    def draw(
        self, logits: Array, uniforms: Floats, *, temperature: float = 1.0, normalized: bool = False
    ) -> tuple[Ints, Floats]:
        """Draw a column for every place from softmax(logits / temperature), by the inverse of its distribution.

        A place's column depends on its own logits and number alone.

        Args:
            logits: (B, K, V); they are only read.
            uniforms: (B, K) random numbers in [0, 1).
            temperature: above 0; the higher, the more alike all columns are.
            normalized: whether the logits are log-probabilities already.

        Returns:
            (B, K) columns, and (B, K) their log-probabilities at temperature 1.

        Raises:
            FloatingPointError: a row of logits holds NaN or +inf, or nothing above -inf.
        """
        rows = _single_at_least(logits).reshape(-1, logits.shape[-1])
        peaks = rows.max(1, keepdims=True)
        _check(peaks)
        weights = np.exp((rows - peaks) / temperature, dtype=np.float64).cumsum(1)
        # Not where the sum reaches the number, but where it passes it: what has no probability is never drawn.
        columns = (weights > uniforms.reshape(-1, 1) * weights[:, -1:]).argmax(1)
        log_probs = rows[np.arange(len(rows)), columns] - (0.0 if normalized else _log_normalizers(rows)[:, 0])
        return columns.reshape(uniforms.shape), np.asarray(log_probs, dtype=np.float64).reshape(uniforms.shape)


def _single_at_least(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(logits, dtype=np.float32 if logits.dtype.itemsize < 4 else None)


def _check(peaks: npt.NDArray[Any]) -> None:
    """Raise FloatingPointError where the largest of a row, which NaN counts for, is not a number."""
    if np.count_nonzero(np.isfinite(peaks)) < peaks.size:
        raise FloatingPointError


def _log_normalizers(rows: npt.NDArray[Any]) -> Floats:
    """Take logsumexp of every row: (R, V) → (R, 1)."""
    peaks, sums = np.empty((2, len(rows), 1), dtype=rows.dtype)
    size = max(1, _BLOCK // rows.shape[1])
    shifted = np.empty((min(size, len(rows)), rows.shape[1]), dtype=rows.dtype)
    for start in range(0, len(rows), size):
        block, end = rows[start : start + size], start + size
        peak = block.max(1, keepdims=True, out=peaks[start:end])
        _check(peak)
        work = np.subtract(block, peak, out=shifted[: len(block)])
        np.exp(work, out=work).sum(1, keepdims=True, out=sums[start:end])
    return np.asarray(peaks + np.log(sums, dtype=np.float64))


def _reaching(rows: npt.NDArray[Any], offsets: Floats, count: int, *, places: int) -> Ints:
    """Find at least the best `count` logits of every sentence, counted through all of (R, V), ascending.

    Of many rows only those groups of columns are looked through whose maximum is good enough.

    Raises:
        FloatingPointError: there is NaN or +inf among them.
    """
    columns = rows.shape[1]
    maxima = _maxima(rows, _GROUPS)
    floors = _floors(maxima, offsets, count, places=places)
    if maxima is rows or rows.size < _MANY:
        return np.flatnonzero(rows >= floors)
    numbers, groups = np.divmod(np.flatnonzero(maxima >= floors), _GROUPS)
    tokens = groups[:, None] + np.arange(0, columns, _GROUPS)
    within = np.minimum(tokens, columns - 1)
    reached = (rows[numbers[:, None], within] >= floors[numbers]) & (tokens == within)
    return np.sort((numbers[:, None] * columns + tokens)[reached])


def _maxima(rows: npt.NDArray[Any], groups: int) -> npt.NDArray[Any]:
    """Take the maxima of groups of columns, those of column j mod G: (R, V) → (R, G); few columns stay as they are."""
    columns = rows.shape[1]
    if columns < 2 * groups:
        return rows
    whole = columns // groups * groups
    maxima: npt.NDArray[Any] = rows[:, :whole].reshape(len(rows), -1, groups).max(1)
    rest = maxima[:, : columns - whole]
    np.maximum(rest, rows[:, whole:], out=rest)
    return maxima


def _floors(maxima: npt.NDArray[Any], offsets: Floats, count: int, *, places: int) -> npt.NDArray[Any]:
    """Find what a logit must reach to be among its sentence's best `count`, or a little less: (R, G) → (R, 1).

    The maximum of a group of columns is an entry itself. So at least `count` entries reach the `count`-th best of these
    maxima: all of the best `count`, with all equals of the last, and few others. The same holds for maxima of groups
    of groups, which are fewer to order.

    Raises:
        FloatingPointError: there is NaN or +inf among the maxima.
    """
    if places * _COARSE >= 4 * count:
        maxima = _maxima(maxima, _COARSE)
    if not maxima.max() < np.inf:  # a NaN anywhere is the maximum
        raise FloatingPointError
    scores = (offsets + maxima).reshape(len(maxima) // places, -1)
    lowest = np.finfo(maxima.dtype).min
    if count >= scores.shape[1]:
        return np.where(offsets > -np.inf, lowest, np.inf).astype(maxima.dtype)
    least = np.partition(scores, -count, axis=1)[:, -count].repeat(places)[:, None]
    # An empty place's offset is -inf: nothing reaches its floor.
    floors = np.maximum(np.maximum(least, lowest) - offsets - _ROUNDING, lowest)
    return np.asarray(np.nextafter(floors.astype(maxima.dtype), lowest))


class TorchOperations(Operations):
    """The same operations on torch tensors of one device."""

    def __init__(self, device: Any) -> None:
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

    def without_gradients(self) -> AbstractContextManager[object]:
        """See `Operations`."""
        return self._torch.no_grad()

    def log_softmax(self, logits: Array) -> Array:
        """See `Operations`."""
        return logits.log_softmax(-1, dtype=self._torch.promote_types(logits.dtype, self._torch.float32))

    def continuations(self, logits: Array, log_probs: Floats, count: int, *, normalized: bool = False) -> Continuations:
        """See `Operations`; torch normalises all logits faster than NumPy takes their logsumexp."""
        if not normalized:
            logits = self.log_softmax(logits)
        if self._device.type == "cpu":
            return super().continuations(self.to_host(logits), log_probs, count, normalized=True)
        return self.continuations_on_device(logits, log_probs, count)

    def continuations_on_device(self, logits: Array, log_probs: Floats, count: int) -> Continuations:
        """Do as `continuations` with normalised logits, bringing to the host the best of every place only."""
        batch_size, places, columns = logits.shape
        rows = logits.reshape(batch_size * places, columns)
        some = count < columns
        count = min(count, columns)
        values, tokens = (self.to_host(array) for array in rows.topk(min(count + 1, columns), 1))
        # topk chooses freely among equals; where one was left out, a stable sort of the whole row decides.
        for row in np.flatnonzero(values[:, count - 1] == values[:, -1]) if values.shape[1] > count else ():
            best = rows[int(row)].sort(stable=True, descending=True)
            values[row], tokens[row] = (self.to_host(array[: count + 1]) for array in best)
        _check(values[:, 0])
        order = tokens[:, :count].argsort(1)
        tokens, values = np.take_along_axis(tokens, order, 1), np.take_along_axis(values, order, 1)
        totals = log_probs.reshape(-1, 1) + values
        # What a place did not list is at most the worst that it did. Below the largest of these others may be missing.
        floors = totals.min(1).reshape(batch_size, places).max(1).repeat(places)[:, None] if some else -np.inf
        numbers, ranks = np.nonzero((totals > -np.inf) & (totals >= floors))
        sentences, slots = np.divmod(numbers, places)
        return Continuations(sentences, slots, tokens[numbers, ranks], totals[numbers, ranks])

    def draw(
        self, logits: Array, uniforms: Floats, *, temperature: float = 1.0, normalized: bool = False
    ) -> tuple[Ints, Floats]:
        """See `Operations`; what is V wide stays on the device."""
        torch = self._torch
        if not normalized:
            logits = self.log_softmax(logits)
        _check(self.to_host(logits.amax(-1)))
        sums = (logits / temperature).softmax(-1).cumsum(-1, dtype=torch.float64)
        thresholds = torch.from_numpy(uniforms).to(sums.device).unsqueeze(-1) * sums[..., -1:]
        columns = torch.searchsorted(sums, thresholds, right=True)
        log_probs = self.to_host(logits.gather(-1, columns).squeeze(-1)).astype(np.float64)
        return self.to_host(columns.squeeze(-1)), log_probs


def operations_for(device: Any | None) -> Operations:
    """Choose the operations for the arrays of a model, by its `StepModel.device`."""
    return Operations() if device is None else TorchOperations(device)
