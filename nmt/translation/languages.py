"""The direction of a translation: of a model that was trained in several, what is asked for decides."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from nmt.config.pairs import LanguagePair, source_languages, target_languages
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.tags import tag_number

AnyBundle = TypeVar("AnyBundle", bound=Any)


class Directed(Protocol):
    """What is asked of a model, or of its description, about languages; see `nmt.translation.model.Translating`."""

    @property
    def source_language(self) -> str:
        """The only one that it translates from."""

    @property
    def target_language(self) -> str:
        """The only one that it translates into."""

    @property
    def pairs(self) -> Sequence[LanguagePair]:
        """The directions of its training, where there are several."""


def target_of(bundle: Directed, language: str) -> str:
    """Find the target language.

    Args:
        bundle: the model.
        language: what is asked for; empty: the only one that the model has.

    Raises:
        ConfigError: the model has several and none is asked for, or it does not translate into this one.
    """
    if not bundle.pairs:
        if language not in ("", bundle.target_language):
            raise ConfigError(f"the model translates into {bundle.target_language} alone, and not into {language}")
        return bundle.target_language
    targets = target_languages(bundle.pairs)
    if not language and len(targets) == 1:
        return targets[0]
    if not language:
        raise ConfigError(f"the model translates into {', '.join(targets)}: name the target language (to, or --to)")
    if language not in targets:
        raise ConfigError(f"the model does not translate into {language}: take one of {', '.join(targets)}")
    return language


def source_of(bundle: Directed, search: SearchConfig) -> str:
    """Find the source language: what is asked for, or the only one that was trained with the target language.

    Raises:
        ConfigError: the model has never seen this language.
    """
    asked = search.source_language
    if not bundle.pairs:
        if asked not in ("", bundle.source_language):
            raise ConfigError(f"the model translates from {bundle.source_language} alone, and not from {asked}")
        return bundle.source_language
    sources = source_languages(pair for pair in bundle.pairs if search.to in ("", pair.target))
    if not asked:
        return sources[0] if len(sources) == 1 else ""
    languages = _languages(bundle)
    if asked not in languages:
        raise ConfigError(f"the model does not know the source language {asked}: take one of {', '.join(languages)}")
    return asked


def _languages(bundle: Directed) -> tuple[str, ...]:
    """List all languages of a model."""
    return tuple(dict.fromkeys([*source_languages(bundle.pairs), *target_languages(bundle.pairs)]))


def settled(bundle: AnyBundle, search: SearchConfig, *, by_line: bool = False) -> AnyBundle:
    """Give a bundle the languages that are asked for; one of a single direction stays as it is.

    Args:
        bundle: a dataclass, as `nmt.translation.model.Translating` describes it.
        search: names the languages.
        by_line: whether each line may name its target language, so that none need be named for all.

    Raises:
        ConfigError: a language is missing, or the model does not have it.
    """
    is_open = by_line and bundle.pairs and not search.to
    target = bundle.target_language if is_open else target_of(bundle, search.to)
    source = source_of(bundle, search)
    return replace(bundle, source_language=source, target_language=target) if bundle.pairs else bundle


def untrained(bundle: Directed, search: SearchConfig) -> str:
    """Say that the direction that is asked for was never trained; nothing where it was, or where none is asked for."""
    pair = LanguagePair(search.source_language, search.to or bundle.target_language)
    if pair in bundle.pairs or pair.target not in target_languages(bundle.pairs):
        return ""
    if pair.source not in _languages(bundle):
        return ""
    trained = ", ".join(map(str, bundle.pairs))
    return f"the model was never trained to translate {pair}, only {trained}: expect little of it"


def source_prefix(
    bundle: Translating, search: SearchConfig, *, to: str | None = None, tag: int | str | None = None
) -> tuple[int, ...]:
    """Give the ids before a source: the symbol of its target language, where the model has such, and its tag.

    Args:
        bundle: the model.
        search: says what counts where a line does not.
        to: the line's target language; None: as the search settings say.
        tag: the line's tag; None: as the search settings say.

    Raises:
        ConfigError: there is no such language, or no such tag.
    """
    subwords = subwords_of(bundle.source_subwords)
    language = target_of(bundle, search.to if to is None else to)
    number = search.source_tag if tag is None else tag_number(tag, bundle.tags)
    return (*subwords.language_prefix(language), *subwords.tag_prefix(number))
