"""SubwordModel: encode, sample and decode subwords.

Unigram models follow Kudo (2018, "Subword Regularization"), BPE models Sennrich et al. (2016). Sampling is our own,
since no seed repeats what SentencePiece's C++ sampler draws: newer releases salt its generators in every process. A
resumed training would see other segmentations than an uninterrupted one.
"""

import hashlib
import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import sentencepiece

from nmt.errors import ConfigError, SubwordError
from nmt.files import read_regular
from nmt.text.segmentation import BpeSampler, Pieces, UnigramSampler

SPACE = "\u2581"  # SentencePiece's visible space
CONTROLS = tuple(f"<tag{i}>" for i in range(16))
RESERVED = 4 + len(CONTROLS)
MARKS = tuple(chr(0x10F700 + i) for i in range(64))
"""What stands in a text for its protected spans, see `nmt.text.spans`: characters of Unicode's last private plane. A
vocabulary has the first few as symbols of their own, which no other subword contains."""
_LANGUAGE = re.compile(r"<to:(.+)>")
# The serialised model is a protocol buffer whose fields from 200 on are free for extensions. NFC models end with field
# 1000 holding this note: SentencePiece skips it, we find it, and a saved model needs no second file.
NFC_NOTE = b"\xc2\x3e\x07nmt:nfc"
_SERIAL_BELOW = 1000  # sentences; starting threads costs more than it saves
_ALONE_BELOW = 16  # sentences; SentencePiece starts a thread for any list, up to a millisecond for a line typed


