"""Places of a beam shared out by how much of the required terms is written: dynamic beam allocation.

Post & Vilar (2018, "Fast Lexically Constrained Decoding with Dynamic Beam Allocation for Neural Machine Translation"):
candidates are the best continuations of a sentence, the best of each place, and those that go on with a term. Those
with equally many tokens of terms are a bank, and banks have equally many places. What one cannot fill goes to others.
Required marks are such terms too.

Shapes: B sentences, K places, V columns of the logits, C candidates of a sentence.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt.search.arrays import Floats, Ints
from nmt.search.candidates import Candidates, not_numbers
from nmt.search.distribution import forbid
from nmt.search.interface import StepLike, Term
from nmt.search.rules import Prefix, Rule
from nmt.search.terms import TermSpelling

_LOOKED_AT = 100
"""Continuations of a place among which one is looked for that does not lengthen the last word of a term."""


class _Sentence(NamedTuple):
    """The continuations of one sentence."""

    sums: Floats
    """(K, V) of the whole hypotheses"""
    ids: Ints
    """(V,) of the columns"""
    tokens: list[tuple[int, ...]]
    """K prefixes"""


def allocated_candidates(
    step: StepLike,
    totals: Floats,
    widths: Ints,
    left: Ints,
    *,
    rules: Sequence[Rule],
    prefix: Prefix,
    terms: TermSpelling,
) -> Candidates:
    """Take continuations of every sentence, from every bank as many; without terms these are the best.

    What could not have all its terms within its length limit is taken only where nothing else is there.

    Args:
        step: scores (B, K, V) of processors, on the host.
        totals: (B, K) of the prefixes, -inf for an empty place.
        widths: (B,) how many to take of each sentence, if there are as many.
        left: (B,) positions that each sentence may take behind this one.
        rules: what may be emitted.
        prefix: the tokens so far, with the constraints of each sentence.
        terms: says how far terms are written.

    Raises:
        RunError: the model's scores are not numbers.
    """
    if np.isnan(step.logits).any():
        raise not_numbers(prefix.length + 1)
    scores = step.logits.copy()
    forbid(scores, step.shortlist, rules, prefix)
    shape = len(totals), int(widths.max())
    candidates = Candidates(np.full(shape, -np.inf), *np.zeros((2, *shape), dtype=np.int64))
    for row, each in enumerate(prefix.constraints):
        ids = np.arange(scores.shape[2]) if step.shortlist is None else step.shortlist[row]
        sums, tokens = totals[row, :, None] + scores[row], list(map(tuple, prefix.tokens[row].tolist()))
        marks = each.marks if each.requires_marks else ()
        required = (*each.terms, *(Term((), ((mark,),)) for mark in marks)) if each.requires_terms else ()
        chosen = _shared_out(_Sentence(sums, ids, tokens), int(widths[row]), int(left[row]), required, terms)
        places, columns = np.divmod(np.array(chosen, dtype=np.int64), len(ids))
        for values, chosen_values in zip(candidates, (sums[places, columns], places, ids[columns]), strict=True):
            values[row, : len(chosen)] = chosen_values
    return candidates


def _shared_out(sentence: _Sentence, width: int, left: int, required: Sequence[Term], terms: TermSpelling) -> list[int]:
    """Choose continuations of one sentence, counted through all of (K, V), best first."""
    flat, size = sentence.sums.reshape(-1), len(sentence.ids)
    chosen = set(_best(flat, width))
    columns = {token: column for column, token in enumerate(sentence.ids.tolist())} if required else {}
    for place, row in enumerate(sentence.tokens if required else ()):
        lacking = [term for term in required if not terms.has(term, row)]
        starts = {columns[token] for term in lacking for token, _ in terms.next_tokens(term.forms, row)}
        ends = set() if lacking else {columns[terms.eos_id]}
        whole = [term for term in required if term not in lacking]
        keeping_columns = _best_keeping(sentence.sums[place], sentence.ids, row, whole, terms)
        chosen |= {place * size + column for column in starts | ends | {*keeping_columns}}
    order = sorted((one for one in chosen if flat[one] > -np.inf), key=lambda one: (-flat[one], one))
    if not required:
        return order[:width]
    # Of each bank the best comes first, then the second of each; the bank that lacks the fewest goes before others.
    sizes: dict[tuple[bool, int], int] = {}
    ranked = []
    for one in order:
        place, column = divmod(one, size)
        token = int(sentence.ids[column])
        missing = terms.lacking(required, (*sentence.tokens[place], token))
        bank = token != terms.eos_id and missing + 1 > left, missing
        sizes[bank] = sizes.get(bank, 0) + 1
        ranked.append((bank[0], sizes[bank], missing, one))
    return sorted((one for *_, one in sorted(ranked)[:width]), key=lambda one: (-flat[one], one))


def _best_keeping(
    row: Floats, ids: Ints, tokens: tuple[int, ...], whole: Sequence[Term], terms: TermSpelling
) -> list[int]:
    """Find the best column of a place, and the best that does not go on with the last word of a term: (V,)."""

    def keeps(column: int) -> bool:
        return all(terms.has(term, (*tokens, int(ids[column]))) for term in whole)

    best = int(row.argmax())
    if keeps(best):
        return [best]
    ranked_columns = np.argsort(-row, kind="stable")[:_LOOKED_AT].tolist()
    return [best, *(column for column in ranked_columns if keeps(column))][:2]


def _best(flat: Floats, count: int) -> list[int]:
    """Find the best of all (M,), of equals the first."""
    if count >= len(flat):
        return list(range(len(flat)))
    least = np.partition(flat, -count)[-count]
    reaching = np.flatnonzero(flat >= least)
    order = reaching[np.argsort(-flat[reaching], kind="stable")[:count]]
    best_indices: list[int] = order.tolist()
    return best_indices
