"""The language pairs of one model: how they are named, and where the text of each lies."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from nmt.errors import ConfigError

_NAME = re.compile(r"(\w+)-(\w+)")
_EXAMPLE = "corpus.pairs=[es-gn,es-shp]"


class LanguagePair(NamedTuple):
    """A direction of translation."""

    source: str
    target: str

    def __str__(self) -> str:
        """Write it as `corpus.pairs` has it."""
        return f"{self.source}-{self.target}"

    @property
    def reverse(self) -> Self:
        """The other direction."""
        return self._replace(source=self.target, target=self.source)

    def text(self, name: str) -> str:
        """Name the text of this pair.

        ``{pair}``, ``{source}`` and ``{target}`` stand in `name` for what they say. A name with none of them is that of
        a text in the directory of the pair: ``data/train`` becomes ``data/es-gn/train``.
        """
        stands_for = {"{pair}": str(self), "{source}": self.source, "{target}": self.target}
        if name and not any(word in name for word in stands_for):
            directory, slash, file = name.rpartition("/")
            name = f"{directory}{slash}{{pair}}/{file}"
        for word, meaning in stands_for.items():
            name = name.replace(word, meaning)
        return name


def parse_pairs(names: Sequence[str]) -> tuple[LanguagePair, ...]:
    """Read the names of pairs, as es-gn; ConfigError: one is none, or stands there twice."""
    pairs: list[LanguagePair] = []
    for name in names:
        match = _NAME.fullmatch(str(name))
        if match is None:
            raise ConfigError(
                f"corpus.pairs has {name!r}, which is no pair: write two names of languages, of letters, digits and "
                f"underscores, with a hyphen between them, as in {_EXAMPLE}"
            )
        pair = LanguagePair(match[1], match[2])
        if pair.source == pair.target:
            raise ConfigError(f"corpus.pairs has {name}: a pair is of two languages; name another one")
        if pair in pairs:
            raise ConfigError(f"corpus.pairs has {name} twice; leave one of them out")
        pairs.append(pair)
    return tuple(pairs)


def target_languages(pairs: Iterable[LanguagePair]) -> tuple[str, ...]:
    """List the languages that some pairs are translated into, each once, in their order."""
    return tuple(dict.fromkeys(pair.target for pair in pairs))


def source_languages(pairs: Iterable[LanguagePair]) -> tuple[str, ...]:
    """List the languages that some pairs are translated from, each once, in their order."""
    return tuple(dict.fromkeys(pair.source for pair in pairs))


def require_known(pairs: Sequence[LanguagePair], *, to: str, source_language: str) -> None:
    """Refuse settings of search that name a language which the corpus has not: ConfigError."""
    settings = {"to": (to, target_languages(pairs)), "source_language": (source_language, source_languages(pairs))}
    for key, (value, languages) in settings.items():
        if value and value not in languages:
            advice = f"take one of {', '.join(languages)}" if pairs else "that is for corpus.pairs; leave it out"
            raise ConfigError(f"search.{key}={value} is no language of the corpus: {advice}")
