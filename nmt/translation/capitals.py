"""The layer of capitals: lines in capitals are translated as they are usually written, and come back in capitals."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.capitals import UsualCase, in_capitals, is_in_capitals
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.request import Request, Translation


class Capitals:
    """The layer that cares for lines in capitals."""

    def __init__(self, bundle: Translating, search: SearchConfig) -> None:
        """Prepare for lines of a model's source language, and for the target language that is asked for."""
        self._bundle, self._search = bundle, search
        self._source = UsualCase(subwords_of(bundle.source_subwords), bundle.source_language)
        self._targets: dict[str, UsualCase] = {}

    def translate(
        self, requests: Sequence[Request], inner: Callable[[Sequence[Request]], list[Translation | ConfigError]]
    ) -> list[Translation | ConfigError]:
        """Translate lines; one of capitals whose prefix has small letters is given a translation with small letters."""
        asked = [self.usual(request) for request in requests]
        return [
            self._capital(answer, request)
            if changed.text != request.text and (not request.prefix or changed.prefix != request.prefix)
            else answer
            for request, changed, answer in zip(requests, asked, inner(asked), strict=True)
        ]

    def usual(self, request: Request) -> Request:
        """Write a line in capitals, and its prefix in capitals, as the model knows their words."""
        if not is_in_capitals(request.text):
            return request
        prefix, language = request.prefix, self._language(request)
        if is_in_capitals(prefix):
            written = self.target(language).written(prefix)
            # Of a letter whose capital is of no small letter, the prefix would not come back as it was given.
            prefix = written if in_capitals(written, language) == prefix else prefix
        return replace(request, text=self._source.written(request.text), prefix=prefix)

    def target(self, language: str) -> UsualCase:
        """Return what knows the words of a target language."""
        if language not in self._targets:
            self._targets[language] = UsualCase(subwords_of(self._bundle.target_subwords), language)
        return self._targets[language]

    def _language(self, request: Request) -> str:
        return request.to or self._search.to or self._bundle.target_language

    def _capital(self, answer: Translation | ConfigError, request: Request) -> Translation | ConfigError:
        if isinstance(answer, ConfigError):
            return answer
        language = self._language(request)
        return replace(
            answer, hypotheses=[replace(each, text=in_capitals(each.text, language)) for each in answer.hypotheses]
        )
