"""Ensemble: several models that translate as one, by the mean of their probabilities.

p(y_t | y_<t, x) = 1/M Σ_m p_m(y_t | y_<t, x): the decoder averages over the individual models (Stahlberg & Byrne 2017,
"Unfolding and Shrinking Neural Machine Translation Ensembles"), as most systems do. A mean of logarithms is another
way; there each model has a veto, and the sum of all is not one.

Shapes: B sentences, K places, V vocabulary, M models, N ids of one model's shortlist, U ids of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Ints, Operations, operations_for
from nmt.search.interface import Constraints, Step, StepLike, StepModel


class _Columns(NamedTuple):
    """Where each model's columns are among those of all."""

    ids: Ints | None
    """(B, U) ascending, padded with -1; None: the whole vocabulary"""
    places: tuple[Ints | None, ...]
    """M times: (B, U) the column of the model that has this id, or N where none has; None: its columns are all"""


class EnsembleState(NamedTuple):
    """Where each model stands."""

    states: tuple[Any, ...]
    operations: tuple[Operations, ...]
    """of each model's kind of array"""
    columns: _Columns | None = None
    """known after the first step; the shortlists stay the same from there on"""

    def reorder(self, parents: Ints) -> EnsembleState:
        """See `nmt.search.interface.State`."""
        return self._replace(states=self._each("reorder", parents))

    def keep(self, sentences: Ints) -> EnsembleState:
        """See `nmt.search.interface.State`."""
        columns = self.columns
        if columns is not None:
            ids, *places = (None if each is None else each[sentences] for each in (columns.ids, *columns.places))
            columns = _Columns(ids, tuple(places))
        return self._replace(states=self._each("keep", sentences), columns=columns)

    def _each(self, method: str, integers: Ints) -> tuple[Any, ...]:
        pairs = zip(self.states, self.operations, strict=True)
        return tuple(getattr(state, method)(operations.from_host(integers)) for state, operations in pairs)


class Ensemble:
    """Several step models of the same vocabularies as one; they may be of several kinds.

    With shortlists a sentence has the union of its ids: to what is not in its own list, a model gives no probability.
    So the mean stays a distribution. What `Constraints` need is in each list. Attention is the mean of the models that
    have some.
    """

    device = None
    """What comes out are NumPy arrays, whatever each model computes with."""
    multi_step = None
    """It has only steps."""

    def __init__(self, models: Sequence[StepModel]) -> None:
        """Average these models, one or more."""
        self._models = tuple(models)
        self._operations = tuple(operations_for(model.device) for model in models)

    def start(self, source: Ints, lengths: Ints, constraints: Sequence[Constraints] | None = None) -> EnsembleState:
        """See `nmt.search.interface.StepModel`."""
        states = []
        for model, operations in zip(self._models, self._operations, strict=True):
            with operations.without_gradients():
                states.append(model.start(operations.from_host(source), operations.from_host(lengths), constraints))
        return EnsembleState(tuple(states), self._operations)

    def step(self, previous: Ints, state: EnsembleState, *, with_weights: bool = False) -> Step:
        """See `nmt.search.interface.StepModel`."""
        log_probs, weights, steps = [], [], []
        for model, operations, model_state in zip(self._models, self._operations, state.states, strict=True):
            with operations.without_gradients():
                step: StepLike = model.step(operations.from_host(previous), model_state, with_weights=with_weights)
                normalized = step.logits if step.normalized else operations.log_softmax(step.logits)
            log_probs.append(operations.to_host(normalized))
            steps.append(step)
            if step.weights is not None:
                weights.append(operations.to_host(step.weights))
        columns = state.columns or self._columns_of(steps)
        placed = [_placed(each, places) for each, places in zip(log_probs, columns.places, strict=True)]
        return Step(
            _log_of_mean(placed),
            sum(weights[1:], weights[0]) / len(weights) if weights else None,
            EnsembleState(tuple(step.state for step in steps), self._operations, columns),
            columns.ids,
            normalized=True,
        )

    def _columns_of(self, steps: Sequence[StepLike]) -> _Columns:
        """Unite the shortlists of a step: the ids of its columns, and where each model has them."""
        lists = [
            None if step.shortlist is None else operations.to_host(step.shortlist)
            for step, operations in zip(steps, self._operations, strict=True)
        ]
        if all(each is None for each in lists):
            return _Columns(None, (None,) * len(lists))
        whole = next((step.logits.shape[-1] for step in steps if step.shortlist is None), None)
        shortlists = [each for each in lists if each is not None]
        if whole is None and all(np.array_equal(each, shortlists[0]) for each in shortlists):
            return _Columns(shortlists[0], (None,) * len(lists))
        ids = _union(shortlists) if whole is None else np.broadcast_to(np.arange(whole), (len(shortlists[0]), whole))
        places = tuple(None if each is None else _places(each, ids) for each in lists)
        return _Columns(ids if whole is None else None, places)


def _union(lists: Sequence[Ints]) -> Ints:
    """Unite the ids of each sentence: several (B, N), padded with -1 → (B, U) ascending, padded with -1."""
    rows = [np.unique(np.concatenate(row)) for row in zip(*lists, strict=True)]
    rows = [row[row >= 0] for row in rows]
    united = np.full((len(rows), max(map(len, rows))), -1, dtype=np.int64)
    for place, row in zip(united, rows, strict=True):
        place[: len(row)] = row
    return united


def _places(shortlist: Ints, ids: Ints) -> Ints:
    """Find the column of each id (B, U) in a shortlist (B, N), N where it is not there."""
    count = shortlist.shape[1]
    places = np.full((len(ids), max(int(ids.max()), int(shortlist.max())) + 2), count, dtype=np.int64)
    np.put_along_axis(places, shortlist, np.arange(count)[None].repeat(len(ids), 0), axis=1)
    places[:, -1] = count  # what -1 stands for is in no list
    return np.take_along_axis(places, ids, axis=1)


def _placed(log_probs: npt.NDArray[Any], places: Ints | None) -> npt.NDArray[Any]:
    """Put log-probabilities (B, K, N) into the columns of all: (B, K, U), -inf where the model has none."""
    if places is None:
        return log_probs
    nothing = np.full((*log_probs.shape[:2], 1), -np.inf, dtype=log_probs.dtype)
    return np.take_along_axis(np.concatenate([log_probs, nothing], axis=2), places[:, None, :], axis=2)


def _log_of_mean(log_probs: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Take log(1/M Σ exp(·)) of M arrays of one shape, without underflow."""
    peaks = np.maximum.reduce(log_probs)
    peaks = np.where(peaks == -np.inf, 0, peaks).astype(peaks.dtype)
    total = np.zeros_like(peaks)
    for each in log_probs:
        total += np.exp(each - peaks)
    with np.errstate(divide="ignore"):  # what no model gives any probability
        return np.asarray(peaks + np.log(total / len(log_probs)))
