"""Lines in capitals are translated as they are usually written, and come back in capitals."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from nmt.config.search import SearchConfig
from nmt.text.capitals import UsualCase, in_capitals, is_in_capitals
from nmt.text.spans import Place
from nmt.text.terms import Match
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.request import Request

_LANGUAGES = 16
"""Target languages whose words are remembered."""


class UsualRequest(NamedTuple):
    """A request as the model is asked."""

    request: Request
    language: str | None = None
    """that the translation is written in capitals of; None: as the model writes it"""

    def written(self, text: str) -> str:
        """Write a translation as it is wanted."""
        return text if self.language is None else in_capitals(text, self.language)


class Capitals:
    """Finds lines in capitals, and writes them as a model knows their words."""

    def __init__(
        self,
        bundle: Translating,
        search: SearchConfig,
        *,
        find_terms: Callable[[Request, str], Sequence[Match]] = lambda request, text: (),
    ) -> None:
        """Prepare for lines of a model's source language.

        Args:
            bundle: the model.
            search: says whether capitals are cared for, and what is translated into.
            find_terms: the words of a text, normalised, that are a request's terms as they stand.
        """
        self._bundle, self._search, self._find_terms = bundle, search, find_terms
        self._subwords = subwords_of(bundle.source_subwords)
        self._source = UsualCase(self._subwords, bundle.source_language)
        self._target = functools.lru_cache(maxsize=_LANGUAGES)(
            lambda language: UsualCase(subwords_of(bundle.target_subwords), language)
        )

    def usual(self, request: Request) -> UsualRequest:
        """Write a line in capitals, and its prefix, as the model knows their words.

        A line that stays as it is, and one whose prefix has small letters, asks for no translation in capitals.
        """
        if not self._search.capitals or not is_in_capitals(request.text):
            return UsualRequest(request)
        text = self._subwords.normalized(request.text)
        terms = [Place(match.start, match.end) for match in self._find_terms(request, text)]
        usual = self._source.written(text, terms)
        if usual == text:
            return UsualRequest(request)
        language = request.to or self._search.to or self._bundle.target_language
        if in_capitals(request.prefix, language) != request.prefix:
            return UsualRequest(replace(request, text=usual))
        # Where it would not come back as it is, the model is given it as it is.
        prefix = self._target(language).written(request.prefix)
        prefix = prefix if in_capitals(prefix, language) == request.prefix else request.prefix
        return UsualRequest(replace(request, text=usual, prefix=prefix), language)
