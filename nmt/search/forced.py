"""Forced scoring: a model's log-probability of given targets, of a whole batch position by position.

It steps as a search does, on any `StepModel`; so both say the same of the same tokens.

Shapes: B sentences of the batch, B' those whose targets have not ended, S source length, T target length.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Floats, Ints, Operations, operations_for
from nmt.search.candidates import not_numbers
from nmt.search.interface import Constraints, StepLike, StepModel

_PATIENCE = 6
"""Drop sentences that have ended once they are a sixth of the batch, as greedy search does."""


class ForcedTarget(NamedTuple):
    """The scores of one target."""

    log_probs: Floats
    """(T,) natural logarithm of the probability of each token after those before it"""
    weights: npt.NDArray[Any] | None
    """(T, S) attention of each token over the sentence's own source positions; None where it was not asked for, or the
    model has none"""


def score_targets(
    model: StepModel,
    source: Ints,
    lengths: Ints,
    targets: Sequence[Sequence[int]],
    *,
    bos_id: int,
    with_weights: bool = False,
) -> list[ForcedTarget]:
    """Score given targets, one for each source.

    Args:
        model: whose opinion it is. Its shortlist is made to have all ids of the target.
        source: (B, S) ids.
        lengths: (B,) how many of the S are the sentence's own.
        targets: B rows of ids; EOS counts where a target ends with it.
        bos_id: what the first step reads.
        with_weights: ask for the attention.

    Raises:
        RunError: the model's scores are not numbers.
    """
    operations, ends = operations_for(model.device), np.array([len(target) for target in targets], dtype=np.int64)
    padded = np.zeros((len(targets), int(ends.max(initial=0))), dtype=np.int64)
    for row, target in enumerate(targets):
        padded[row, : len(target)] = target
    log_probs = np.zeros(padded.shape)
    weights: list[tuple[Ints, npt.NDArray[Any]]] = []  # rows (B',) and attention (B', S), one a position
    with operations.without_gradients():
        constraints = [Constraints(prefix=tuple(target)) for target in targets]
        state: Any = model.start(operations.from_host(source), operations.from_host(lengths), constraints)
        here, previous = np.arange(len(targets)), np.full(len(targets), bos_id)
        for position in range(padded.shape[1]):
            stay = ends[here] > position
            if (len(here) - np.count_nonzero(stay)) * _PATIENCE >= len(here):
                state = state.keep(operations.from_host(np.flatnonzero(stay)))
                here, previous = here[stay], previous[stay]
            step = model.step(operations.from_host(previous[:, None]), state, with_weights=with_weights)
            tokens = padded[here, position]
            try:
                log_probs[here, position] = _log_probs_of(step, tokens, operations)
            except FloatingPointError:
                raise not_numbers(position + 1) from None
            if with_weights and step.weights is not None:
                weights.append((here, operations.to_host(step.weights)[:, 0]))
            state, previous = step.state, tokens
    attention = _gathered(weights, ends, lengths) if weights else [None] * len(targets)
    return [ForcedTarget(row[:end], own) for row, end, own in zip(log_probs, ends.tolist(), attention, strict=True)]


def _log_probs_of(step: StepLike, tokens: Ints, operations: Operations) -> Floats:
    """Read the log-probability of one token of each sentence, (B',); FloatingPointError where it is no number."""
    columns = tokens
    if step.shortlist is not None:
        columns = (operations.to_host(step.shortlist) == tokens[:, None]).argmax(1)
    all_log_probs = step.logits if step.normalized else operations.log_softmax(step.logits)
    rows = np.arange(len(tokens))
    chosen = all_log_probs[tuple(map(operations.from_host, (rows, np.zeros_like(rows), columns)))]
    on_host = np.asarray(operations.to_host(chosen), dtype=np.float64)
    if np.isnan(on_host).any():
        raise FloatingPointError
    return on_host


def _gathered(
    weights: Sequence[tuple[Ints, npt.NDArray[Any]]], ends: Ints, lengths: Ints
) -> list[npt.NDArray[Any] | None]:
    """Put together the attention of each target, (T, S)."""
    rows: list[list[npt.NDArray[Any]]] = [[] for _ in ends]
    for here, attention in weights:
        for row, own in zip(here.tolist(), attention, strict=True):
            if len(rows[row]) < ends[row]:
                rows[row].append(own[: lengths[row]])
    return [np.stack(each) if each else np.zeros((0, int(length))) for each, length in zip(rows, lengths, strict=True)]
