"""Which target tokens translate a source token: word alignment by expectation maximisation, on ids.

IBM model 2 (Brown et al. 1993) in the form of Dyer et al. (2013, "A Simple, Fast, and Effective Reparameterization of
IBM Model 2"): position j of n target tokens comes from no source token with probability p0, and from position i of m
in proportion to exp(-λ |i/m - j/n|). λ stays as it begins there; translation probabilities alone are learnt.

Shapes: P pairs of ids that occur together, C cells: (source position, target position) of a sentence pair, with one
more source position, that of no token, for each target position.
"""

from __future__ import annotations

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


class Lexicon(NamedTuple):
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


def learn_lexicon(
    sources: Sequence[Sequence[int] | npt.NDArray[Any]],
    targets: Sequence[Sequence[int] | npt.NDArray[Any]],
    *,
    target_vocabulary: int,
    iterations: int = 5,
    max_cells: int = 20_000_000,
    seed: int = 1,
) -> Lexicon:
    """Learn p(target | source) from parallel sentences.

    Args:
        sources: rows of ids, or anything that gives them by index.
        targets: rows of ids of the same sentences.
        target_vocabulary: above all ids of the targets.
        iterations: of expectation maximisation.
        max_cells: bound on memory and time: of a corpus with more, a seeded sample of the sentences is taken. A cell
            takes about 10 bytes.
        seed: of that sample.

    Raises:
        CorpusError: no pair has a token on both sides.
    """
    chunks = list(_chunks(sources, targets, max_cells, seed))
    if not chunks:
        raise CorpusError("no pair of sentences has tokens on both sides: there is nothing to align")
    null = 1 + max(int(chunk.source_ids.max()) for chunk in chunks)
    keys = [_keys(chunk, null, target_vocabulary) for chunk in chunks]
    pairs = np.unique(np.concatenate([np.unique(own) for own in keys]))
    cells = [
        _Cells(np.searchsorted(pairs, own).astype(np.int32), _priors(chunk), *_segments(chunk))
        for own, chunk in zip(keys, chunks, strict=True)
    ]
    del keys, chunks
    pair_sources, pair_targets = np.divmod(pairs, target_vocabulary)
    probabilities = np.ones(len(pairs))
    for _ in range(iterations):
        counts = np.zeros(len(pairs))
        for chunk_cells in cells:
            counts += _expected_counts(chunk_cells, probabilities)
        probabilities = counts / np.bincount(pair_sources, counts)[pair_sources]
    real = pair_sources < null
    return Lexicon(pair_sources[real], pair_targets[real], probabilities[real], counts[real])


class _Chunk(NamedTuple):
    """Some sentence pairs, both sides one after the other; N pairs."""

    source_ids: Ints
    target_ids: Ints
    source_lengths: Ints
    """(N,)"""
    target_lengths: Ints
    """(N,)"""


def _chunks(sources: Sequence[Any], targets: Sequence[Any], max_cells: int, seed: int) -> Iterator[_Chunk]:
    """Yield the sentences in random order until there are enough cells, a bounded number of cells at a time."""
    rows: tuple[list[Any], list[Any]] = ([], [])
    total = held = 0
    for index in np.random.default_rng(seed).permutation(len(sources)).tolist():
        source, target = np.asarray(sources[index]), np.asarray(targets[index])
        cells = (len(source) + 1) * len(target)
        if not len(source) or not len(target) or total + cells > max_cells:
            continue
        if held + cells > _CHUNK_CELLS and held:
            yield _chunk(*rows)
            rows, held = ([], []), 0
        rows[0].append(source)
        rows[1].append(target)
        total, held = total + cells, held + cells
        if total > 0.999 * max_cells:
            break
    if held:
        yield _chunk(*rows)


def _chunk(sources: list[Any], targets: list[Any]) -> _Chunk:
    lengths = (np.array([len(row) for row in rows], dtype=np.int64) for rows in (sources, targets))
    return _Chunk(np.concatenate(sources).astype(np.int64), np.concatenate(targets).astype(np.int64), *lengths)


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


def _expected_counts(cells: _Cells, probabilities: Floats) -> Floats:
    """(P,) how often each pair of ids is aligned, in expectation."""
    weights = probabilities[cells.pairs] * cells.priors
    weights /= np.repeat(np.add.reduceat(weights, cells.starts), cells.widths)
    return np.bincount(cells.pairs, weights, minlength=len(probabilities)).astype(np.float64)
