"""Layers around a translator: each makes other requests of a window's, and puts their translations together."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.text.markup import KINDS
from nmt.translation.markup import Markup
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
    bundle: Translating,
    search: SearchConfig,
    *,
    n_best: int,
    alignments: bool = False,
    split_sentences: bool = False,
    markup: str | None = None,
) -> tuple[Layer, ...]:
    """Make the layers that were asked for, the innermost first.

    Args:
        bundle: the model inside.
        search: how it searches.
        n_best: hypotheses that are wanted of each line.
        alignments: whether they shall have alignments.
        split_sentences: translate each sentence of a line by itself.
        markup: take tags out and put them back: one of `nmt.text.markup.KINDS`.

    Raises:
        ConfigError: a library is not installed, there is no such markup, or what is wanted is not possible with it.
    """
    if markup is not None and markup not in KINDS:
        raise ConfigError(f"markup={markup} is not possible: it must be {' or '.join(KINDS)}")
    if markup is not None and alignments:
        raise ConfigError("alignments count the words of lines without tags: leave alignments or markup out")
    for option, is_on in (("split_sentences", split_sentences), ("markup", markup is not None)):
        if is_on and n_best > 1:
            raise ConfigError(f"n_best={n_best} is for whole lines, and {option} has only the best of each part")
    if markup is not None:
        return (Markup(bundle, search, markup, split_sentences=split_sentences),)
    return (Sentences(bundle, search),) if split_sentences else ()


def layered(inner: Answer, layers: Sequence[Layer]) -> Answer:
    """Put layers around what translates, the innermost first."""
    for layer in layers:
        inner = _around(layer, inner)
    return inner


def _around(layer: Layer, inner: Answer) -> Answer:
    return lambda requests: layer.translate(requests, inner)
