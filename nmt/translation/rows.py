"""Rows of subwords → hypotheses: batches of a window, and one search for each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nmt.config.choices import TermMode
from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.search.decode import decode
from nmt.search.interface import Constraints, Hypothesis, Term
from nmt.search.options import SearchOptions
from nmt.search.sampling import Draw, key_of
from nmt.search.stepper import Stepper
from nmt.text.vocabulary import subwords_of
from nmt.translation.batching import cut_batches
from nmt.translation.model import Translating
from nmt.translation.options import scores_of_a_step, search_options

Weights: TypeAlias = npt.NDArray[np.floating[Any]]

_EXTRA_LENGTH = 10
"""Target positions that every translation may have beyond what the length of its source allows."""


@dataclass(frozen=True)
class Row:
    """All that a translation depends on; equal rows are translated once."""

    tag: tuple[int, ...]
    """the control symbols before the source, of its target language and its tag, or nothing"""
    ids: tuple[int, ...]
    """source subwords, without tag and EOS"""
    constraints: Constraints
    """what the translation is held to"""
    draw: int
    """number of the first sample"""
    prefix: str = ""
    """the text that the translation begins with, with marks"""

    def lacks_marks(self, tokens: Collection[int]) -> bool:
        """Tell whether a translation lacks a mark of the source."""
        return not set(self.constraints.marks).issubset(tokens)

    def requiring(self, *, marks: bool, terms: bool) -> "Row":
        """Return the row whose translation may not end without its marks, or its terms."""
        return replace(self, constraints=replace(self.constraints, requires_marks=marks, requires_terms=terms))

    def forced(self, tokens: Sequence[int]) -> "Row":
        """Return the row whose translation begins with these tokens."""
        return replace(self, constraints=Constraints(prefix=tuple(tokens)), draw=1)


class RowTranslator:
    """Searches for the translations of rows, the longest first."""

    def __init__(self, bundle: Translating, search: SearchConfig, *, n_best: int, with_weights: bool) -> None:
        """Prepare to translate.

        Args:
            bundle: the model, with its subwords.
            search: how to search.
            n_best: how many hypotheses are wanted of each row.
            with_weights: attach attention to them.
        """
        self.search, self._model = search, bundle.model
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self.options = search_options(self._target, search, n_best=n_best, with_weights=with_weights)
        self._forced = search_options(
            self._target, replace(search.by_beam(1), no_repeat_ngram=0), n_best=1, with_weights=True
        )

    def translate(self, rows: Collection[Row]) -> dict[Row, list[Hypothesis]]:
        """Translate different rows. What does not fit in memory fails at once, since the longest go first.

        A row that lost a mark is translated again with its marks required; where that does not end, the first
        translation stays. So it is with terms, where these are hard.
        """
        hypotheses = self._search(rows, self.options)
        again = {row: required for row in rows if (required := self._required(row, hypotheses[row])) != row}
        whole = self._search(again.values(), self.options)
        for row, required in again.items():
            fit = [each for each in whole[required] if each.finished and not self.missing_terms(row, [each])]
            if fit and not row.lacks_marks(fit[0].tokens):
                hypotheses[row] = fit if required.constraints.requires_terms else whole[required]
        return hypotheses

    def missing_terms(self, row: Row, hypotheses: Sequence[Hypothesis]) -> list[Term]:
        """List the terms that a translation must have, and one of these lacks."""
        spelling, terms = self.options.terms, row.constraints.terms
        if spelling is None or self.search.terms is TermMode.soft:
            return []
        return [term for term in terms if not all(spelling.has(term, each.tokens) for each in hypotheses)]

    def _required(self, row: Row, hypotheses: Sequence[Hypothesis]) -> Row:
        """Require of a row what its translations lack."""
        lacks_terms = bool(self.missing_terms(row, hypotheses))
        return row.requiring(marks=row.lacks_marks(hypotheses[0].tokens), terms=lacks_terms)

    def attention(self, pairs: Sequence[tuple[Row, Sequence[int]]]) -> list[Weights | None]:
        """Attend with given translations: for each pair of a row and T tokens their weights (T, S).

        They are None of a model without attention.
        """
        forced = [row.forced(tokens) for row, tokens in pairs]
        hypotheses = self._search(set(forced), self._forced)
        weights = [hypotheses[row][0].weights for row in forced]
        return [None if each is None else each[: len(tokens)] for each, (_, tokens) in zip(weights, pairs, strict=True)]

    def _search(self, rows: Collection[Row], options: SearchOptions) -> dict[Row, list[Hypothesis]]:
        """Search in batches.

        Rows with constraints have batches of their own, so that the others keep what is faster without.
        """
        scores = scores_of_a_step(options, self._target.vocabulary_size)
        hypotheses: dict[Row, list[Hypothesis]] = {}
        groups: dict[int, list[Row]] = {}
        for row in rows:
            groups.setdefault(2 if row.constraints.changes_scores else bool(row.constraints.marks), []).append(row)
        for _, group in sorted(groups.items()):
            group.sort(key=lambda row: (-len(row.ids), row.ids, row.tag, row.draw))
            for cut in cut_batches([len(row.ids) for row in group], self.search.batch_size, scores=scores):
                hypotheses.update(zip(group[cut], self._batch(group[cut], options), strict=True))
        return hypotheses

    def _batch(self, batch: Sequence[Row], options: SearchOptions) -> list[list[Hypothesis]]:
        sources = [(*row.tag, *row.ids) for row in batch]
        source, lengths = pad_rows(sources, pad_id=self._source.pad_id, eos_id=self._source.eos_id)
        constraints = [row.constraints for row in batch] if batch[0].constraints != Constraints() else []
        limits = [self._max_length(row) for row in batch]
        stepper = Stepper(self._model, source, lengths, max_lengths=limits, options=options, constraints=constraints)
        sampled = batch if options.sampling else ()
        return decode(stepper, [Draw(key_of(row.tag, row.ids, row.constraints.prefix), row.draw) for row in sampled])

    def _max_length(self, row: Row) -> int:
        by_source = int(self.search.max_length_ratio * len(row.ids))
        terms = sum(max(map(len, term.forms)) for term in row.constraints.terms)
        return max(by_source, row.constraints.begun + len(row.constraints.marks) + terms) + _EXTRA_LENGTH
