"""Terms of lines: from what a user asks for to what the search is told."""

import functools
from collections.abc import Sequence
from itertools import accumulate

from nmt.config.choices import AttentionKind, TermMode
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.search.interface import Term
from nmt.text.spans import Place
from nmt.text.subwords import MARKS
from nmt.text.terms import Match, Terms, checked_terms, joins
from nmt.text.terms import Term as Asked
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.protection import ProtectedLine, Protector
from nmt.translation.request import Request


class TermReader:
    """Finds the terms of a glossary, and those of each request, in its line."""

    def __init__(self, bundle: Translating, search: SearchConfig, *, glossary: Sequence[Asked] = ()) -> None:
        """Prepare.

        Args:
            bundle: the model, with its subwords.
            search: how to search.
            glossary: terms of all lines.

        Raises:
            ConfigError: there is a glossary, and this search cannot keep to it, or a term is empty.
        """
        self._source, self._target = subwords_of(bundle.source_subwords), subwords_of(bundle.target_subwords)
        self._protector, self._protects = Protector(self._source, self._target), search.protect
        self._glossary = checked_terms(glossary)
        self._reason = _reason(search, attends=bundle.config.attention is not AttentionKind.none)
        self._terms_of = functools.lru_cache(maxsize=256)(self._read)
        self._ids = functools.lru_cache(maxsize=4096)(self._encoded)
        if glossary and self._reason:
            raise ConfigError(self._reason)

    def refusal(self, request: Request) -> ConfigError | None:
        """Say why the terms of a request are impossible, if they are."""
        return ConfigError(self._reason) if request.terms and self._reason else None

    def protect(self, request: Request, *, also: Sequence[tuple[Place, str]] = ()) -> ProtectedLine:
        """Protect a line, where the search says so, and further places of it.

        A term whose target the model cannot write is protected too, and comes back as its target.
        """
        if not (also or self._protects):
            return ProtectedLine(request.text)
        terms = [
            (Place(match.start, match.end), match.forms[0], bool(self._ids(match.forms)))
            for match in self.find(request, self._source.normalized(request.text))
        ]
        return self._protector.protect(request.text, also=also, terms=terms)

    def find(self, request: Request, text: str) -> list[Match]:
        """Find what a request asks for, and the glossary, in a text, which may be the request's with marks."""
        terms = self._terms_of(request.terms) if request.terms or self._glossary else None
        return terms.find(text) if terms is not None else []

    def constraints(self, request: Request, line: ProtectedLine, *, shift: int, length: int) -> tuple[Term, ...]:
        """Say which terms the translation of a line shall have.

        Args:
            request: asks for them.
            line: of the request, with marks.
            shift: how many source positions stand before the line.
            length: how many subwords of the line the model is given.
        """
        if not (request.terms or self._glossary):
            return ()
        text = " ".join(filter(None, line.given.split(" ")))
        matches = self.find(request, text)
        ends = self._ends(text, length) if matches else []
        places: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        counts: dict[tuple[tuple[int, ...], ...], int] = {}
        for match in matches:
            pairs = enumerate(zip([0, *ends], ends, strict=False))
            positions = [shift + i for i, (start, end) in pairs if start < match.end and end > match.start]
            if positions and (forms := self._ids(match.forms)):
                places.setdefault(forms, []).extend(positions)
                counts[forms] = counts.get(forms, 0) + 1
        return tuple(Term(tuple(positions), forms, counts[forms]) for forms, positions in places.items())

    def missing(self, terms: Sequence[Term]) -> list[str]:
        """Warn of terms that a translation lacks."""
        names = ", ".join(self._target.decode(term.forms[0]) for term in terms)
        return [f"its translation lacks a term ({names})"] * bool(terms)

    def _ends(self, text: str, length: int) -> list[int]:
        """Say where each of the first subwords of a text ends: behind so many characters of it."""
        byte_ids = {*self._source.byte_ids}
        pairs = zip(self._source.encode(text)[:length], self._source.surfaces(text), strict=False)
        # Of a character in bytes the first counts. The first subword begins with a space that the text lacks.
        sizes = (int(not 0x80 <= int(piece[1:-1], 16) < 0xC0) if i in byte_ids else len(piece) for i, piece in pairs)
        return [max(0, end - 1) for end in accumulate(sizes)]

    def _read(self, request_terms: Sequence[Asked]) -> Terms:
        """Prepare the terms of a request, which count before those of the glossary."""
        normalized = [self._normalized(term) for term in request_terms]
        sources = {term.source for term in normalized}
        glossary_terms = [term for term in map(self._normalized, self._glossary) if term.source not in sources]
        return Terms([*normalized, *glossary_terms])

    def _normalized(self, term: Asked) -> Asked:
        return Asked(self._source.normalized(term.source), tuple(map(self._target.normalized, term.forms)))

    def _encoded(self, forms: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Spell forms, without those that the vocabulary cannot spell."""
        ids: list[tuple[int, ...]] = []
        for form in forms:
            spelt = tuple(self._target.encode(form))
            if self._target.unk_id not in spelt:
                ids.append(spelt)
                if not joins(form[0]):  # such as Chinese, which needs no space before it
                    ids.append(self._without_space(form))
        return tuple(dict.fromkeys(each for each in ids if each))

    def _without_space(self, form: str) -> tuple[int, ...]:
        """Spell a form as it is inside a word, where no space comes before it."""
        before = self._target.encode(MARKS[-1])
        return tuple(self._target.encode(MARKS[-1] + form)[len(before) :])


def _reason(search: SearchConfig, *, attends: bool) -> str:
    """Say why a search cannot keep to terms; empty: it can."""
    if search.terms is TermMode.hard and (search.sample or search.mbr_samples):
        return "terms=hard is for a beam, and outputs are sampled: take terms=soft, or leave sampling out"
    if search.terms is TermMode.hard and search.beam_size == 1:
        return "terms=hard needs a beam of 2 places or more: set beam_size (it is 1), or take terms=soft"
    if search.terms is TermMode.soft and not attends:
        return "terms=soft needs attention, and the model has none (model.attention=none): take terms=hard"
    return ""