class SubwordModel:
    """A trained subword vocabulary; immutable, and self-contained in `to_bytes()`.

    Ids 0–3 are pad, unk, bos and eos; ids 4–19 are control symbols reserved for tags. Behind them are control symbols
    of target languages, where the vocabulary has some. Encoding never produces any of them but unk, not even from text
    that spells ``<s>`` or ``<tag0>``. The ids behind them are those of MARKS, as many as the vocabulary has. Text is
    taken as it is, with two exceptions.
    Runs of U+0020 count as one and are stripped at both ends. U+2581 (SentencePiece's mark) is read as a space.
    """

    pad_id: ClassVar[int] = 0
    unk_id: ClassVar[int] = 1
    bos_id: ClassVar[int] = 2
    eos_id: ClassVar[int] = 3
    control_ids: ClassVar[range] = range(4, RESERVED)

    def __init__(self, data: bytes, *, origin: str = "subword model") -> None:
        """Read what `to_bytes` returned; SubwordError, which names `origin`, where it is not a model of ours."""
        self._data = data
        self.normalization = "nfc" if data.endswith(NFC_NOTE) else "identity"
        self.digest = hashlib.sha256(data).hexdigest()
        self._processor = _load_processor(data, origin)
        self.vocabulary_size: int = int(self._processor.vocab_size())
        self.languages = _languages(self._processor)
        """those that have a symbol, which says before a source what it is translated into"""
        self.language_ids = range(RESERVED, RESERVED + len(self.languages))
        self.mark_ids = _mark_ids(self._processor, self.language_ids.stop)
        self._sampler = _build_sampler(self._processor, self.language_ids.stop)

    @staticmethod
    def load(path: Path) -> "SubwordModel":
        """Read a model file; raises SubwordError where it is missing or not a model of ours."""
        try:
            data = read_regular(path)
        except OSError as error:
            raise SubwordError(f"{path}: cannot read the subword model ({error.strerror}); check the path") from error
        return SubwordModel(data, origin=str(path))

    @property
    def kind(self) -> str:
        """How it segments: "unigram" or "bpe", and "char" where no subword is longer than a character."""
        if self._sampler is None:
            return "char"
        return "bpe" if isinstance(self._sampler, BpeSampler) else "unigram"

    @property
    def byte_fallback(self) -> bool:
        """Whether it spells unknown characters in bytes."""
        return bool(self.byte_ids)

    @cached_property
    def byte_ids(self) -> list[int]:
        """Ids of the pieces that spell a byte."""
        return [i for i in range(RESERVED, self.vocabulary_size) if self._processor.is_byte(i)]

    @property
    def marks(self) -> str:
        """The characters that stand for protected spans, one a symbol; empty in a vocabulary without them."""
        return "".join(MARKS[: len(self.mark_ids)])

    @cached_property
    def characters(self) -> frozenset[str]:
        """What it can spell: every character with an id, marks aside; of one that spells in bytes, those alone."""
        pieces = (self._processor.id_to_piece(i) for i in range(self.mark_ids.stop, self.vocabulary_size))
        return frozenset(piece for piece in pieces if len(piece) == 1 and piece != SPACE) | {" "}

    @property
    def pieces(self) -> list[str]:
        """Every id's subword as SentencePiece spells it, U+2581 standing for a space."""
        return [self._processor.id_to_piece(i) for i in range(self.vocabulary_size)]

    def to_bytes(self) -> bytes:
        """Serialise the model; stock SentencePiece reads it too."""
        return self._data

    def __reduce__(self) -> "tuple[Callable[[bytes], SubwordModel], tuple[bytes]]":
        return SubwordModel, (self._data,)

    def encode(self, text: str) -> list[int]:
        """Most probable subword ids of one sentence, without bos or eos."""
        ids: list[int] = self._processor.encode(self.normalized(text))
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every text, on all cores where there are many."""
        if len(texts) < _ALONE_BELOW:
            return [self.encode(text) for text in texts]
        threads = 1 if len(texts) < _SERIAL_BELOW else -1
        rows: list[list[int]] = self._processor.encode([self.normalized(text) for text in texts], num_threads=threads)
        return rows

    def surfaces(self, text: str) -> list[str]:
        """Return what each id of `encode` stands for in the text, U+2581 standing for a space."""
        pieces: list[str] = self._processor.encode(self.normalized(text), out_type=str)
        return pieces

    def unknown_characters(self, text: str) -> str:
        """Return the characters of a text that no subword spells, in their order, without invisible ones."""
        text = self.normalized(text)
        ids, pieces = self._processor.encode(text), self._processor.encode(text, out_type=str)
        unknown = "".join(piece for i, piece in zip(ids, pieces, strict=True) if i == self.unk_id)
        return "".join(c for c in unknown if unicodedata.category(c) not in ("Cc", "Cf", "Zs", "Zl", "Zp"))

    def sample_batch(self, texts: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        """Sample one segmentation a text: an exact function of (texts, alpha, seed), whatever the process or thread.

        Unigram models draw from P(segmentation)^alpha over all segmentations (Kudo 2018, eq. 8 with l = ∞); smaller
        alphas are flatter, 0.1–0.2 are usual. For BPE alpha is the probability of dropping a merge (Provilkov et
        al. 2020, "BPE-Dropout"). Character models have one segmentation only. Alpha 0 turns sampling off.
        """
        if alpha <= 0 or self._sampler is None:
            return self.encode_batch(texts)
        draw = random.Random(seed).random
        return [self._sampler.sample(split_words(self.normalized(text)), alpha, draw) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids, without a trace of pad, unk, bos, eos and control symbols."""
        text: str = self._processor.decode([int(i) for i in ids if i >= self.language_ids.stop])
        return " ".join(_split(text))

    def words_of(self, ids: Sequence[int]) -> list[int]:
        """Tell which word of a text each of its subwords belongs to, counted from 0; words are what spaces part."""
        numbers: list[int] = []
        word, begins = -1, True
        for piece in self._processor.id_to_piece(list(ids)):
            inside = piece.strip(SPACE)
            begins |= piece.startswith(SPACE)
            if inside and begins:
                word, begins = word + 1, False
            # A lone space belongs to the word that it begins.
            numbers.append(max(0, word if inside else word + 1))
        return [min(each, max(0, word)) for each in numbers]

    @classmethod
    def tag_prefix(cls, tag: int) -> tuple[int, ...]:
        """Return the ids before a source with a tag: that of the control symbol (0 to 15), or none for -1."""
        return () if tag < 0 else (cls.control_ids[tag],)

    def language_prefix(self, language: str) -> tuple[int, ...]:
        """Return the ids before a source that is translated into a language; none where languages have no symbols.

        Raises:
            ConfigError: others have symbols, and this one has none.
        """
        if not self.languages:
            return ()
        if language not in self.languages:
            what = f"{language!r} is no target language of the model" if language else "no target language is named"
            raise ConfigError(f"{what}: take one of {', '.join(self.languages)}")
        return (self.language_ids[self.languages.index(language)],)

    def normalized(self, text: str) -> str:
        """Return the text that is segmented: as it is, or composed where the vocabulary is of composed text."""
        return unicodedata.normalize("NFC", text) if self.normalization == "nfc" else text


