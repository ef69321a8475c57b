"""Batches of similar lengths under a token budget; batch k of epoch e is a function of (seed, e, k) alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nmt.data.encoding import EncodedCorpus, Side
from nmt.subwords import SubwordModel

_Item = TypeVar("_Item")
_Integers = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Sentence pairs, padded; every row ends with eos."""

    source: Tensor  # (B, S) int64
    source_lengths: Tensor  # (B,) int64, eos counted
    target: Tensor  # (B, T) int64
    target_lengths: Tensor  # (B,) int64, eos counted


@dataclass(frozen=True)
class PaddingStats:
    """Positions of a number of batches, and how many of them are padding."""

    source_positions: int
    source_padding: int
    target_positions: int
    target_padding: int

    @property
    def source_share(self) -> float:
        """Padding ÷ all source positions."""
        return self.source_padding / max(1, self.source_positions)

    @property
    def target_share(self) -> float:
        """Padding ÷ all target positions."""
        return self.target_padding / max(1, self.target_positions)

    @staticmethod
    def of(batches: Iterable[Batch]) -> PaddingStats:
        """Count over all the batches."""
        totals = [0, 0, 0, 0]
        for batch in batches:
            source, target = batch.source.numel(), batch.target.numel()
            totals[0] += source
            totals[1] += source - int(batch.source_lengths.sum())
            totals[2] += target
            totals[3] += target - int(batch.target_lengths.sum())
        return PaddingStats(*totals)


class _Rows(NamedTuple):
    """Sentences as one flat array, without eos."""

    flat: npt.NDArray[Any]
    offsets: _Integers

    def lengths(self, members: _Integers) -> _Integers:
        """(B,) lengths of some rows, eos counted."""
        return self.offsets[members + 1] - self.offsets[members] + 1

    def padded(self, members: _Integers, pad_id: int, eos_id: int) -> tuple[Tensor, Tensor]:
        """(B, S) rows with eos, padded, and (B,) their lengths."""
        lengths = self.lengths(members)
        table = np.full((len(members), int(lengths.max())), pad_id, dtype=np.int64)  # (B, S)
        starts = self.offsets[members]
        for row, start, length in zip(table, starts.tolist(), lengths.tolist(), strict=True):
            row[: length - 1] = self.flat[start : start + length - 1]
            row[length - 1] = eos_id
        return torch.from_numpy(table), torch.from_numpy(lengths)


class _Window(NamedTuple):
    """A part of an epoch that is segmented and sorted at once."""

    source: _Rows
    target: _Rows
    batches: list[_Integers]  # row numbers of each batch, in the order of training


