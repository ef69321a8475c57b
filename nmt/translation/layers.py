"""Layers around a translator: each makes other requests of a window's, and puts their translations together."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.vocabulary import subwords_of
from nmt.translation.model import Translating
from nmt.translation.request import Request, Translation
from nmt.translation.sentences import Sentences

Answer: TypeAlias = Callable[[Sequence[Request]], list[Translation | ConfigError]]
"""Translates requests; where one of them cannot be fulfilled, its error stands in its place."""


class Layer(Protocol):
    """What stands around a translator, or around another layer."""

    def translate(self, requests: Sequence[Request], inner: Answer) -> list[Translation | ConfigError]:
        """Translate requests with what is inside: same count, same order."""


def layers_of(
    bundle: Translating, search: SearchConfig, *, n_best: int, split_sentences: bool = False
) -> tuple[Layer, ...]:
    """Make the layers that were asked for, the innermost first.

    Args:
        bundle: the model inside.
        search: how it searches.
        n_best: hypotheses that are wanted of each line.
        split_sentences: translate each sentence of a line by itself.

    Raises:
        ConfigError: a library is not installed, or several hypotheses are wanted.
    """
    if split_sentences and n_best > 1:
        raise ConfigError(f"n_best={n_best} is for whole lines, and split_sentences has only the best of each sentence")
    layers: list[Layer] = []
    if split_sentences:
        layers.append(Sentences(bundle.source_language, subwords_of(bundle.source_subwords), search))
    return tuple(layers)


def layered(inner: Answer, layers: Sequence[Layer]) -> Answer:
    """Put layers around what translates, the innermost first."""
    for layer in layers:
        inner = _around(layer, inner)
    return inner


def _around(layer: Layer, inner: Answer) -> Answer:
    return lambda requests: layer.translate(requests, inner)
