"""Translate a test set, measure the time, and report scores and speed with how they were made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nmt.config.schema import to_dict
from nmt.config.search import SearchConfig
from nmt.errors import CorpusError
from nmt.evaluation.metrics import Score
from nmt.translation.batching import windows
from nmt.translation.request import Translation
from nmt.translation.translator import Translator


@dataclass(frozen=True)
class Speed:
    """How fast a test set was translated, on what and how; loading the model not counted."""

    seconds: float
    sentences: int
    target_tokens: int
    """target positions of the translations, EOS included"""
    device: str
    threads: int
    search: SearchConfig

    @property
    def sentences_per_second(self) -> float:
        """Source lines, blank ones included, for each second."""
        return self.sentences / max(self.seconds, 1e-9)

    @property
    def tokens_per_second(self) -> float:
        """Target positions for each second."""
        return self.target_tokens / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Turn it into plain values, for JSON."""
        values = asdict(self) | {"search": to_dict(self.search)}
        rates = {"sentences_per_second": self.sentences_per_second, "tokens_per_second": self.tokens_per_second}
        return values | {key: round(rate, 2) for key, rate in rates.items()} | {"seconds": round(self.seconds, 3)}

    def __str__(self) -> str:
        return (
            f"{_count(self.sentences, 'sentence')} in {self.seconds:.1f} s: "
            f"{self.sentences_per_second:,.1f} sentences/s, {self.tokens_per_second:,.0f} target tokens/s "
            f"({self.search.how}, batches of {self.search.batch_size}, {self.device}, "
            f"{_count(self.threads, 'CPU thread')})"
        )


@dataclass(frozen=True)
class Timed:
    """Translations of a text, and how long they took."""

    translations: list[Translation]
    seconds: float

    @property
    def hypotheses(self) -> list[str]:
        """The best translation of each line."""
        return [translation.text for translation in self.translations]

    @property
    def target_tokens(self) -> int:
        """Target positions of the best translations, EOS included."""
        return sum(translation.target_tokens for translation in self.translations)


@dataclass(frozen=True)
class Report:
    """The scores of one test set and, where a model translated it, the speed."""

    sentences: int
    scores: list[Score]
    speed: Speed | None = None
    names: dict[str, str | None] = field(default_factory=dict)
    """which model and files"""

    def to_dict(self) -> dict[str, Any]:
        """Turn it into plain values, for JSON."""
        return {
            **self.names,
            "sentences": self.sentences,
            "scores": [asdict(score) for score in self.scores],
            "speed": self.speed.to_dict() if self.speed else None,
        }

    def table(self) -> str:
        """Write one line for each score, with its signature, and one for the speed."""
        rows = [f"{score.name:<6} {score.value:>6.2f}  {score.signature}" for score in self.scores]
        return "\n".join([*rows, str(self.speed) if self.speed else _count(self.sentences, "sentence")])


def translate_text(
    translator: Translator, lines: Sequence[str], *, progress: Callable[[int], object] = lambda count: None
) -> Timed:
    """Translate lines, window by window, and measure the time.

    Args:
        translator: what translates.
        lines: raw text, a sentence each.
        progress: is told how many lines each window had.
    """
    translations: list[Translation] = []
    start = time.perf_counter()
    for window in windows(lines, translator.window):
        translations += translator.translate(window)
        progress(len(window))
    return Timed(translations, time.perf_counter() - start)


def score_translator(
    translator: Translator,
    source: Sequence[str],
    reference: Sequence[str],
    *,
    tokenize: str | None = None,
    lowercase: bool = False,
) -> Report:
    """Translate a test set and score it; see `nmt.evaluate`."""
    from nmt.evaluation.metrics import METRICS, corpus_scores, default_tokenizer, too_long_for_ter

    if len(source) != len(reference):
        raise CorpusError(
            f"the source has {len(source)} lines and the reference {len(reference)}: give as many of both"
        )
    if not any(line.strip() for line in reference):
        raise CorpusError("the reference has no text; give lines with text")
    hypotheses = translate_text(translator, source).hypotheses
    tokenize = tokenize or default_tokenizer(translator.bundle.target_language, reference)
    # TER takes minutes for a line of hundreds of words.
    is_long = too_long_for_ter(hypotheses, reference, tokenize=tokenize)
    metrics = [metric for metric in METRICS if metric != "ter" or not is_long]
    scores = corpus_scores(hypotheses, reference, metrics=metrics, tokenize=tokenize, lowercase=lowercase)
    return Report(len(reference), scores)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
