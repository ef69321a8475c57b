"""chrF of each text of a list against each other, fast enough for every line that is translated.

It is sacrebleu's chrF2 of sentences (Popović 2015; with sacrebleu's effective order): a test holds both equal.

Shapes: N texts, P characters of all together, G different n-grams of one length.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

_LONGEST = 6
_RECALL_WEIGHT = 4  # beta² of chrF2
_MOST = 2**22
"""Counts that lie in memory at a time."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def chrf_matrix(texts: Sequence[str]) -> Floats:
    """Compare each text, as a hypothesis, with each as its reference: (N, N) of 0 to 1."""
    size = len(texts)
    precisions, recalls, orders = np.zeros((3, size, size))
    for rows, grams in _ngrams(["".join(text.split()) for text in texts]):
        totals = np.bincount(rows, minlength=size).astype(np.float64)
        both = (totals[:, None] > 0) & (totals > 0)
        matches = _matches(rows, grams, size)
        precisions += np.divide(matches, totals[:, None], out=np.zeros_like(matches), where=both)
        recalls += np.divide(matches, totals, out=np.zeros_like(matches), where=both)
        orders += both
    divisors = (_RECALL_WEIGHT * precisions + recalls) * np.maximum(orders, 1)
    products = (1 + _RECALL_WEIGHT) * precisions * recalls
    return np.divide(products, divisors, out=np.zeros_like(products), where=divisors > 0)


def _ngrams(texts: Sequence[str]) -> Iterator[tuple[Ints, Ints]]:
    """Yield for each length of n-grams, the shortest first, the text and the number of each n-gram: (≤ P,) both."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    _, characters = np.unique(np.frombuffer(joined, dtype="<u4"), return_inverse=True)
    rows, grams = np.repeat(np.arange(len(texts)), lengths), characters.astype(np.int64)
    kinds, starts = int(characters.max(initial=0)) + 1, np.arange(len(rows))
    for length in range(1, _LONGEST + 1):
        yield rows, grams
        # An n-gram is one that is shorter, and the character behind it, in the same text.
        inside = starts + length < np.repeat(np.cumsum(lengths), lengths)[starts] if len(starts) else np.zeros(0, bool)
        rows, starts = rows[inside], starts[inside]
        _, grams = np.unique(grams[inside] * kinds + characters[starts + length], return_inverse=True)


def _matches(rows: Ints, grams: Ints, size: int) -> Floats:
    """Count the n-grams that each two of N texts have in common, (N, N).

    The smaller of two counts is Σ_v [both are at least v], and so a sum of matrix products.
    """
    matches = np.zeros((size, size))
    kinds = int(grams.max(initial=-1)) + 1
    step = max(1, _MOST // max(1, size))
    for first in range(0, kinds, step):
        here = (grams >= first) & (grams < first + step)
        width = min(step, kinds - first)
        counts = np.bincount(rows[here] * width + grams[here] - first, minlength=size * width).reshape(size, width)
        before = 0
        for value in np.unique(counts[counts > 0]).tolist():
            reached = (counts >= value).astype(np.float32)
            matches += (value - before) * (reached @ reached.T)
            before = value
    return matches