def language_symbol(language: str) -> str:
    """Spell the control symbol of a target language."""
    return f"<to:{language}>"


def _languages(processor: Any) -> tuple[str, ...]:
    """List the languages whose symbols are behind the control symbols of a vocabulary."""
    languages: list[str] = []
    for i in range(RESERVED, int(processor.vocab_size())):
        match = _LANGUAGE.fullmatch(processor.id_to_piece(i)) if processor.is_control(i) else None
        if match is None:
            break
        languages.append(match[1])
    return tuple(languages)


def _mark_ids(processor: Any, first: int) -> range:
    """Find the marks that a vocabulary has behind its control symbols; those of before had none."""
    last = min(int(processor.vocab_size()), first + len(MARKS))
    pieces = [processor.id_to_piece(i) for i in range(first, last)]
    return range(first, first + next((i for i, piece in enumerate(pieces) if piece != MARKS[i]), len(pieces)))


def _load_processor(data: bytes, origin: str) -> Any:
    """Parse the model and check that its special ids are where every bundle of ours has them."""
    processor = sentencepiece.SentencePieceProcessor()
    try:
        if not data:
            raise RuntimeError("empty")
        processor.LoadFromSerializedProto(data)
        count = int(processor.vocab_size())
        special = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        for i in range(count):
            processor.id_to_piece(i)  # a damaged one may be no UTF-8
    except (RuntimeError, UnicodeDecodeError) as error:
        raise SubwordError(f"{origin}: not a subword model, or damaged; copy it again or train a new one") from error
    controls = tuple(processor.id_to_piece(i) for i in SubwordModel.control_ids) if count > RESERVED else ()
    if special != (0, 1, 2, 3) or controls != CONTROLS:
        raise SubwordError(
            f"{origin}: a SentencePiece model that nmt did not train (its special ids differ); train one with nmt-train"
        )
    return processor


def _split(text: str) -> list[str]:
    return [part for part in text.split(" ") if part]


def split_words(text: str) -> list[str]:
    """Words with SentencePiece's mark in front; no piece crosses from one into the next."""
    return [SPACE + word for word in _split(text.replace(SPACE, " "))]


def _build_sampler(processor: Any, first: int) -> UnigramSampler | BpeSampler | None:
    """Make the sampler of the model's kind: BPE scores are whole, minus a merge's rank; characters leave no choice.

    The ids before `first` spell no text.
    """
    ids = range(first, int(processor.vocab_size()))
    table = {processor.id_to_piece(i): (i, float(processor.get_score(i))) for i in ids if not processor.is_byte(i)}
    if max(map(len, table), default=0) < 2:
        return None
    byte_ids = [i for i in ids if processor.is_byte(i)]
    pieces = Pieces(table, SubwordModel.unk_id, byte_ids)
    ranked = all(score == int(score) for _, score in table.values())
    return BpeSampler(pieces) if ranked else UnigramSampler(pieces)