@dataclass(frozen=True)
class BatchSource:
    """Batches of a corpus, epoch by epoch.

    An epoch is a seeded shuffle of the pairs, cut into windows; within a window pairs of like lengths become batches,
    whose order is shuffled. Every pair is in exactly one batch of an epoch. Sampled segmentations are usually longer
    than the best ones, and may exceed the length limits that the corpus was filtered with.

    Attributes:
        corpus: the pairs.
        source_subwords: samples the source side.
        target_subwords: samples the target side.
        batch_tokens: most target positions of a batch, eos and padding counted; source positions keep to the same
            bound. A pair longer than that is a batch by itself.
        seed: of shuffling and sampling.
        sampling_alpha: see `SubwordModel.sample_batch`; 0 trains on the best segmentation.
        window_pairs: most pairs of a window: what memory holds, and what sorting can choose from.
        prefetch: batches prepared ahead in a thread; 0 prepares each when asked, with the same result.
    """

    corpus: EncodedCorpus
    source_subwords: SubwordModel
    target_subwords: SubwordModel
    batch_tokens: int
    seed: int
    sampling_alpha: float = 0.0
    window_pairs: int = 32_768
    prefetch: int = 8

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on; closing the iterator ends its threads."""
        windows = self._windows(epoch)
        if self.prefetch == 0:
            return self._batches(windows, start)
        # Two stages: the next window is being sampled while batches of this one are still being made.
        ahead = run_ahead(lambda: windows, 1)
        return run_ahead(lambda: self._batches(ahead, start), self.prefetch)

    def _batches(self, windows: Iterator[_Window], start: int) -> Iterator[Batch]:
        pad_id, eos_id = self.source_subwords.pad_id, self.source_subwords.eos_id
        try:
            for window in windows:
                for members in window.batches[start:]:
                    source = window.source.padded(members, pad_id, eos_id)
                    target = window.target.padded(members, pad_id, eos_id)
                    yield Batch(*source, *target)
                start = max(0, start - len(window.batches))
        finally:
            windows.close()  # type: ignore[attr-defined]

    def _windows(self, epoch: int) -> Iterator[_Window]:
        pairs = len(self.corpus)
        order = np.argsort(_random(pairs, self.seed, epoch), kind="stable")
        for number, members in enumerate(np.array_split(order, -(-pairs // self.window_pairs))):
            yield self._window(members, epoch, number)

    def _window(self, members: _Integers, epoch: int, number: int) -> _Window:
        """Segment, sort, cut and shuffle: the whole content of one window."""
        entropy = (self.seed, epoch, number)
        if self.sampling_alpha > 0:
            source = self._sampled(self.corpus.source, self.source_subwords, members, (*entropy, 0))
            target = self._sampled(self.corpus.target, self.target_subwords, members, (*entropy, 1))
            members = np.arange(len(members))
        else:
            source = _Rows(self.corpus.source.ids, self.corpus.source.offsets)
            target = _Rows(self.corpus.target.ids, self.corpus.target.offsets)
        ties = _random(len(members), *entropy, 2)
        batches = group(source.lengths(members), target.lengths(members), ties, budget=self.batch_tokens)
        shuffled = np.argsort(_random(len(batches), *entropy, 3), kind="stable")
        return _Window(source, target, [members[batches[i]] for i in shuffled])

    def _sampled(self, side: Side, subwords: SubwordModel, members: _Integers, entropy: tuple[int, ...]) -> _Rows:
        texts = [side.line(i) for i in members.tolist()]
        rows = subwords.sample_batch(texts, alpha=self.sampling_alpha, seed=int(_random(1, *entropy)[0]))
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return _Rows(np.fromiter((i for row in rows for i in row), np.int32, int(offsets[-1])), offsets)


def _random(count: int, *entropy: int) -> npt.NDArray[np.uint64]:
    """`count` random words; raw generator output, which NumPy promises never to change."""
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)


def group(
    source_lengths: _Integers, target_lengths: _Integers, ties: npt.NDArray[np.uint64], *, budget: int
) -> list[_Integers]:
    """Split N pairs into batches of like lengths on both sides, each within the budget or of one pair.

    Works as a k-d tree does: a set that is too large is sorted along the side that would be padded most, and cut where
    the share of the batches it will need is left and right. Sorting by one side and then the other pads the second
    far more once batches are large. `ties` orders pairs of equal lengths.
    """
    batches: list[_Integers] = []
    pending = [np.arange(len(source_lengths))]
    while pending:
        members = pending.pop()
        source, target = source_lengths[members], target_lengths[members]
        widest = max(source.max(), target.max())
        needed = -(-len(members) * int(widest) // budget)
        if needed <= 1 or len(members) == 1:
            batches.append(members)
            continue
        padding = [len(members) * lengths.max() - lengths.sum() for lengths in (source, target)]
        first, second = (source, target) if padding[0] >= padding[1] else (target, source)
        members = members[np.lexsort((ties[members], second, first))]
        cost = np.cumsum(np.maximum(source_lengths[members], target_lengths[members]))
        middle = int(np.searchsorted(cost, cost[-1] * (needed // 2) / needed))
        middle = min(max(middle, 1), len(members) - 1)
        pending += [members[middle:], members[:middle]]
    return batches


class _Failure(NamedTuple):
    error: BaseException


def run_ahead(make: Callable[[], Iterator[_Item]], depth: int) -> Iterator[_Item]:
    """Yield what an iterator yields, while a thread prepares up to `depth` items more.

    The iterator is made, run and closed in the thread. An error in it is raised here; closing this generator stops and
    joins the thread.
    """
    items: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    end = object()

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            iterator = make()
            for item in iterator:
                put(item)
                if stop.is_set():
                    break
            iterator.close()  # type: ignore[attr-defined]
            put(end)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=work, name="nmt-prefetch", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not end:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()
