"""From the logits of one step to the best continuations of each sentence, by the rules: the same for every decoder.

Shapes: B sentences, K places of a beam, V columns of the logits, N ids of a shortlist, C candidates of a sentence.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nmt.errors import RunError
from nmt.search.arrays import Bools, Continuations, Floats, Ints, Operations
from nmt.search.interface import StepLike
from nmt.search.rules import Prefix, Rule, allowed_by

_WIDENING = 4


class Candidates(NamedTuple):
    """The best continuations of every sentence, best first, on the host."""

    totals: Floats
    """(B, C) of the whole hypotheses; -inf where the rules leave nothing"""
    parents: Ints
    """(B, C) the places that they continue"""
    tokens: Ints
    """(B, C) ids"""

    def added(self, change: Floats, before: Floats | None, ids: Ints | None) -> Floats | None:
        """Sum up what processors added to each continuation, (B, C); None where it is nothing.

        Args:
            change: (B, K, V) what they added at this position.
            before: (B, K) what they added to the prefixes; None: nothing.
            ids: (B, V) the id of each column; None: column and id are the same.
        """
        rows = np.arange(len(self.tokens))[:, None]
        columns = self.tokens if ids is None else (ids[:, None, :] == self.tokens[:, :, None]).argmax(2)
        added = change[rows, self.parents, columns]
        if before is not None:
            added = added + before[rows, self.parents]
        return added if added.any() else None


def best_candidates(
    step: StepLike, totals: Floats, count: int, *, rules: Sequence[Rule], prefix: Prefix, operations: Operations
) -> Candidates:
    """Take the best C continuations of every sentence that the rules allow: `count`, or fewer if none has as many.

    Of equals the one of the lowest place comes first, then that of the lowest column.

    Args:
        step: logits (B, K, V), and with a shortlist the ids of their columns.
        totals: (B, K) of the prefixes, -inf for an empty place; what the step's log-probabilities are added to.
        count: 1 or more.
        rules: what may be emitted.
        prefix: the tokens so far, for the rules.
        operations: of the step's kind of array.

    Raises:
        RunError: the model's scores are not numbers.
    """
    try:
        continuations = _allowed(step, totals, count, rules=rules, prefix=prefix, operations=operations)
    except FloatingPointError:
        raise not_numbers(prefix.length + 1) from None
    return _ranked(continuations, len(totals), count)


def not_numbers(position: int) -> RunError:
    """Say that a model's scores at a target position, counted from 1, are no scores."""
    return RunError(
        f"the model's scores at target position {position} are not numbers (NaN or infinite): "
        "its weights are damaged or its training diverged; use an earlier checkpoint"
    )


def _allowed(
    step: StepLike, totals: Floats, count: int, *, rules: Sequence[Rule], prefix: Prefix, operations: Operations
) -> Continuations:
    """Find at least the best `count` of every sentence that the rules allow.

    What the rules take away is seldom among the best: so few are looked at, and more only for the sentences that lack.
    """
    ids = None if step.shortlist is None else operations.to_host(step.shortlist)

    def look(rows: Ints | None, wanted: int) -> tuple[Continuations, Bools | None]:
        """Find the best `wanted` of these sentences, or of all, and which of them are allowed."""
        logits, so_far = step.logits, totals
        if rows is not None:
            logits, so_far = logits[operations.from_host(rows)], totals[rows]
        continuations = operations.continuations(logits, so_far, wanted, normalized=step.normalized)
        if rows is not None:
            continuations = continuations._replace(sentences=rows[continuations.sentences])
        if ids is not None:
            continuations = continuations._replace(tokens=ids[continuations.sentences, continuations.tokens])
        return continuations, allowed_by(rules, continuations, prefix)

    continuations, allowed = look(None, count)
    everything, wanted = step.logits.shape[1] * step.logits.shape[2], count
    parts: list[Continuations] = []
    while allowed is not None:
        remaining = continuations.only(allowed)
        before, after = (np.bincount(each.sentences, minlength=len(totals)) for each in (continuations, remaining))
        lacking = (after < count) & (after < before) & (wanted < everything)
        parts.append(remaining.only(~lacking[remaining.sentences]))
        wanted *= _WIDENING
        if not lacking.any():
            break
        continuations, allowed = look(np.flatnonzero(lacking), wanted)
    else:
        parts.append(continuations)
    columns: Any = map(np.concatenate, zip(*parts, strict=True))
    return parts[0] if len(parts) == 1 else Continuations(*columns)


def _ranked(found: Continuations, batch_size: int, count: int) -> Candidates:
    """Order the continuations (M,) of each sentence from best to worst, and take up to `count` of each."""
    sentences, places, tokens, totals = found
    if count == 1 and len(tokens) == batch_size and (batch_size == 1 or (sentences[1:] > sentences[:-1]).all()):
        return Candidates(totals[:, None], places[:, None], tokens[:, None])
    if batch_size == 1 and len(tokens) >= count:
        order = np.argsort(-totals, kind="stable")[:count]
        return Candidates(totals[None, order], places[None, order], tokens[None, order])
    order = np.lexsort((-totals, sentences))  # stable, so that equals stay in their order
    sentences = sentences[order]
    ranks = np.arange(len(order)) - np.searchsorted(sentences, sentences)
    count = min(count, int(ranks.max(initial=0)) + 1)
    best = ranks < count
    at, order = (sentences[best], ranks[best]), order[best]
    ranked = Candidates(np.full((batch_size, count), -np.inf), *np.zeros((2, batch_size, count), dtype=np.int64))
    for column, values in zip(ranked, (totals, places, tokens), strict=True):
        column[at] = values[order]
    return ranked
