"""Terms in a search: they are favoured where attention reads their sources, or required before the end.

How far a term is written is read from the tokens of a place. It is there once its text is, in whatever subwords.

Shapes: B sentences, K places, S source length, V columns of the logits (the vocabulary, or N ids of a shortlist).
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from nmt.search.arrays import Floats, Ints
from nmt.search.interface import Constraints, Term
from nmt.search.rules import Prefix

_GAIN = 16.0
"""What is added to the logarithm of a token's probability where attention reads nothing but its term."""


class TermSpelling:
    """Says how far terms are written."""

    def __init__(
        self, pieces: Callable[[], Sequence[str]], *, space: str, eos_id: int, count: Callable[..., int]
    ) -> None:
        """Prepare.

        Args:
            pieces: says what each id spells; it is asked when a sentence first has a term.
            space: how a space is spelt.
            eos_id: what ends a translation.
            count: counts how often a word stands in a text, see `nmt.text.terms.count_words`.
        """
        self._pieces_of, self._space, self._count = pieces, space, count
        self.eos_id = eos_id
        self.written = functools.lru_cache(maxsize=4096)(self._find_written)
        self.next_tokens = functools.lru_cache(maxsize=4096)(self._find_next)

    def has(self, term: Term, tokens: Sequence[int]) -> bool:
        """Tell whether a form of a term is written as whole words."""
        return self.written(term.forms, tuple(tokens)) > 0

    def lacking(self, terms: Sequence[Term], tokens: tuple[int, ...]) -> int:
        """Count the tokens of terms that are still to be written, of each in the form that takes the fewest."""
        forms = (term.forms for term in terms if not self.has(term, tokens))
        return sum(
            min(len(form) - len(begun) for form, begun in zip(each, self._begun(each, tokens), strict=True))
            for each in forms
        )

    def _find_written(self, forms: tuple[tuple[int, ...], ...], tokens: tuple[int, ...], whole: bool = True) -> int:
        text = self._text(tokens)
        return max(self._count(self._text(form).strip(self._space), text, whole=whole) for form in forms)

    def _find_next(self, forms: tuple[tuple[int, ...], ...], tokens: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Find what may go on with a form, or begin one: pairs of a token and how many of the form come before it."""
        begun = self._begun(forms, tokens)
        most = max(map(len, begun))
        return tuple({form[most]: most for form, part in zip(forms, begun, strict=True) if len(part) == most}.items())

    def _begun(self, forms: Sequence[tuple[int, ...]], tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Cut each form to what of it the tokens end with, at most all but its last token."""
        lengths = (
            next((m for m in range(min(len(form) - 1, len(tokens)), 0, -1) if tokens[-m:] == form[:m]), 0)
            for form in forms
        )
        return [form[:length] for form, length in zip(forms, lengths, strict=True)]

    def _text(self, tokens: Sequence[int]) -> str:
        return "".join(map(self._pieces.__getitem__, tokens))

    @functools.cached_property
    def _pieces(self) -> Sequence[str]:
        return self._pieces_of()


class FavouredTerms:
    """Adds to the next token of each term, as far as attention reads the term's source, until the term is written.

    Attention decides where, as with a lexicon in the model (Arthur et al. 2016). A token that goes on with a term gets
    all that one can get. Probabilities sum to one again, so that to begin a term is no gain by itself.
    """

    def __init__(self, spelling: TermSpelling) -> None:
        """Take what tells how far terms are written."""
        self._spelling = spelling

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `nmt.search.processors.Processor`."""
        return any(each.terms for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `nmt.search.processors.Processor`."""
        if prefix.weights is None:
            return scores
        for row, each in enumerate(constraints):
            if not each.terms:
                continue
            columns = None if ids is None else {token: n for n, token in enumerate(ids[row].tolist())}
            for place, tokens in enumerate(map(tuple, prefix.tokens[row].tolist())):
                gains: dict[int, float] = {}
                for term in each.terms:
                    if self._spelling.written(term.forms, tokens, False) >= term.times:
                        continue
                    read = float(prefix.weights[row, place, list(term.positions)].sum())
                    for token, begun in self._spelling.next_tokens(term.forms, tokens):
                        gains[token] = max(gains.get(token, 0.0), _GAIN * (1.0 if begun else read))
                for token, gain in gains.items():
                    scores[row, place, token if columns is None else columns[token]] += gain
                scores[row, place] -= np.logaddexp.reduce(scores[row, place]) if gains else 0.0
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `nmt.search.processors.Processor`: what comes out are log-probabilities again."""
        return np.zeros(len(constraints))


class RequiredTerms:
    """No translation ends before it has a form of each of its sentence's terms, where these are required."""

    def __init__(self, spelling: TermSpelling) -> None:
        """Take what tells how far terms are written."""
        self._spelling = spelling

    def is_active(self, constraints: Sequence[Constraints], length: int) -> bool:
        """See `nmt.search.processors.Processor`."""
        return any(each.requires_terms for each in constraints)

    def process(self, scores: Floats, ids: Ints | None, prefix: Prefix, constraints: Sequence[Constraints]) -> Floats:
        """See `nmt.search.processors.Processor`."""
        for row, each in enumerate(constraints):
            if each.requires_terms and not each.forces(prefix.length):
                eos_id = self._spelling.eos_id
                column = eos_id if ids is None else int((ids[row] == eos_id).argmax())
                for place, tokens in enumerate(prefix.tokens[row].tolist()):
                    if not all(self._spelling.has(term, tokens) for term in each.terms):
                        scores[row, place, column] = -np.inf
        return scores

    def most_added(self, constraints: Sequence[Constraints], length: int) -> Floats:
        """See `nmt.search.processors.Processor`: it only takes away."""
        return np.zeros(len(constraints))
