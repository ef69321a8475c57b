"""Batches of similar lengths under a token budget; batch k of epoch e is a function of (seed, e, k) alone."""

import random
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nmt.config.choices import Sides
from nmt.corpus.augmentation import Augmentation, Changes
from nmt.corpus.cache import Cache
from nmt.corpus.marking import marked_pair
from nmt.corpus.mixture import Chosen, Mixture
from nmt.corpus.padding import pad_rows
from nmt.corpus.prefetch import prefetch
from nmt.corpus.reader import Pair
from nmt.text.vocabulary import Vocabulary, subwords_of

_Integers = npt.NDArray[np.int64]
_Row = Sequence[int] | npt.NDArray[Any]
# What a stream of random numbers is for: the last number of its entropy, never 0, which SeedSequence ignores there.
_SOURCE, _TARGET, _TIES, _ORDER = 1, 2, 3, 4
_MARKS, _CHANGES = 7, 8  # a mixture has 5 and 6
_FORMAT = 2  # of the batches; counts that were cached under another one are ignored


class Batch(NamedTuple):
    """Sentence pairs, padded; every row ends with eos."""

    source: Tensor  # (B, S) int64
    source_lengths: Tensor  # (B,) int64, eos counted
    target: Tensor  # (B, T) int64
    target_lengths: Tensor  # (B,) int64, eos counted
    lines: Tensor  # (B,) int64, where in their texts these pairs stand


class _Rows(NamedTuple):
    """Sentences as one flat array, without eos."""

    flat: npt.NDArray[np.int32]
    offsets: _Integers

    @staticmethod
    def of(rows: Iterable[_Row], prefixes: Iterable[Sequence[int]] | None = None) -> "_Rows":
        """Copy rows of ids, one at least, each behind its prefix."""
        pairs = zip(prefixes, rows, strict=True) if prefixes is not None else (((), row) for row in rows)
        parts = [np.asarray(ids, dtype=np.int32) for pair in pairs for ids in pair]
        return _Rows(np.concatenate(parts), np.cumsum([0, *map(len, parts)])[::2])

    def lengths(self) -> _Integers:
        """(N,) lengths, eos counted."""
        return np.diff(self.offsets) + 1

    def chosen(self, members: _Integers) -> list[npt.NDArray[np.int32]]:
        """Give the rows of (B,) members, as views."""
        spans = zip(self.offsets[members].tolist(), self.offsets[members + 1].tolist(), strict=True)
        return [self.flat[start:end] for start, end in spans]


class _Window(NamedTuple):
    """A part of an epoch that is segmented and sorted at once; its arrays hold its own pairs and no more."""

    source: _Rows
    target: _Rows
    lines: _Integers  # where each stands in its text
    batches: list[_Integers]  # row numbers of each batch, in the order of training


