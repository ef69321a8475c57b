"""Which target tokens translate a source token: word alignment by expectation maximisation, on ids.

IBM model 2 (Brown et al. 1993) in the form of Dyer et al. (2013, "A Simple, Fast, and Effective Reparameterization of
IBM Model 2"). Position j of n target tokens comes from no source token with probability p0. It comes from position i of
m source tokens in proportion to exp(-λ |i/m - j/n|). λ is fixed; only the translation probabilities are learnt.

Shapes: P pairs of ids that occur together, C cells: (source position, target position) of a sentence pair, with one
more source position, that of no token, for each target position.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nmt.errors import CorpusError

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

_NULL_PROBABILITY = 0.08
_TENSION = 4.0
_CHUNK_CELLS = 2_000_000
_ITERATIONS = 5
"""Of expectation maximisation."""
_SEED = 1
"""Of the sample of sentences that is aligned where there are too many."""


class TranslationTable(NamedTuple):
    """The translation probabilities of P pairs of ids, by source id, then target id."""

    sources: Ints
    """(P,)"""
    targets: Ints
    """(P,)"""
    probabilities: Floats
    """(P,) p(target | source)"""
    counts: Floats
    """(P,) how often the two are aligned, in expectation"""


class _Cells(NamedTuple):
    """The cells of some sentence pairs, target position after target position."""

    pairs: npt.NDArray[np.int32]
    """(C,) which pair of ids a cell is"""
    priors: npt.NDArray[np.float32]
    """(C,) probability of the source position"""
    starts: Ints
    """first cell of each target position"""
    widths: Ints
    """cells of each target position"""
    numbers: Ints
    """which sentence pair each target position is of"""


def learn_table(
    sources: Sequence[Sequence[int] | npt.NDArray[Any]],
    targets: Sequence[Sequence[int] | npt.NDArray[Any]],
    *,
    target_vocabulary: int,
    max_cells: int = 20_000_000,
) -> TranslationTable:
    """Learn p(target | source) from parallel sentences.

    Args:
        sources: rows of ids, or anything that gives them by index.
        targets: rows of ids of the same sentences.
        target_vocabulary: above all ids of the targets.
        max_cells: bound on memory and time: of a corpus with more, a seeded sample of the sentences is taken. A cell
            takes about 10 bytes.

    Raises:
        CorpusError: no pair has a token on both sides.
    """
    cells, pairs = _gather(_chunks(sources, targets, max_cells), target_vocabulary)
    table, _ = _maximise(cells, pairs)
    return _real(table)


def cross_fit(
    sources: Sequence[Sequence[int] | npt.NDArray[Any]],
    targets: Sequence[Sequence[int] | npt.NDArray[Any]],
    *,
    target_vocabulary: int,
    fold_of: npt.NDArray[Any],
    folds: int,
    least_count: float,
    alternatives: int = 1,
    max_cells: int = 20_000_000,
) -> tuple[TranslationTable, list[TranslationTable], int]:
    """Learn a translation table of all sentences, and for each fold a table of the other folds alone.

    Sentence pair i is of fold `fold_of[i]`, below `folds`. A fold's table is made of the counts of the last iteration
    without those of the fold: leaving-one-out (Wuebker et al. 2010, "Training Phrase Translation Models with
    Leaving-One-Out") with more than one left out.

    Rows i·a to i·a + a - 1, where a is `alternatives`, are sentence pair i, segmented in so many ways. Each of them
    counts as a sentence does, but they are of one fold, and a sample has all of them or none.

    The folds' tables hold no pair that is aligned less often than `least_count`, all folds taken together. All else
    is as for `learn_table`, CorpusError too.

    Returns:
        The table of all, those without each fold, and how many sentence pairs were within `max_cells`.
    """
    cells, pairs = _gather(_chunks(sources, targets, max_cells, alternatives), target_vocabulary)
    table, before = _maximise(cells, pairs)
    null = int(table.sources.max())
    likely = np.flatnonzero((table.counts >= least_count) & (table.sources < null))
    places = np.full(len(table.counts), -1)
    places[likely] = np.arange(len(likely))
    of_pairs, of_sources = np.zeros((folds, len(likely))), np.zeros((folds, null + 1))
    for chunk in cells:
        weights = _posteriors(chunk, before)
        fold = np.repeat(fold_of[chunk.numbers].astype(np.int64), chunk.widths)
        of_sources += _by_fold(fold, table.sources[chunk.pairs], weights, of_sources.shape)
        alignable = np.flatnonzero(places[chunk.pairs] >= 0)
        of_pairs += _by_fold(fold[alignable], places[chunk.pairs[alignable]], weights[alignable], of_pairs.shape)
    ids = table.sources[likely], table.targets[likely]
    counts = np.maximum(of_pairs.sum(axis=0) - of_pairs, 0)
    totals = np.maximum(of_sources.sum(axis=0) - of_sources, np.finfo(float).tiny)
    tables = [TranslationTable(*ids, own / total[ids[0]], own) for own, total in zip(counts, totals, strict=True)]
    return _real(table), tables, sum(len(np.unique(chunk.numbers)) for chunk in cells)


def _by_fold(fold: Ints, numbers: Ints, weights: Floats, shape: tuple[int, ...]) -> Floats:
    """Sum weights (C,) by their folds and numbers: (K, N)."""
    return np.asarray(np.bincount(fold * shape[1] + numbers, weights, minlength=shape[0] * shape[1]).reshape(shape))


def _real(table: TranslationTable) -> TranslationTable:
    """Take the pairs of real source tokens; the highest id is that of none."""
    real = table.sources < table.sources.max()
    return TranslationTable(*(column[real] for column in table))


def _gather(chunks: "Iterator[_Chunk]", target_vocabulary: int) -> tuple[list[_Cells], tuple[Ints, Ints]]:
    """Give the pairs of ids that occur together numbers: all cells, and the pairs' sources and targets, (P,) each."""
    chunk_list = list(chunks)
    if not chunk_list:
        raise CorpusError("no pair of sentences has tokens on both sides: there is nothing to align")
    null = 1 + max(int(chunk.source_ids.max()) for chunk in chunk_list)
    pairs = _distinct(_keys(chunk, null, target_vocabulary) for chunk in chunk_list)
    cells = [
        _Cells(
            # The keys once more: kept from above, they would take as much memory as all that is kept here.
            np.searchsorted(pairs, _keys(chunk, null, target_vocabulary)).astype(np.int32),
            _priors(chunk),
            *_segments(chunk),
            np.repeat(chunk.numbers, chunk.target_lengths),
        )
        for chunk in chunk_list
    ]
    return cells, np.divmod(pairs, target_vocabulary)


def _distinct(parts: Iterator[Ints]) -> Ints:
    """Collect the distinct numbers of all parts, ascending, with little more memory than they take."""
    found, rest = np.zeros(0, np.int64), [np.zeros(0, np.int64)]
    for part in parts:
        rest.append(_ascending(part))
        if sum(map(len, rest)) > max(len(found), _CHUNK_CELLS):
            found, rest = _ascending(np.concatenate([found, *rest])), []
    return _ascending(np.concatenate([found, *rest]))


def _ascending(numbers: Ints) -> Ints:
    """Do as np.unique, which puts all in a hash table since NumPy 2.3: with millions of them that takes far longer."""
    numbers = np.sort(numbers)
    first = np.ones(len(numbers), dtype=bool)
    first[1:] = numbers[1:] != numbers[:-1]
    return numbers[first]


def _maximise(cells: list[_Cells], pairs: tuple[Ints, Ints]) -> tuple[TranslationTable, Floats]:
    """Maximise expectations: the table of all pairs, and the probabilities (P,) that its counts were expected with."""
    probabilities = np.ones(len(pairs[0]))
    for _ in range(_ITERATIONS):
        before, counts = probabilities, np.zeros(len(probabilities))
        for chunk in cells:
            counts += np.bincount(chunk.pairs, _posteriors(chunk, before), minlength=len(counts))
        probabilities = counts / np.bincount(pairs[0], counts)[pairs[0]]
    return TranslationTable(*pairs, probabilities, counts), before


def _posteriors(cells: _Cells, probabilities: Floats) -> Floats:
    """(C,) how likely each cell's target position comes from its source position."""
    weights = probabilities[cells.pairs] * cells.priors
    weights /= np.repeat(np.add.reduceat(weights, cells.starts), cells.widths)
    return weights


class _Chunk(NamedTuple):
    """Some sentence pairs, both sides one after the other; N pairs."""

    source_ids: Ints
    target_ids: Ints
    source_lengths: Ints
    """(N,)"""
    target_lengths: Ints
    """(N,)"""
    numbers: Ints
    """(N,) which one each is"""


def _chunks(sources: Sequence[Any], targets: Sequence[Any], max_cells: int, alternatives: int = 1) -> Iterator[_Chunk]:
    """Yield the sentences in random order until there are enough cells, a bounded number of cells at a time."""
    batch: list[tuple[Any, Any, int]] = []
    total = held_cells = 0
    # One by one: a list of them all would take five times the memory.
    for number in map(int, np.random.default_rng(_SEED).permutation(len(sources) // alternatives)):
        rows = range(number * alternatives, (number + 1) * alternatives)
        segmented = [(np.asarray(sources[row]), np.asarray(targets[row]), number) for row in rows]
        cells = sum((len(source) + 1) * len(target) for source, target, _ in segmented)
        if not all(len(source) and len(target) for source, target, _ in segmented) or total + cells > max_cells:
            continue
        if held_cells + cells > _CHUNK_CELLS and batch:
            yield _chunk(batch)
            batch, held_cells = [], 0
        batch += segmented
        total, held_cells = total + cells, held_cells + cells
        if total > 0.999 * max_cells:
            break
    if batch:
        yield _chunk(batch)


def _chunk(held: list[tuple[Any, Any, int]]) -> _Chunk:
    sources, targets, numbers = zip(*held, strict=True)
    return _Chunk(
        np.concatenate(sources).astype(np.int64),
        np.concatenate(targets).astype(np.int64),
        np.array([len(row) for row in sources], dtype=np.int64),
        np.array([len(row) for row in targets], dtype=np.int64),
        np.array(numbers),
    )


def _segments(chunk: _Chunk) -> tuple[Ints, Ints]:
    """For each target position, its first cell and how many it has."""
    widths = np.repeat(chunk.source_lengths + 1, chunk.target_lengths)
    return np.cumsum(widths) - widths, widths


def _positions(chunk: _Chunk) -> Ints:
    """(C,) the source position of each cell, counted from 1; 0 for none."""
    starts, widths = _segments(chunk)
    return np.asarray(np.arange(widths.sum()) - np.repeat(starts, widths))


def _keys(chunk: _Chunk, null: int, target_vocabulary: int) -> Ints:
    """(C,) each cell's pair of ids as one number; `null` is the id of no source token."""
    _, widths = _segments(chunk)
    # The sources one after the other, each after a null.
    ends = np.cumsum(chunk.source_lengths)
    source_ids = np.insert(chunk.source_ids, ends - chunk.source_lengths, null)
    nulls = ends - chunk.source_lengths + np.arange(len(ends))
    first = np.repeat(np.repeat(nulls, chunk.target_lengths), widths)
    return source_ids[first + _positions(chunk)] * target_vocabulary + np.repeat(chunk.target_ids, widths)


def _priors(chunk: _Chunk) -> npt.NDArray[np.float32]:
    """(C,) the probability of each cell's source position, given the lengths and the target position."""
    starts, widths = _segments(chunk)
    target_ends = np.cumsum(chunk.target_lengths)
    target_starts = np.repeat(target_ends - chunk.target_lengths, chunk.target_lengths)
    places = (np.arange(len(widths)) - target_starts + 1) / np.repeat(chunk.target_lengths, chunk.target_lengths)
    distances = np.abs(_positions(chunk) / np.repeat(widths - 1.0, widths) - np.repeat(places, widths))
    weights = np.exp(-_TENSION * distances)
    weights[starts] = 0.0
    weights *= np.repeat((1 - _NULL_PROBABILITY) / np.add.reduceat(weights, starts), widths)
    weights[starts] = _NULL_PROBABILITY
    return weights.astype(np.float32)
