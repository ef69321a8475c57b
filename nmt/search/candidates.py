"""From the logits of one step to the best candidates of each sentence, by the rules: the same for every decoder.

Shapes: B sentences, K places of a beam, V columns of the logits, N of a shortlist, C candidates of a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nmt.errors import RunError
from nmt.search.arrays import Bools, Continuations, Floats, Ints, Operations
from nmt.search.interface import Ahead, StepLike

_WIDENING = 4


class Prefix:
    """What has been emitted before this step, for rules that want to know.

    Attributes:
        sentences: (B,) which rows of the caller's batch are still here, ascending; finished ones have left, or are
            about to, and it does not matter what they are allowed.
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


# (M possible continuations, tokens so far) → (M,), True for those that may be emitted, or None for all of them, which
# saves work at nearly every step. A rule sees token ids, whatever the columns of the logits are, and only those that
# are good enough to be chosen: search asks for more where it takes some away. It gives their probability to nobody:
# `log_prob` remains what the model itself says of the same tokens.
Rule: TypeAlias = Callable[[Continuations, Prefix], Bools | None]


class Candidates(NamedTuple):
    """The best continuations of every sentence, best first, on the host."""

    log_probs: Floats
    """(B, C) of the whole hypotheses; -inf where the rules leave nothing"""
    parents: Ints
    """(B, C) the places that they continue"""
    tokens: Ints
    """(B, C) ids"""


def best_candidates(
    step: StepLike, log_probs: Floats, count: int, *, rules: Sequence[Rule], prefix: Prefix, operations: Operations
) -> Candidates:
    """Take the best C continuations of every sentence that the rules allow: `count`, or fewer if none has as many.

    Of equals the one of the lowest place comes first, then that of the lowest column.

    Args:
        step: logits (B, K, V), and with a shortlist the ids of their columns.
        log_probs: (B, K) of the prefixes, -inf for an empty place.
        count: 1 or more.
        rules: what may be emitted.
        prefix: the tokens so far, for the rules.
        operations: of the step's kind of array.

    Raises:
        RunError: the model's scores are not numbers.
    """
    try:
        found = _allowed(step, log_probs, count, rules=rules, prefix=prefix, operations=operations)
    except FloatingPointError:
        raise RunError(
            f"the model's scores at target position {prefix.length + 1} are not numbers (NaN or infinite): "
            "its weights are damaged or its training diverged; use an earlier checkpoint"
        ) from None
    return _ranked(found, len(log_probs), count)


def in_question(rules: Sequence[Rule], ahead: Ahead, length: int) -> Sequence[Rule]:
    """Leave out the rules that have nothing against what a model took ahead of prefixes of `length` tokens.

    These say so in a method of theirs, ``allows_all(tokens: Ints, length: int) -> bool``: tokens (T, B, K), whatever
    came before them but for how many they are.
    """
    return [rule for rule in rules if not getattr(rule, "allows_all", _doubts)(ahead.tokens, length)]


def _doubts(tokens: Ints, length: int) -> bool:
    return False


def forbidden_ahead(ahead: Ahead, position: int, *, rules: Sequence[Rule], prefix: Prefix) -> Bools | None:
    """Tell of which sentences (B,) the rules forbid something that a model took ahead at a position; None: of none."""
    if not rules:
        return None
    tokens = ahead.tokens[position]
    sentences = np.arange(len(tokens)).repeat(tokens.shape[1])
    taken = (each[position].reshape(-1) for each in (ahead.parents, ahead.tokens, ahead.log_probs))
    allowed = allowed_by(rules, Continuations(sentences, *taken), prefix)
    return None if allowed is None else ~allowed.reshape(tokens.shape).all(1)


def _allowed(
    step: StepLike, log_probs: Floats, count: int, *, rules: Sequence[Rule], prefix: Prefix, operations: Operations
) -> Continuations:
    """Find at least the best `count` of every sentence that the rules allow.

    What the rules take away is seldom among the best: so few are looked at, and more only for the sentences that lack.
    """
    vocabulary, normalized = getattr(step, "vocabulary", None), getattr(step, "normalized", False)
    ids = None if vocabulary is None else operations.to_host(vocabulary)

    def look(rows: Ints | None, wanted: int) -> tuple[Continuations, Bools | None]:
        """Find the best `wanted` of these sentences, or of all, and which of them are allowed."""
        logits, so_far = step.logits, log_probs
        if rows is not None:
            logits, so_far = logits[operations.from_host(rows)], log_probs[rows]
        found = operations.continuations(logits, so_far, wanted, normalized=normalized)
        if rows is not None:
            found = found._replace(sentences=rows[found.sentences])
        if ids is not None:
            found = found._replace(tokens=ids[found.sentences, found.tokens])
        return found, allowed_by(rules, found, prefix)

    found, allowed = look(None, count)
    if allowed is None:
        return found
    everything = step.logits.shape[1] * step.logits.shape[2]
    rows, wanted = np.arange(len(log_probs)), count
    parts: list[Continuations] = []
    while True:
        kept = found if allowed is None else found.only(allowed)
        before, after = (np.bincount(each.sentences, minlength=len(log_probs))[rows] for each in (found, kept))
        lacking = (after < count) & (after < before) & (wanted < everything)
        enough = np.isin(kept.sentences, rows[lacking], invert=True)
        parts.append(kept.only(enough))
        if not lacking.any():
            columns: Any = map(np.concatenate, zip(*parts, strict=True))
            return Continuations(*columns)
        rows, wanted = rows[lacking], _WIDENING * wanted
        found, allowed = look(rows, wanted)


def allowed_by(rules: Sequence[Rule], found: Continuations, prefix: Prefix) -> Bools | None:
    """(M,) what every rule allows; None: everything."""
    allowed: Bools | None = None
    for rule in rules:
        by_one = rule(found, prefix)
        if by_one is not None:
            allowed = by_one if allowed is None else allowed & by_one
    return None if allowed is None or allowed.all() else allowed


def _ranked(found: Continuations, batch_size: int, count: int) -> Candidates:
    """Order the continuations (M,) of each sentence from best to worst, and take up to `count` of each."""
    sentences, places, tokens, log_probs = found
    if count == 1 and len(tokens) == batch_size and (batch_size == 1 or (sentences[1:] > sentences[:-1]).all()):
        return Candidates(log_probs[:, None], places[:, None], tokens[:, None])
    if batch_size == 1 and len(tokens) >= count:
        order = np.argsort(-log_probs, kind="stable")[:count]
        return Candidates(log_probs[None, order], places[None, order], tokens[None, order])
    order = np.lexsort((-log_probs, sentences))  # stable, so that equals stay in their order
    sentences = sentences[order]
    ranks = np.arange(len(order)) - np.searchsorted(sentences, sentences)
    count = min(count, int(ranks.max(initial=0)) + 1)
    best = ranks < count
    at, order = (sentences[best], ranks[best]), order[best]
    ranked = Candidates(np.full((batch_size, count), -np.inf), *np.zeros((2, batch_size, count), dtype=np.int64))
    for column, values in zip(ranked, (log_probs, places, tokens), strict=True):
        column[at] = values[order]
    return ranked