@dataclass(frozen=True)
class BatchSource:
    """Batches of a corpus, or of a mixture of several, epoch by epoch.

    An epoch is a seeded permutation of its pairs, cut into windows; within a window pairs of like lengths become
    batches, whose order is shuffled. Every pair of an epoch is in exactly one batch. Memory holds a few windows,
    whatever the size of the corpus. Sampled segmentations are usually longer than the best ones, and may exceed the
    length limits that the corpus was filtered with.

    Attributes:
        corpus: the pairs.
        source_subwords: samples the source side.
        target_subwords: samples the target side.
        batch_tokens: most target positions of a batch, eos and padding counted; source positions keep to the same
            bound. A pair longer than that is a batch by itself.
        seed: of shuffling and sampling.
        sampling_alpha: see `nmt.text.subwords.SubwordModel.sample_batch`; 0 trains on the best segmentation.
        sampled_sides: whose segmentations are sampled.
        marks: that both vocabularies have, see nmt.text.spans.
        mark_rate: share of the pairs that get some at random, see nmt.corpus.marking.
        augmentation: what becomes of some pairs; None: nothing.
        window_pairs: most pairs of a window: what memory holds, and what sorting can choose from.
        first_window_pairs: pairs of the very first window where segmentations are sampled. Sampling a whole window
            takes seconds, and the start would wait for them. Only this window is small, since sorting has less to
            choose from in a small one.
        prefetch: batches prepared ahead in a thread; 0 prepares each when asked, with the same result.
        cache: remembers how many batches the windows of the epoch in progress have. A run that resumes within the
            epoch then need not sample earlier windows. None, or a corpus without a digest: they are sampled again.
    """

    corpus: Mixture
    source_subwords: Vocabulary
    target_subwords: Vocabulary
    batch_tokens: int
    seed: int
    sampling_alpha: float = 0.0
    sampled_sides: Sides = Sides.both
    marks: str = ""
    mark_rate: float = 0.0
    augmentation: Augmentation | None = None
    window_pairs: int = 32_768
    first_window_pairs: int = 2_048
    prefetch: int = 8
    cache: Cache | None = None

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `start` on; closing the iterator ends its threads."""
        windows = self._windows(epoch, start)
        if self.prefetch == 0:
            return self._batches(windows)
        # Two stages: the next window is being sampled while batches of this one are still being made.
        return prefetch(self._batches(prefetch(windows, 1)), self.prefetch)

    def _batches(self, windows: Generator[_Window]) -> Generator[Batch]:
        ids = {"pad_id": self.source_subwords.pad_id, "eos_id": self.source_subwords.eos_id}
        try:
            for window in windows:
                for members in window.batches:
                    sides = (pad_rows(side.chosen(members), **ids) for side in (window.source, window.target))
                    arrays = [array for side in sides for array in side]
                    yield Batch(*map(torch.from_numpy, [*arrays, window.lines[members]]))
        finally:
            windows.close()

    def _windows(self, epoch: int, start: int) -> Generator[_Window]:
        """Yield the windows of an epoch without its first `start` batches."""
        cached = self._known_counts(epoch)
        for number, (first, last) in enumerate(pairwise(self._bounds(epoch))):
            if number < len(cached) and cached[number] <= start:
                start -= cached[number]
                continue
            window = self._window(np.arange(first, last), epoch, number)
            if number == len(cached):
                cached.append(len(window.batches))
                self._remember_counts(epoch, cached)
            skipped = min(start, len(window.batches))
            start -= skipped
            yield window._replace(batches=window.batches[skipped:])

    def _bounds(self, epoch: int) -> list[int]:
        """Where the windows of an epoch begin, and where the last one ends."""
        pairs = self.corpus.pairs(epoch)
        first = min(self.first_window_pairs, self.window_pairs) if self.sampling_alpha > 0 and epoch == 0 else 0
        if pairs < 2 * first:
            first = 0  # the rest would be too little to sort
        windows = -(-(pairs - first) // self.window_pairs)
        rest = [first + (pairs - first) * i // windows for i in range(windows + 1)] if windows else []
        return [0, *rest] if first else rest

    def _window(self, positions: _Integers, epoch: int, number: int) -> _Window:
        """Choose, segment, sort, cut and shuffle: the whole content of one window."""
        entropy = (self.seed, epoch, number)
        chosen = self.corpus.choose(positions, seed=self.seed, epoch=epoch)
        changes = self._changes(chosen, entropy, epoch + int(positions[0]) / self.corpus.pairs(epoch))
        changed = changes.pairs | self._marked(chosen, changes.pairs, entropy)
        sources, targets = (
            self._segmented(chosen, side, (*entropy, number), {i: pair[number - 1] for i, pair in changed.items()})
            for side, number in (("source", _SOURCE), ("target", _TARGET))
        )
        prefixes = self.corpus.prefixes(chosen)
        for i, tag in changes.tags.items():
            # The symbol of a target language stays the first: it chooses the lexicon.
            at = int(prefixes[i][:1] != () and prefixes[i][0] in subwords_of(self.source_subwords).language_ids)
            prefixes[i] = (*prefixes[i][:at], *self.source_subwords.tag_prefix(tag), *prefixes[i][at:])
        source, target = _Rows.of(sources, prefixes), _Rows.of(targets)
        ties = _random(len(positions), *entropy, _TIES)
        batches = group(source.lengths(), target.lengths(), ties, budget=self.batch_tokens)
        shuffled = np.argsort(_random(len(batches), *entropy, _ORDER), kind="stable")
        return _Window(source, target, self.corpus.lines(chosen), [batches[i] for i in shuffled])

    def _segmented(
        self, chosen: Chosen, side: str, entropy: tuple[int, ...], changed: Mapping[int, str]
    ) -> Sequence[_Row]:
        """Give the rows of one side; some have other text than the corpus."""
        subwords = self.source_subwords if side == "source" else self.target_subwords
        if self.sampling_alpha <= 0 or not self.sampled_sides.include(side):
            rows: list[_Row] = [*self.corpus.ids(chosen, side)]
            for i, ids in zip(changed, subwords.encode_batch([*changed.values()]), strict=True):
                rows[i] = ids
            return rows
        texts = [changed.get(i, text) for i, text in enumerate(self.corpus.texts(chosen, side))]
        return subwords.sample_batch(texts, alpha=self.sampling_alpha, seed=int(_random(1, *entropy)[0]))

    def _changes(self, chosen: Chosen, entropy: tuple[int, ...], epochs: float) -> Changes:
        """Augment some of the pairs, before which so many epochs were trained."""
        if self.augmentation is None:
            return Changes({}, {})
        draw = random.Random(int(_random(1, *entropy, _CHANGES)[0])).random
        return self.augmentation.changes(self.corpus, chosen, draw=draw, epochs=epochs)

    def _marked(self, chosen: Chosen, changed: Mapping[int, Pair], entropy: tuple[int, ...]) -> dict[int, Pair]:
        """Put marks into some of the pairs, some of which are changed; give their texts by their places."""
        if not (self.marks and self.mark_rate):
            return {}
        draw = random.Random(int(_random(1, *entropy, _MARKS)[0])).random
        places = [i for i in range(len(chosen.rows)) if draw() < self.mark_rate]
        some = Chosen(chosen.parts[places], chosen.rows[places])
        pairs = zip(places, self.corpus.texts(some, "source"), self.corpus.texts(some, "target"), strict=True)
        texts = {i: changed.get(i, Pair(source, target)) for i, source, target in pairs}
        return {i: Pair(*marked_pair(*pair, marks=self.marks, draw=draw)) for i, pair in texts.items()}

    def _known_counts(self, epoch: int) -> list[int]:
        """How many batches the first windows of an epoch have, as far as that is remembered."""
        cached = self.cache.get(*self._cache_key()) if self.cache and self.corpus.digest else None
        return list(cached["counts"]) if cached and cached["epoch"] == epoch else []

    def _remember_counts(self, epoch: int, counts: list[int]) -> None:
        if self.cache and self.corpus.digest:
            self.cache.put({"epoch": epoch, "counts": counts}, *self._cache_key())

    def _cache_key(self) -> tuple[object, ...]:
        """All that the number of batches depends on, but the epoch: of each key, the last one is remembered."""
        windows = (self.batch_tokens, self.window_pairs, self.first_window_pairs)
        settings = (self.seed, self.sampling_alpha, self.sampled_sides.value, self.marks, self.mark_rate, *windows)
        more = [self.augmentation.key] if self.augmentation else []
        more += [repr((part.weight, part.epochs)) for part in self.corpus.parts if part.is_reversed]
        return ("batches", _FORMAT, self.corpus.digest, *settings, *more)


def _random(count: int, *entropy: int) -> npt.NDArray[np.uint64]:
    """`count` random words; raw generator output, which NumPy promises never to change."""
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)


def group(
    source_lengths: _Integers, target_lengths: _Integers, ties: npt.NDArray[np.uint64], *, budget: int
) -> list[_Integers]:
    """Split N pairs into batches of like lengths on both sides, each within the budget or of one pair.

    Works as a k-d tree does. A set that is too large is sorted along the side that would be padded most. It is cut so
    that each part needs its share of whole batches. Sorting by one side and then the other would pad the second far
    more once batches are large. `ties` orders pairs of equal lengths.
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
