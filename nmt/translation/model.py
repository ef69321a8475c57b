"""What a translator needs to know of a trained model, whatever computes it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nmt.config.pairs import LanguagePair
from nmt.config.search import SearchConfig
from nmt.search.interface import StepModel
from nmt.text.vocabulary import Vocabulary


class Translating(Protocol):
    """What a Translator needs to know of a trained model: a `Bundle` is one, and what `nmt.bundle.loading` loads."""

    @property
    def model(self) -> StepModel:
        """A step model, in evaluation mode."""

    @property
    def config(self) -> Any:
        """The network's settings."""

    @property
    def source_subwords(self) -> Vocabulary:
        """The subwords that the model reads."""

    @property
    def target_subwords(self) -> Vocabulary:
        """The subwords that it writes."""

    @property
    def source_language(self) -> str:
        """What it translates from."""

    @property
    def target_language(self) -> str:
        """What it translates into."""

    @property
    def pairs(self) -> Sequence[LanguagePair]:
        """The directions that it was trained in, where there are several; else nothing."""

    @property
    def tags(self) -> Mapping[str, int]:
        """The names of its control symbols, with their numbers; nothing where they have none."""

    @property
    def search(self) -> SearchConfig:
        """How to search unless the caller says otherwise."""
