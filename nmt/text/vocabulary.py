"""The methods that the vocabularies of all tasks have, and how a vocabulary is read back."""

import json
from collections.abc import Sequence
from typing import ClassVar, Protocol, cast

from nmt.errors import ConfigError, SubwordError
from nmt.text.subwords import SubwordModel
from nmt.text.words import ClassVocabulary, LabelVocabulary, WordVocabulary


class Vocabulary(Protocol):
    """Lines to rows of ids. Ids 0–3 are pad, unk, bos and eos everywhere."""

    pad_id: ClassVar[int]
    unk_id: ClassVar[int]
    bos_id: ClassVar[int]
    eos_id: ClassVar[int]
    vocabulary_size: int
    digest: str
    """of its content, in hex"""

    def to_bytes(self) -> bytes:
        """Serialise it; `read_vocabulary` reads it back."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each line, without bos and eos."""

    def sample_batch(self, texts: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """Draw one way to split each line, a function of (texts, alpha, seed)."""

    def tag_prefix(self, tag: int) -> tuple[int, ...]:
        """Give the ids before a line with a tag, -1 for none."""


def read_vocabulary(data: bytes, *, origin: str) -> Vocabulary:
    """Read what `Vocabulary.to_bytes` wrote: JSON of words or labels, or a subword model.

    Raises:
        SubwordError: it is none, or damaged; `origin` is named.
    """
    if not data.startswith(b"{"):
        return SubwordModel(data, origin=origin)
    try:
        content = json.loads(data)
        if content["kind"] == LabelVocabulary.kind:
            return LabelVocabulary(_texts(content["labels"]))
        if content["kind"] == ClassVocabulary.kind:
            return ClassVocabulary(_texts(content["labels"]))
        if content["kind"] == WordVocabulary.kind:
            words, rare = _texts(content["words"]), int(content["rare"])
            characters, ignore_case = _texts(content["characters"]), bool(content.get("ignore_case", False))
            return WordVocabulary(characters, words, min(max(rare, 0), len(words)), ignore_case=ignore_case)
    except (ValueError, KeyError, TypeError):
        pass
    raise SubwordError(f"{origin}: not a vocabulary of this nmt, or damaged; copy it again")


def subwords_of(vocabulary: Vocabulary) -> SubwordModel:
    """Return the subwords of a model that translates.

    Raises:
        ConfigError: it is the vocabulary of another task.
    """
    if isinstance(vocabulary, (WordVocabulary, LabelVocabulary, ClassVocabulary)):
        raise ConfigError("the model does not translate, it gives labels: use nmt predict")
    return cast(SubwordModel, vocabulary)


def _texts(values: list[str]) -> list[str]:
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(each, str) for each in values)
        or len(set(values)) < len(values)
    ):
        raise ValueError("a list of different texts is needed")
    return values
