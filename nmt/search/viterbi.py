"""The best labels of a sentence under a linear-chain CRF, by the Viterbi algorithm (Viterbi 1967; Rabiner 1989).

`nmt.model.crf` has the scores' definition. Everything is NumPy in double precision, so that a model labels alike
wherever its emissions were computed.

Shapes: B sentences, T tokens, Y labels.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating[Any]]


class Transitions(NamedTuple):
    """A CRF's scores of labels that follow each other; -inf forbids."""

    between: Scores
    """(Y, Y), from the label before to the label after"""
    start: Scores
    """(Y,), of the first label"""
    end: Scores
    """(Y,), of the last label"""

    def plus(self, other: "Transitions") -> "Transitions":
        """Add scores, such as -inf where a sequence is forbidden."""
        return Transitions(*(np.asarray(mine, np.float64) + more for mine, more in zip(self, other, strict=True)))


class Path(NamedTuple):
    """The best labels of a sentence."""

    labels: list[int]
    score: float
    """sum of its emissions and transitions"""
    log_prob: float
    """natural logarithm of its probability among all sequences that are not forbidden"""


def viterbi(emissions: Scores, lengths: npt.NDArray[np.int64], transitions: Transitions) -> list[Path]:
    """Find the best sequence of each sentence; of equal ones, the one whose last labels have smaller numbers.

    Args:
        emissions: (B, T, Y).
        lengths: (B,) tokens of each sentence, one at least.
        transitions: of the CRF.
    """
    emissions = np.asarray(emissions, dtype=np.float64)
    best = transitions.start + emissions[:, 0]  # (B, Y), of sequences that end with each label
    total = best.copy()  # the forward algorithm's α in log space, see nmt.model.crf
    parents = np.zeros(emissions.shape, dtype=np.int64)
    for t in range(1, emissions.shape[1]):
        is_real = (t < lengths)[:, None]
        moves = best[:, :, None] + transitions.between  # (B, Y before, Y after)
        parents[:, t] = moves.argmax(1)
        best = np.where(is_real, moves.max(1) + emissions[:, t], best)
        following = log_sum_exp(total[:, :, None] + transitions.between) + emissions[:, t]
        total = np.where(is_real, following, total)
    best, log_z = best + transitions.end, log_sum_exp((total + transitions.end)[:, :, None])[:, 0]
    paths = []
    for row, (length, scores) in enumerate(zip(lengths.tolist(), best, strict=True)):
        labels = [int(scores.argmax())]
        for t in range(length - 1, 0, -1):
            labels.append(int(parents[row, t, labels[-1]]))
        score = float(scores.max())
        paths.append(Path(labels[::-1], score, min(0.0, score - float(log_z[row]))))
    return paths


def log_sum_exp(scores: Scores) -> Scores:
    """Compute the logarithm of the sum of exponentials over axis 1: (B, N, ·) → (B, ·); -inf where all are."""
    largest = scores.max(1, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        total: Scores = np.log(np.exp(scores - shift).sum(1)) + shift[:, 0]
    return total
