"""Processors: what changes scores before the best are chosen. Search ranks by the processed score.

The model's own log-probability stays beside it, as `log_prob`. Processors are asked about sentences with `Constraints`
alone. These form batches of their own, so that the others pay nothing.

Shapes: B sentences, K places, V columns of the logits (the vocabulary, or N ids of a shortlist).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from nmt.search.arrays import Floats, Ints, Operations
from nmt.search.interface import Constraints, Step, StepLike
from nmt.search.rules import Prefix


class Processor(Protocol):
    """Changes the scores of one position, by what each sentence is constrained to."""

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """Tell whether it may change anything for prefixes of `length` tokens or more.

        Once no processor is active, a model may take many positions at once. So an answer of False is final.
        """

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """Change log-probabilities.

        Args:
            scores: (B, K, V), the caller's to write into.
            ids: (B, V) the id of each column, as in `Step.shortlist`; None: column and id are the same.
            prefix: what has been emitted.
            constraints: one a sentence.

        Returns:
            scores of the same shape; -inf for what must not be chosen.
        """

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """Bound what it may still add to a hypothesis of each sentence, (B,): early stopping stays exact by it.

        Infinity where there is no bound: then search stops when nothing is live.
        """


class ForcedPrefix:
    """Every translation begins with its sentence's `Constraints.prefix`."""

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `Processor`."""
        return any(each.forces(length) for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `Processor`."""
        for row, each in enumerate(constraints):
            if each.forces(prefix.length):
                token = each.prefix[prefix.length]
                column = token if ids is None else int((ids[row] == token).argmax())
                forced = scores[row, :, column].copy()
                scores[row] = -np.inf
                scores[row, :, column] = forced
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `Processor`: it only takes away."""
        return np.zeros(len(constraints))


class RequiredMarks:
    """No translation ends before it has all of its sentence's `Constraints.marks`, where these are required."""

    def __init__(self, *, eos_id: int) -> None:
        self._eos_id = eos_id

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `Processor`."""
        return any(each.requires_marks for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `Processor`."""
        for row, each in enumerate(constraints):
            if each.requires_marks and not each.forces(prefix.length):
                has = (prefix.tokens[row][:, :, None] == np.array(each.marks)).any(1)  # (K, marks)
                column = self._eos_id if ids is None else int((ids[row] == self._eos_id).argmax())
                scores[row, ~has.all(1), column] = -np.inf
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `Processor`: it only takes away."""
        return np.zeros(len(constraints))


def process(
    step: StepLike,
    processors: Sequence[Processor],
    prefix: Prefix,
    constraints: Sequence[Constraints],
    operations: Operations,
) -> tuple[Step, Floats]:
    """Let processors change a step.

    Returns:
        the step on NumPy arrays with the processed scores, and what was added to each log-probability, (B, K, V).
    """
    ids = None if step.shortlist is None else operations.to_host(step.shortlist)
    log_probs = operations.to_host(step.logits).astype(np.float64)
    if not step.normalized:
        peaks = log_probs.max(-1, keepdims=True)
        log_probs = log_probs - peaks - np.log(np.exp(log_probs - peaks).sum(-1, keepdims=True))
    if not processors:
        return Step(log_probs, step.weights, step.state, ids, normalized=True), np.broadcast_to(0.0, log_probs.shape)
    scores = log_probs.copy()
    for each in processors:
        scores = each.process(scores, ids, prefix, constraints)
    possible = scores > -np.inf
    added = np.where(possible, scores, 0.0) - np.where(possible, log_probs, 0.0)
    return Step(scores, step.weights, step.state, ids, normalized=True), added
