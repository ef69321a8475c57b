"""BLEU, chrF and TER of detokenised text against raw references, each with the signature that says how it was made.

The arithmetic is sacrebleu's (Post 2018, "A Call for Clarity in Reporting BLEU Scores"). This module chooses its
tokenizer by the target language and the text, and refuses texts that do not align. It warns of references that look
preprocessed, and of those that BLEU cannot score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import langcodes
import sacrebleu
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt.errors import ConfigError, CorpusError
from nmt.text.scripts import CHINESE, KANA, OTHERS

MOST_WORDS_FOR_TER = 250
"""Of 250 words that differ throughout TER took half a minute on a busy machine, of 1,000 four minutes."""

# Text of scripts without spaces between words gets sacrebleu's Chinese tokenizer, or one token a character. The
# dictionaries that ja-mecab and ko-mecab need are separate downloads, and for the other scripts there are none. Korean
# has spaces, but few of its words recur whole.
_CHINESE_SCRIPTS = {"Hans", "Hant", "Hani", "Hanb", "Bopo"}
_SCRIPTS_BY_CHARACTER = {
    *("Jpan", "Hrkt", "Hira", "Kana", "Kore", "Hang", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"),
    *("Lana", "Tale", "Talu", "Tavt", "Java", "Bali", "Yiii"),
}
_KANA_LETTER, _CHINESE_LETTER = re.compile(f"[{KANA}]"), re.compile(f"[{CHINESE}]")
_LETTER_WITHOUT_SPACES = re.compile(f"[{KANA}{CHINESE}{OTHERS}]")
_BY_CHARACTER = ("zh", "char", "ja-mecab", "ko-mecab")
# The longest n-grams that BLEU counts.
_BLEU_ORDER = 4

# Tokenised text has a space before its punctuation; French has one too, but only before the signs of two parts.
_SPACED_PUNCTUATION = re.compile(r"\s[.,](\s|$)|&(apos|quot|amp|#\d+);|@@ |@-@")

_SENTENCE_CHRF = CHRF()


@dataclass(frozen=True)
class Score:
    """A score and how it was made.

    Attributes:
        name: the metric, as sacrebleu writes it: BLEU, chrF2 or TER.
        digits: how many it is written with behind the point.
        value: 0 to 100; higher is better, except for TER (edits per 100 reference words, which may exceed 100).
        signature: sacrebleu's signature: case, tokenizer, smoothing, version.
    """

    name: str
    value: float
    signature: str
    digits: ClassVar[int] = 2

    def __str__(self) -> str:
        return f"{self.name} {self.value:.{self.digits}f} ({self.signature})"


def default_tokenizer(language: str, references: Sequence[str] = ()) -> str:
    """Choose BLEU's tokenizer: by the script of the target language, else by that of the references.

    Args:
        language: a code as in ``zh``, ``cmn``, ``zho_Hans``, ``zh_TW`` or ``pt-BR``; any other text says nothing.
        references: they decide where the language asks for no tokenizer of its own. What counts is whether most of
            their letters belong to scripts without spaces between words.

    Returns:
        "zh", "char", or "13a" for most languages.
    """
    script = _script(language)
    if script in _CHINESE_SCRIPTS:
        return "zh"
    return "char" if script in _SCRIPTS_BY_CHARACTER else _tokenizer_of_text(references)


def _script(language: str) -> str:
    """Return the script that a language is written in, as in ``Hans``; empty where the text is no language code."""
    tag = re.split(r"[.@]", language)[0]
    for candidate in (tag, re.split(r"[-_]", tag)[0]):
        try:
            return langcodes.Language.get(candidate).maximize().script or ""
        except ValueError:  # its LanguageTagError is one
            continue
    return ""


def _tokenizer_of_text(references: Sequence[str]) -> str:
    letters = without_spaces = chinese = kana = 0
    for line in references:
        letters += sum(map(str.isalpha, line))
        if line.isascii():
            continue
        matches = _LETTER_WITHOUT_SPACES.findall(line)
        without_spaces += sum(map(str.isalpha, matches))
        chinese += len(_CHINESE_LETTER.findall(line))
        kana += len(_KANA_LETTER.findall(line))
    if 2 * without_spaces <= letters:
        return "13a"
    # Chinese text quotes some kana; a tenth of Japanese text and more is kana.
    return "zh" if 2 * chinese > without_spaces and 10 * kana < without_spaces else "char"


def check_tokenizer(tokenize: str) -> None:
    """Raise ConfigError if BLEU's tokenizer is unknown or needs a package that is not installed."""
    _make_bleu(tokenize)


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False, tokenize: str = "13a"
) -> Score:
    """Corpus BLEU (Papineni et al. 2002) with sacrebleu's exponential smoothing.

    Raises:
        CorpusError: the texts do not have the same number of lines, or none.
        ConfigError: the tokenizer is unknown, or needs a package that is not installed.
    """
    return _score(_make_bleu(tokenize, lowercase), hypotheses, references)


def chrf(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False, tokenize: str = "13a"
) -> Score:
    """Corpus chrF2 (Popović 2015): character n-grams to 6, recall weighted twice; it needs no tokenizer.

    Raises:
        CorpusError: the texts do not have the same number of lines, or none.
    """
    del tokenize  # accepted so that the three metrics are called alike
    return _score(CHRF(lowercase=lowercase), hypotheses, references)


def sentence_chrf(hypothesis: str, reference: str) -> float:
    """chrF2 of one translation against one other: how alike they are, from 0 to 100."""
    return float(_SENTENCE_CHRF.sentence_score(hypothesis, [reference]).score)


