"""How many lines are translated together: batches whose memory is bounded, windows of several batches."""

from collections.abc import Iterator, Sequence

WINDOW_BATCHES = 16
"""Batches of one window: sentences of similar length meet in a batch, and memory does not grow with the text."""

_LONG = 128
"""Subwords of a row from which a batch takes fewer rows, in proportion, so that its memory is bounded."""
_MOST_POSITIONS = 2**18
"""Source positions of a batch, however large it was asked to be."""
_MOST_SCORES = 2**28
"""Scores of one step of a batch: 1 GiB."""


def cut_batches(lengths: Sequence[int], size: int, *, scores: int = 1) -> Iterator[slice]:
    """Cut rows, the longest first, into batches whose memory is bounded.

    Args:
        lengths: of the rows, in subwords.
        size: rows of a batch at most; of long rows, or with many scores, it has fewer.
        scores: floats that a step computes for each row.
    """
    start = 0
    while start < len(lengths):
        most = min(_MOST_POSITIONS // lengths[start], _MOST_SCORES // scores)
        count = max(1, min(size, size * _LONG // lengths[start], most))
        yield slice(start, start + count)
        start += count


def windows(lines: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut lines into windows of `size`."""
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
