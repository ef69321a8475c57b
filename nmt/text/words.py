"""Vocabularies of words with their characters, and of labels, for tasks whose lines are tokens.

A line is tokens parted by spaces (U+0020) and by nothing else. Ids 0–3 are pad, unk, bos and eos, as `SubwordModel` has
them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.errors import CorpusError, SubwordError

_SPECIAL = 4
_MOST_CHARACTERS = 40
"""Of a word; what comes after them is not read."""
_OUTSIDE, _BEGIN, _INSIDE = "O", "B-", "I-"


def split_tokens(line: str) -> list[str]:
    """Cut a line into its tokens."""
    return [token for token in line.split(" ") if token]


class Words(NamedTuple):
    """The words of B sentences, N of them, with C characters at most."""

    ids: npt.NDArray[np.int64]
    """(N,), sentence after sentence"""
    characters: npt.NDArray[np.int64]
    """(N, C), padded"""
    character_lengths: npt.NDArray[np.int64]
    """(N,)"""
    places: npt.NDArray[np.int64]
    """(N,) where each word stands in the rectangle (B, T) of all sentences, laid out in one row"""
    lengths: npt.NDArray[np.int64]
    """(B,) words of each sentence"""


def take_apart(source: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], *, first_word: int) -> Words:
    """Find the words in rows of a `WordVocabulary`.

    Args:
        source: (B, S) ids with EOS, padded.
        lengths: (B,) of the rows, EOS counted.
        first_word: see `WordVocabulary`.
    """
    is_word = (source >= first_word) | (source == WordVocabulary.unknown_word)
    counts = is_word.sum(1)  # (B,)
    rows, starts = is_word.nonzero()
    ends = lengths[rows] - 1  # of the last word of a row: where EOS stands
    follows = rows[1:] == rows[:-1]
    ends[:-1][follows] = starts[1:][follows]
    character_lengths = ends - starts - 1
    offsets = np.arange(character_lengths.max(initial=1))
    columns = np.minimum(starts[:, None] + 1 + offsets, source.shape[1] - 1)
    is_real = offsets < character_lengths[:, None]
    characters = np.where(is_real, source[rows[:, None], columns], WordVocabulary.pad_id)
    places = rows * counts.max(initial=0) + (is_word.cumsum(1) - 1)[rows, starts]
    return Words(source[rows, starts], characters, character_lengths, places, counts)


class _Table:
    """What both kinds share: the special ids, and a JSON file."""

    pad_id: ClassVar[int] = 0
    unk_id: ClassVar[int] = 1
    bos_id: ClassVar[int] = 2
    eos_id: ClassVar[int] = 3
    kind: ClassVar[str]

    def __init__(self, content: dict[str, Any]) -> None:
        text = json.dumps({"kind": self.kind, **content}, ensure_ascii=False, indent=0)
        self._data = text.encode("utf-8")
        self.digest = hashlib.sha256(self._data).hexdigest()

    def to_bytes(self) -> bytes:
        """Serialise it, as JSON."""
        return self._data

    def tag_prefix(self, tag: int) -> tuple[int, ...]:
        """Return the ids before a line with a tag: none, since words have no tags."""
        return ()


class WordVocabulary(_Table):
    """Words and the characters that they are made of, in one row of ids a line.

    Each word is its own id, or `unknown_word` where it has none, followed by the ids of its characters. Ids of words
    are larger than those of characters, so that a row can be taken apart again:

        0–3 special · 4 unknown word · 5 to 4 + C characters · then the words, those seen once at the end

    One that ignores case looks words up in lower case. Their characters are always those of the text.
    """

    kind = "words"
    unknown_word: ClassVar[int] = 4

    def __init__(
        self, characters: Sequence[str], words: Sequence[str], rare: int, *, ignore_case: bool = False
    ) -> None:
        """Make one of different characters and words, of which the last `rare` occurred once in the training text."""
        case = {"ignore_case": True} if ignore_case else {}
        super().__init__({**case, "rare": rare, "characters": list(characters), "words": list(words)})
        self.ignore_case = ignore_case
        self.characters, self.words, self.rare = len(characters), len(words), rare
        self.first_word = self.unknown_word + 1 + len(characters)
        self.vocabulary_size = self.first_word + len(words)
        self._character_ids = {each: i for i, each in enumerate(characters, self.unknown_word + 1)}
        self._word_ids = {each: i for i, each in enumerate(words, self.first_word)}

    @staticmethod
    def train(lines: Iterable[str], *, size: int, ignore_case: bool = False) -> "WordVocabulary":
        """Collect the words and characters of a text, the most frequent first.

        Args:
            lines: tokens parted by spaces.
            size: number of ids at most; characters come first, and the rarest words go.
            ignore_case: take words that differ in case for one.

        Raises:
            SubwordError: there is no word, or no room for the characters.
        """
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(split_tokens(line))
        if not counts:
            raise SubwordError("there are no words to learn: the training text is empty; check the corpus files")
        characters: Counter[str] = Counter()
        for word, count in counts.items():
            for each in word:
                characters[each] += count
        if ignore_case:
            counts = _without_case(counts)
        room = size - _SPECIAL - 1 - len(characters)
        if room < 1:
            raise SubwordError(
                f"subwords.vocabulary_size={size} is too small: the characters and special ids alone are "
                f"{len(characters) + _SPECIAL + 1}; raise it"
            )
        # Words of equal count are in the order of their characters, so that equal texts give equal bytes.
        frequent_words = sorted(counts, key=lambda word: (-counts[word], word))[:room]
        rare = sum(counts[word] == 1 for word in frequent_words)
        by_frequency = sorted(characters, key=lambda each: (-characters[each], each))
        return WordVocabulary(by_frequency, frequent_words, rare, ignore_case=ignore_case)

    def encode(self, text: str) -> list[int]:
        """Ids of a line: each word, and its characters behind it."""
        ids: list[int] = []
        for word in split_tokens(text):
            ids.append(self._word_ids.get(word.lower() if self.ignore_case else word, self.unknown_word))
            ids.extend(self._character_ids.get(each, self.unk_id) for each in word[:_MOST_CHARACTERS])
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every line."""
        return [self.encode(text) for text in texts]

    def sample_batch(self, texts: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """`encode` of every line: words are split in one way only."""
        return self.encode_batch(texts)


def _without_case(counts: Counter[str]) -> Counter[str]:
    together: Counter[str] = Counter()
    for word, count in counts.items():
        together[word.lower()] += count
    return together


class LabelVocabulary(_Table):
    """The labels that a model chooses from, each with one id."""

    kind = "labels"
    first_label: ClassVar[int] = _SPECIAL

    def __init__(self, labels: Sequence[str]) -> None:
        """Make one of different labels."""
        super().__init__({"labels": list(labels)})
        self.labels = tuple(labels)
        self.vocabulary_size = _SPECIAL + len(labels)
        self._ids = {label: i for i, label in enumerate(labels, _SPECIAL)}

    @staticmethod
    def train(lines: Iterable[str]) -> "LabelVocabulary":
        """Collect the labels of a text.

        Raises:
            SubwordError: there is none.
        """
        labels = {label for line in lines for label in split_tokens(line)}
        if not labels:
            raise SubwordError("there are no labels to learn: the training text is empty; check the corpus files")
        return LabelVocabulary(sorted(labels))

    def __contains__(self, label: str) -> bool:
        return label in self._ids

    @property
    def is_bio(self) -> bool:
        """Whether the labels mark entities: B-TYPE begins one, I-TYPE continues it, O is outside of all."""
        return is_bio(self.labels)

    def encode(self, text: str) -> list[int]:
        """Ids of a line of labels.

        Raises:
            CorpusError: the training text has no such label.
        """
        labels = split_tokens(text)
        if lacking := [label for label in labels if label not in self._ids]:
            raise CorpusError(f"label {lacking[0]} never occurs in the training text; correct it")
        return [self._ids[label] for label in labels]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every line."""
        return [self.encode(text) for text in texts]

    def sample_batch(self, texts: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """`encode` of every line."""
        return self.encode_batch(texts)

    def decode(self, ids: Sequence[int]) -> str:
        """Labels of ids, parted by spaces; special ids leave no trace."""
        return " ".join(self.labels[i - _SPECIAL] for i in ids if i >= _SPECIAL)

    def impossible(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score what no labels can be: -inf where I-TYPE follows neither B-TYPE nor I-TYPE, 0 elsewhere.

        Returns:
            (Y, Y) from the label before to the label after, and (Y,) of the first label; all 0 where labels are no BIO.
        """
        between, start = np.zeros((len(self.labels),) * 2), np.zeros(len(self.labels))
        if self.is_bio:
            for after, label in enumerate(self.labels):
                start[after] = 0.0 if may_follow(_OUTSIDE, label) else -np.inf
                for before, other in enumerate(self.labels):
                    between[before, after] = 0.0 if may_follow(other, label) else -np.inf
        return between, start


class ClassVocabulary(_Table):
    """The labels of whole lines, each with one id; a label may have spaces inside."""

    kind = "classes"
    first_label: ClassVar[int] = _SPECIAL

    def __init__(self, labels: Sequence[str]) -> None:
        """Make one of different labels."""
        super().__init__({"labels": list(labels)})
        self.labels = tuple(labels)
        self.vocabulary_size = _SPECIAL + len(labels)
        self._ids = {label: i for i, label in enumerate(labels, _SPECIAL)}

    def __contains__(self, label: str) -> bool:
        return label in self._ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the id of each line's label.

        Raises:
            CorpusError: the training text has no such label.
        """
        if lacking := [label for label in texts if label not in self._ids]:
            raise CorpusError(f"label {lacking[0]} never occurs in the training text; correct it")
        return [[self._ids[label]] for label in texts]

    def sample_batch(self, texts: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """`encode_batch`: there is nothing to draw."""
        return self.encode_batch(texts)


def is_bio(labels: Iterable[str]) -> bool:
    """Whether labels mark entities: all are O, B-TYPE or I-TYPE, and one is B-TYPE at least."""
    labels = set(labels)
    marked = (label[:2] in (_BEGIN, _INSIDE) and len(label) > len(_BEGIN) for label in labels - {_OUTSIDE})
    return all(marked) and any(label.startswith(_BEGIN) for label in labels)


def may_follow(before: str, label: str) -> bool:
    """Whether a label may follow another: I-TYPE needs B-TYPE or I-TYPE before it; O stands for a line's start."""
    return not label.startswith(_INSIDE) or before in (_BEGIN + label[2:], label)
