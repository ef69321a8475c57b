"""Places of a beam shared out by how much of the required terms is written: dynamic beam allocation.

Post & Vilar (2018, "Fast Lexically Constrained Decoding with Dynamic Beam Allocation for Neural Machine Translation"):
candidates are the best continuations of a sentence, the best of each place, and those that go on with a term. Those
with equally many tokens of terms are a bank, and banks have equally many places. What one cannot fill goes to others.

Shapes: B sentences, K places, V columns of the logits, C candidates of a sentence.
"""

from collections.abc import Sequence

import numpy as np

from nmt.search.arrays import Floats, Ints
from nmt.search.candidates import Candidates, not_numbers
from nmt.search.distribution import forbid
from nmt.search.interface import Constraints, StepLike, Term
from nmt.search.rules import Prefix, Rule
from nmt.search.terms import TermSpelling

_LOOKED_AT = 100
"""Continuations of a place among which one is looked for that does not lengthen the last word of a term."""


def allocated_candidates(
    step: StepLike, totals: Floats, widths: Ints, rules: Sequence[Rule], prefix: Prefix, *, spelling: TermSpelling
) -> Candidates:
    """Take continuations of every sentence, from every bank as many; without terms these are the best.

    Args:
        step: scores (B, K, V) of processors, on the host.
        totals: (B, K) of the prefixes, -inf for an empty place.
        widths: (B,) how many to take of each sentence, if there are as many.
        rules: what may be emitted.
        prefix: the tokens so far, with the constraints of each sentence.
        spelling: says how far terms are written.

    Raises:
        RunError: the model's scores are not numbers.
    """
    if np.isnan(step.logits).any():
        raise not_numbers(prefix.length + 1)
    scores = step.logits.copy()
    forbid(scores, step.shortlist, rules, prefix)
    shape = len(totals), int(widths.max())
    found = Candidates(np.full(shape, -np.inf), *np.zeros((2, *shape), dtype=np.int64))
    for row, each in enumerate(prefix.constraints):
        ids = np.arange(scores.shape[2]) if step.shortlist is None else step.shortlist[row]
        sums = totals[row, :, None] + scores[row]
        chosen = _shared_out(sums, int(widths[row]), ids, prefix.tokens[row].tolist(), each, spelling)
        places, columns = np.divmod(np.array(chosen, dtype=np.int64), sums.shape[1])
        for column, values in zip(found, (sums[places, columns], places, ids[columns]), strict=True):
            column[row, : len(chosen)] = values
    return found


def _shared_out(
    sums: Floats, width: int, ids: Ints, tokens: list[list[int]], each: Constraints, spelling: TermSpelling
) -> list[int]:
    """Choose continuations of one sentence, counted through all of (K, V), best first."""
    flat = sums.reshape(-1)
    terms = each.terms if each.requires_terms else ()
    chosen = set(_best(flat, width))
    columns = {token: column for column, token in enumerate(ids.tolist())} if terms else {}
    for place, row in enumerate(map(tuple, tokens) if terms else ()):
        lacking = [term for term in terms if not spelling.has(term, row)]
        starts = (token for term in lacking for token, _ in spelling.next_tokens(term.forms, row))
        whole = [term for term in terms if term not in lacking]
        kept = _best_keeping(sums[place], ids, row, whole, spelling)
        chosen |= {place * len(ids) + column for column in (*map(columns.__getitem__, starts), *kept)}
    order = sorted((one for one in chosen if flat[one] > -np.inf), key=lambda one: (-flat[one], one))
    if not terms:
        return order[:width]
    # Of each bank the best comes first, then the second of each; the bank of the most tokens goes before others.
    sizes: dict[int, int] = {}
    ranked = []
    for one in order:
        place, column = divmod(one, len(ids))
        bank = spelling.progress(terms, (*tokens[place], int(ids[column])))
        sizes[bank] = sizes.get(bank, 0) + 1
        ranked.append((sizes[bank], -bank, one))
    return sorted((one for *_, one in sorted(ranked)[:width]), key=lambda one: (-flat[one], one))


def _best_keeping(
    row: Floats, ids: Ints, tokens: tuple[int, ...], whole: Sequence[Term], spelling: TermSpelling
) -> list[int]:
    """Find the best column of a place, and the best that does not go on with the last word of a term: (V,)."""

    def keeps(column: int) -> bool:
        return all(spelling.has(term, (*tokens, int(ids[column]))) for term in whole)

    best = int(row.argmax())
    if keeps(best):
        return [best]
    others = np.argsort(-row, kind="stable")[:_LOOKED_AT].tolist()
    return [best, *(column for column in others if keeps(column))][:2]


def _best(flat: Floats, count: int) -> list[int]:
    """Find the best of all (M,), of equals the first."""
    if count >= len(flat):
        return list(range(len(flat)))
    least = np.partition(flat, -count)[-count]
    reaching = np.flatnonzero(flat >= least)
    order = reaching[np.argsort(-flat[reaching], kind="stable")[:count]]
    found: list[int] = order.tolist()
    return found
