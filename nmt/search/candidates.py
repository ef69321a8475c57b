"""From the logits of one step to the best candidates of each place, by the rules: the same for every decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from nmt.errors import RunError
from nmt.search.arrays import Floats, Ints, Operations
from nmt.search.interface import Array


class Prefix:
    """What has been emitted before this step, for rules that want to know.

    Attributes:
        sentences: (B,) which rows of the caller's batch are still here, ascending; finished ones have left.
        length: how many tokens every place has emitted, BOS not counted; all places move together.
    """

    def __init__(self, sentences: Ints, length: int, read: Callable[[], Ints]) -> None:
        self.sentences = sentences
        self.length = length
        self._read = read
        self._tokens: Ints | None = None

    @property
    def tokens(self) -> Ints:
        """(B, K, length), without BOS, on the host; read from the back-pointers only if a rule asks."""
        if self._tokens is None:
            self._tokens = self._read()
        return self._tokens


# (log_probs (B, K, V), tokens so far) → log_probs (B, K, V) with -inf at what may not be emitted. The array belongs to
# search: a rule may write into it and return it. Normalisation comes before the rules, so a rule takes tokens away but
# gives their probability to nobody, and `log_prob` remains what the model itself would say of the same tokens.
Rule: TypeAlias = Callable[[Array, Prefix], Array]


class Candidates(NamedTuple):
    """The best next tokens of every place, best first, on the host."""

    log_probs: Floats
    """(B, K, C), at most 0; -inf where the rules leave nothing."""
    tokens: Ints
    """(B, K, C)"""


def best_candidates(
    logits: Array, count: int, *, rules: Sequence[Rule], prefix: Prefix, operations: Operations
) -> Candidates:
    """Normalise logits (B, K, V), apply the rules and take the best C = min(count, V) tokens of every place.

    Raises:
        RunError: the model's scores are not numbers.
    """
    log_probs = operations.log_softmax(logits)
    for rule in rules:
        log_probs = rule(log_probs, prefix)
    best, tokens = operations.top_k(log_probs, count)
    if np.isnan(best).any():
        raise RunError(
            f"the model's scores at target position {prefix.length + 1} are not numbers (NaN or infinite): "
            "its weights are damaged or its training diverged; use an earlier checkpoint"
        )
    return Candidates(best, tokens)
