"""Training a SubwordModel on raw text, with SentencePiece.

Unigram models follow Kudo (2018, "Subword Regularization"), BPE models Sennrich et al. (2016).
"""

import io
import logging
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import sentencepiece

from nmt.errors import SubwordError
from nmt.text.spans import without_spans
from nmt.text.subwords import CONTROLS, MARKS, NFC_NOTE, RESERVED, SPACE, SubwordModel, language_symbol, split_words

LEAST_COVERAGE = 0.98
"""Share of the characters' occurrences that SentencePiece gives an id at the least."""
_BYTES = 256
_SEED = 1
"""Of the sample of lines."""
# SentencePiece would learn nothing of the characters in text that spells one of its reserved pieces.
_RESERVED_SPELLINGS = re.compile(r"<(?=(?:pad|unk|s|/s|tag\d+|to:[^>]+)>)")
_MAX_TRAINING_CHARACTERS = 4000  # of one sentence; SentencePiece drops lines that exceed its limit altogether


def train_subwords(
    sentences: Iterable[str],
    *,
    kind: str,
    vocabulary_size: int,
    byte_fallback: bool = False,
    normalization: str = "identity",
    character_coverage: float | None = None,
    max_sentences: int = 500_000,
    marks: int = 0,
    languages: Sequence[str] = (),
) -> SubwordModel:
    """Train a subword model on raw text.

    The same sentences and settings give the same bytes on every run and core count.

    Args:
        sentences: raw lines; blank ones are skipped, and of more than `max_sentences` a sample is taken.
        kind: "unigram", "bpe" or "char".
        vocabulary_size: number of ids, the 20 reserved ones included; lowered with a warning to what the text
            supports.
        byte_fallback: spell unknown characters in 256 byte pieces, so that nothing is unk.
        normalization: "identity" or "nfc" (Unicode composition before encoding; the model remembers it).
        character_coverage: share of the characters' occurrences that get an id. None covers every character, as
            long as they take no more than half of the vocabulary, and leaves out the rarest beyond that.
        max_sentences: bound on memory and time.
        marks: symbols for protected spans, at most 64; spans that `nmt.text.spans` knows by their form then shape no
            subword.
        languages: target languages that get a control symbol each.

    Raises:
        SubwordError: no text, or a vocabulary too small for the characters.
    """
    reserved = RESERVED + len(languages) + marks + (_BYTES if byte_fallback else 0)
    if vocabulary_size < reserved + 2:
        raise SubwordError(
            f"subwords.vocabulary_size={vocabulary_size} is too small: {reserved} ids are reserved"
            f"{' (256 for bytes)' if byte_fallback else ''}; set at least {reserved + 2}, usually 1000 or more"
        )
    lines = _sample(_training_lines(sentences, normalization, marks=marks), max_sentences)
    if not lines:
        raise SubwordError("subwords cannot be trained: the training text has no words; check the corpus files")
    room = vocabulary_size - reserved
    coverage = character_coverage
    if coverage is None:
        coverage = max(LEAST_COVERAGE, _coverage(lines, room if kind == "char" else room // 2))
    controls = (*CONTROLS, *map(language_symbol, languages))
    data = _train_bytes(lines, kind, vocabulary_size, byte_fallback, coverage, (controls, MARKS[:marks]))
    model = SubwordModel(data + (NFC_NOTE if normalization == "nfc" else b""))
    if model.vocabulary_size < vocabulary_size:
        logging.getLogger("nmt").warning(
            "subwords.vocabulary_size=%d is more than this text supports; using %d",
            vocabulary_size,
            model.vocabulary_size,
        )
    return model


def _training_lines(sentences: Iterable[str], normalization: str, *, marks: int) -> Iterable[str]:
    for sentence in sentences:
        sentence = without_spans(sentence) if marks else sentence
        # SentencePiece leaves out any line with U+2585, its spelling of the unknown
        line = sentence[:_MAX_TRAINING_CHARACTERS].replace("\u2585", " ").replace("\0", " ")
        line = _RESERVED_SPELLINGS.sub("< ", line)
        if split_words(line):
            yield unicodedata.normalize("NFC", line) if normalization == "nfc" else line


def _sample(lines: Iterable[str], count: int) -> list[str]:
    """At most `count` lines, each with the same chance (reservoir sampling; Vitter 1985, algorithm R)."""
    chosen: list[str] = []
    draw = random.Random(_SEED).randrange
    for index, line in enumerate(lines):
        if index < count:
            chosen.append(line)
        elif (place := draw(index + 1)) < count:
            chosen[place] = line
    return chosen


def _coverage(lines: Iterable[str], room: int) -> float:
    """Share of the occurrences that the `room` most frequent characters have."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(SPACE + line.replace(" ", SPACE))
    covered = sum(count for _, count in counts.most_common(max(1, room)))
    return covered / sum(counts.values())


def _train_bytes(
    lines: list[str],
    kind: str,
    size: int,
    byte_fallback: bool,
    coverage: float,
    symbols: tuple[Sequence[str], Sequence[str]],
) -> bytes:
    """Train a model whose `symbols` are control symbols, which no text makes, and marks, which text has."""
    writer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=writer,
            model_type=kind,
            vocab_size=size,
            hard_vocab_limit=False,
            byte_fallback=byte_fallback,
            character_coverage=coverage,
            normalization_rule_name="identity",
            max_sentence_length=16 * _MAX_TRAINING_CHARACTERS,
            pad_id=SubwordModel.pad_id,
            unk_id=SubwordModel.unk_id,
            bos_id=SubwordModel.bos_id,
            eos_id=SubwordModel.eos_id,
            control_symbols=list(symbols[0]),
            user_defined_symbols=list(symbols[1]),
            num_threads=4,  # a constant: sums of floats depend on how the threads share them, and the model with them
            minloglevel=3,
        )
    except RuntimeError as error:
        small = re.search(r"required_chars\D*(\d+) vs (\d+)", str(error))
        if small:
            raise SubwordError(
                f"subwords.vocabulary_size={size} is too small: characters and reserved ids alone need {small[2]}; "
                f"set at least that or lower subwords.character_coverage"
            ) from error
        reason = " ".join(str(error).split())
        raise SubwordError(f"subwords cannot be trained on this text: {reason}") from error
    return writer.getvalue()