def ter(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False, tokenize: str = "13a"
) -> Score:
    """Corpus TER (Snover et al. 2006), never sensitive to case; lower is better.

    Where BLEU's tokenizer says that words are not separated by spaces, Chinese and Japanese characters are words.

    Raises:
        CorpusError: the texts do not have the same number of lines, or none.
    """
    del lowercase  # TER ignores case, as Tercom does
    by_character = tokenize in _BY_CHARACTER
    return _score(TER(normalized=by_character, asian_support=by_character), hypotheses, references)


_FUNCTIONS: dict[str, Callable[..., Score]] = {"bleu": bleu, "chrf": chrf, "ter": ter}
METRICS = tuple(_FUNCTIONS)


def corpus_scores(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    metrics: Sequence[str] = METRICS,
    language: str = "",
    tokenize: str | None = None,
    lowercase: bool = False,
) -> list[Score]:
    """Score detokenised hypotheses against the raw references, line by line the same sentences.

    Args:
        hypotheses: one translation a line.
        references: the reference translations, as their authors wrote them.
        metrics: which of `METRICS`, in the order of the result.
        language: target language, which chooses BLEU's tokenizer with the references (`default_tokenizer`).
        tokenize: BLEU's tokenizer, whatever the language.
        lowercase: ignore case in BLEU and chrF (TER always does).

    Raises:
        CorpusError: the texts do not have the same number of lines, or none.
        ConfigError: a metric or the tokenizer is unknown, or the tokenizer needs a package that is not installed.
    """
    for name in metrics:
        if name not in _FUNCTIONS:
            raise ConfigError(f"there is no metric {name!r}: take one of {', '.join(METRICS)}")
    tokenize = tokenize or default_tokenizer(language, references)
    return [_FUNCTIONS[name](hypotheses, references, lowercase=lowercase, tokenize=tokenize) for name in metrics]


def reference_warnings(references: Sequence[str], *, name: str = "the reference") -> list[str]:
    """Say what makes a score against these references incomparable with others: preprocessed text, many blank lines.

    Args:
        references: the reference translations.
        name: what to call them in the warnings, such as their file.
    """
    lines = [line for line in references if line.strip()]
    warnings = []
    if 2 * len(lines) < len(references):
        warnings.append(f"{len(references) - len(lines):,} of the {len(references):,} lines of {name} are blank")
    if sum(bool(_SPACED_PUNCTUATION.search(line)) for line in lines) > len(lines) / 2:
        warnings.append(
            f"{name} looks tokenised (spaces before its punctuation): "
            "scores against it do not compare with scores against the raw text"
        )
    text = "".join(lines)
    # Scripts without case have no upper half to miss.
    if len(lines) >= 10 and text == text.lower() != text.upper() and _has_case(text):
        warnings.append(
            f"{name} is lowercased throughout: scores against it do not compare with scores against the raw text"
        )
    return warnings


def too_long_for_ter(hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a") -> int:
    """Return the number, from 1, of the first line that has too many words for TER on either side; 0 if there is none.

    Args:
        hypotheses: one translation a line.
        references: the reference translations.
        tokenize: BLEU's tokenizer, which says as for `ter` what a word is.
    """
    by_character = tokenize in _BY_CHARACTER
    for number, pair in enumerate(zip(hypotheses, references, strict=False), start=1):
        if max(len(line) if by_character else len(line.split()) for line in pair) > MOST_WORDS_FOR_TER:
            return number
    return 0


def tokenizer_warnings(
    references: Sequence[str], *, tokenize: str, language: str | None, name: str = "the reference", advice: str = ""
) -> list[str]:
    """Say what a user should know of BLEU's tokenizer: that the text chose it, or that it leaves nothing to count.

    Args:
        references: the reference translations.
        tokenize: BLEU's tokenizer.
        language: target language, as `default_tokenizer` was given it; None where the user chose the tokenizer.
        name: what to call the references, such as their file.
        advice: how to have another tokenizer, at the end of the warnings.
    """
    end = f"; {advice}" if advice else ""
    warnings = []
    if language is not None and tokenize != default_tokenizer(language):
        reason = f"{language!r} is no language written so" if language else "no language is named"
        warnings.append(f"{name} has no spaces between words, and {reason}: BLEU's tokenizer is {tokenize}{end}")
    tokenized = _make_bleu(tokenize).tokenizer
    if references and not any(len(tokenized(line.strip()).split()) >= _BLEU_ORDER for line in references):
        warnings.append(
            f"no line of {name} has {_BLEU_ORDER} words for BLEU's tokenizer {tokenize}: BLEU is 0 whatever the "
            f"translations, so look at chrF{end}"
        )
    return warnings


def _has_case(text: str) -> bool:
    cased = sum(character.upper() != character for character in text)
    return 2 * cased > sum(character.isalpha() for character in text)


def _make_bleu(tokenize: str, lowercase: bool = False) -> BLEU:
    if tokenize not in BLEU.TOKENIZERS:
        tokenizers = ", ".join(sorted(BLEU.TOKENIZERS))
        raise ConfigError(f"there is no BLEU tokenizer {tokenize!r}: take one of {tokenizers}")
    try:
        # `force` silences sacrebleu's own guess at tokenised output: `reference_warnings` is ours.
        return BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    except (ImportError, RuntimeError, OSError) as error:  # MeCab or a SentencePiece model that is not there
        reason = " ".join(str(error).split())
        raise ConfigError(f"sacrebleu {sacrebleu.__version__} cannot load tokenizer {tokenize}: {reason}") from error


def _score(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    if len(hypotheses) != len(references):
        raise CorpusError(
            f"{len(hypotheses)} hypotheses cannot be scored against {len(references)} references: "
            "both need the same number of lines, blank ones included"
        )
    if not references:
        raise CorpusError("there is nothing to score: the hypotheses and the references have no lines")
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return Score(str(result.name), float(result.score), str(metric.get_signature()))
