"""From the facts of a text to the values of keys, each with its reason."""

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nmt.config.choices import AttentionKind, SubwordKind, Tying
from nmt.config.corpus import UNLIKE_TAG
from nmt.config.pairs import parse_pairs, source_languages, target_languages
from nmt.config.schema import as_typed, with_keys
from nmt.config.train import TrainConfig
from nmt.text.subwords import RESERVED
from nmt.training.auto import table
from nmt.training.auto.facts import Lengths, TextFacts, subword_lengths
from nmt.training.auto.table import Row

Speed = Callable[[TrainConfig, Lengths], float]
"""Pairs a second that a configuration trains on, sentences being so long; a trial, made only where it is asked for."""

_LIMITS = ("trainer.max_minutes", "trainer.max_epochs", "trainer.max_updates")
_BY_UPDATES = {"optimizer.warmup_updates", "trainer.ema_decay", "trainer.validate_every"}
"""What depends on the number of updates."""
_OF_SEARCH = {"search.beam_size", "search.sample", "search.mbr_samples"}
"""Keys that say how to search, so that nothing is left to choose."""
_DERIVED = (
    *(*_LIMITS, *_BY_UPDATES, "trainer.patience", "trainer.choose_search"),
    *("corpus.deduplicate", "corpus.tag_unlike", "subwords.joint", "model.tying"),
)
KEYS = frozenset({*_DERIVED, *(key for row in table.ROWS for key in table.settings_of(row))})
"""All that `settle` may settle."""
_PADDING = 1.1
"""Positions of a batch for each of its pairs' own."""
_TRAINING = 0.85
"""Share of the minutes that updates take; validations and saves take the rest."""
_BYTES = 256
_ROOM = 1.5
"""Subwords for each letter, at the least."""
_SPARE = 200
"""Subwords for marks, digits, punctuation and capitals."""


class Choice(NamedTuple):
    """A key's value, and why it has that."""

    key: str
    value: Any
    reason: str

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.key}={as_typed(self.value)}: {self.reason}"


class Settled(NamedTuple):
    """What `settle` came to."""

    config: TrainConfig
    choices: list[Choice]
    passes: float
    """over the text that its limits allow; infinity where nothing ends it, nan where no choice depends on it"""


def consistent(config: TrainConfig, chosen: Set[str]) -> TrainConfig:
    """Change what keys that were chosen exclude, before anything is known of the text, so that `validate` may look."""
    values: dict[str, Any] = {"model.tying": Tying.target} if not _one_vocabulary(config) else {}
    if config.model.attention is AttentionKind.none:
        values |= {"model.lexicon_size": 0}
    return with_keys(config, {key: value for key, value in values.items() if key not in chosen})


def settle(config: TrainConfig, facts: TextFacts, *, fixed: Set[str], speed: Speed) -> Settled:
    """Settle every key of `KEYS` that is not fixed.

    Args:
        config: with the user's values, and defaults.
        facts: of the training text.
        fixed: keys that stay, because the user set them or a parent did.
        speed: is asked only where a choice depends on it.
    """
    return _Settling(config, facts, fixed, speed).settled()


@dataclass
class _Settling:
    """A settling in progress: the configuration so far, and the choices that led there."""

    config: TrainConfig
    facts: TextFacts
    fixed: Set[str]
    speed: Speed
    choices: list[Choice] = field(default_factory=list, init=False)
    passes: float = field(default=math.nan, init=False)
    """that the limits allow, once it is known which row holds"""
    speeds: dict[tuple[Any, ...], float] = field(default_factory=dict, init=False)
    """of the shapes of models that were tried"""

    def settled(self) -> Settled:
        again = self.facts.repeated
        stand = f"{again:,} pairs stand there before; each counts once" if again else "a pair that stands twice is one"
        self._choose("corpus.deduplicate", True, stand)
        corpus = self.config.corpus
        if corpus.valid and UNLIKE_TAG not in corpus.tags and not self.config.init_from:
            why = "pairs that are written otherwise than the validation text are told apart from those like it"
            self._choose("corpus.tag_unlike", True, why)
        if not self.fixed & {*_LIMITS}:
            self._choose("trainer.max_minutes", table.MINUTES, "nobody said how long training may take")
        self._choose_sharing()
        row, settings, is_only = self._find_row()
        if not (is_only and self.fixed >= _BY_UPDATES):  # else no choice depends on it, and no trial is made
            self.passes = self._passes(with_keys(self.config, settings))
        self._choose_row(row, settings)
        self._choose_length(row)
        if not self.fixed & _OF_SEARCH:
            self._choose("trainer.choose_search", True, "the validation text decides between a beam and samples")
        return Settled(self.config, self.choices, self.passes)

    def _choose(self, key: str, value: Any, reason: str) -> None:
        if key not in self.fixed:
            self.config = with_keys(self.config, {key: value})
            self.choices.append(Choice(key, value, reason))

    def _choose_sharing(self) -> None:
        facts, model = self.facts, self.config.model
        shares = facts.shared_letters >= table.SAME_LETTERS and facts.shared_words >= table.SAME_WORDS
        why = f"the sides share {facts.shared_letters:.0%} of their letters, {facts.shared_words:.0%} of their words"
        pairs = parse_pairs(self.config.corpus.pairs)
        if both := [language for language in source_languages(pairs) if language in target_languages(pairs)]:
            shares, why = True, f"both sides have text in {', '.join(both)}"
        if self.config.augmentation.reversed_pairs:
            shares, why = True, "augmentation.reversed_pairs needs one vocabulary"
        if "model.tying" in self.fixed and model.tying is Tying.all:
            shares, why = True, "model.tying=all needs one vocabulary"
        if model.pointer:
            shares, why = True, "model.pointer needs one vocabulary"
        if not (self.config.subwords.model or self.config.subwords.source_model):
            self._choose("subwords.joint", shares, why)
        one = _one_vocabulary(self.config)
        self._choose("model.tying", Tying.all if one else Tying.target, "one vocabulary" if one else "two vocabularies")

    def _find_row(self) -> tuple[Row, dict[str, Any], bool]:
        """Find the first row whose passes are possible, what it says on keys that are not fixed, and if all say so."""
        options = [(row, self._of_row(row)) for row in table.rows_for(self._amount)]
        last = options[-1]
        if all(settings == last[1] for _, settings in options):
            return *last, True
        # The last row has the fastest model: where that makes too few passes, no other needs a trial.
        most = self._passes(with_keys(self.config, last[1]))
        for row, settings in options[:-1]:
            if row.passes <= most and row.passes <= self._passes(with_keys(self.config, settings)):
                return row, settings, False
        return *last, False

    def _of_row(self, row: Row) -> dict[str, Any]:
        settings = table.settings_of(row)
        subwords = self.config.subwords
        alphabets = [set(self.facts.source_letters), set(self.facts.target_letters)]
        letters = len(set.union(*alphabets)) if _one_vocabulary(self.config) else max(map(len, alphabets))
        least = _ROOM * letters + RESERVED + _SPARE + _BYTES * subwords.byte_fallback
        settings["subwords.vocabulary_size"] = max(self._for_languages(row), 100 * math.ceil(least / 100))
        if subwords.kind is not SubwordKind.unigram:
            settings["subwords.sampling_alpha"] = 0.0
            settings.pop("subwords.sampled_sides", None)
        if subwords.kind is SubwordKind.char or subwords.model or subwords.source_model:
            del settings["subwords.vocabulary_size"]
        if self.config.model.attention is AttentionKind.none:
            settings["model.lexicon_size"] = 0
        settings["optimizer.lr"] = self._learning_rate(row, settings["model.decoder_hidden_size"])
        positions = self.facts.epoch_pairs * self._lengths(row.vocabulary).longer
        most = max(table.LEAST_BATCH, 10 * math.ceil(positions / table.LEAST_UPDATES_OF_A_PASS / 10))
        settings["trainer.batch_tokens"] = min(row.batch, most)
        return {key: value for key, value in settings.items() if key not in self.fixed}

    def _learning_rate(self, row: Row, width: int) -> float:
        """Lower the rate of a row for a wider decoder than the row's, and for weights that are there."""
        decoder_width = self.config.model.decoder_hidden_size if "model.decoder_hidden_size" in self.fixed else width
        rate = row.lr * min(1.0, width / decoder_width) * (table.FINE_TUNING_LR if self.config.init_from else 1.0)
        return float(f"{rate:.2g}")

    def _for_languages(self, row: Row) -> int:
        """Give the vocabulary of a row room for the further languages of several pairs."""
        sides = [each(parse_pairs(self.config.corpus.pairs)) for each in (source_languages, target_languages)]
        further = len({*sides[0], *sides[1]}) - 2 if _one_vocabulary(self.config) else max(map(len, sides)) - 1
        grown = row.vocabulary * (1 + table.FURTHER_LANGUAGE * max(0, further))
        return 100 * round(grown / 100)

    @property
    def _amount(self) -> int:
        """Different pairs, those of long sentences counted as so many more of usual length."""
        longer = subword_lengths(self.facts, table.USUAL_VOCABULARY).longer
        return round(self.facts.distinct * max(1.0, longer / table.USUAL_LENGTH))

    @property
    def _different_pairs(self) -> str:
        if self.facts.distinct == 1:
            return "one pair"
        pairs, amount = f"{self.facts.distinct:,} different pairs", self._amount
        return f"{pairs}, as much text as {amount:,} of usual length" if amount > 1.05 * self.facts.distinct else pairs

    def _choose_row(self, row: Row, settings: Mapping[str, Any]) -> None:
        many, model = self._different_pairs, f"the size of model={row.model}"
        passes = many if math.isnan(self.passes) else f"{many}, {shown_passes(self.passes)}"
        smaller = settings.get("trainer.batch_tokens") != row.batch
        tuning = f"{table.FINE_TUNING_LR:g} of the rate from scratch, since weights are there"
        for_languages = self._for_languages(row)
        larger = settings.get("subwords.vocabulary_size") != for_languages
        languages = many if for_languages == row.vocabulary else f"{many} of several languages"
        reasons = {
            "subwords.vocabulary_size": "room for all letters" if larger else languages,
            "model.embedding_size": f"{model}: {passes}",
            "model.lexicon_size": self._why_lexicon(settings.get("model.lexicon_size", 0)),
            "model.dropout": passes,
            "subwords.sampling_alpha": passes,
            "subwords.sampled_sides": "the target keeps its best subwords",
            "trainer.batch_tokens": "a pass needs several updates" if smaller else many,
            "optimizer.lr": tuning if self.config.init_from else "for this model and batch",
        }
        for key, value in settings.items():
            if key != "optimizer.warmup_updates":
                self._choose(key, value, reasons.get(key, model if key.startswith("model.") else many))

    def _why_lexicon(self, size: int) -> str:
        if self.config.model.attention is AttentionKind.none:
            return "with model.attention=none there is none"
        return "a lexicon helps where text is little" if size else "there is enough text without one"

    def _choose_length(self, row: Row) -> None:
        """Choose passes, updates, warm-up and validations."""
        if "trainer.max_updates" not in self.fixed:
            why = f"more do {self._different_pairs} no good; validations may end it earlier"
            self._choose("trainer.max_epochs", row.most_passes, why)
            self._choose("trainer.max_updates", table.NO_LIMIT, "passes and minutes end the training")
        if not self.fixed >= _BY_UPDATES:
            self._choose_by_updates(row)
        self._choose("trainer.patience", table.PATIENCE, "so many validations without a better score end the training")

    def _choose_by_updates(self, row: Row) -> None:
        """Choose what depends on the number of updates, which the limits are expected to allow."""
        trainer = self.config.trainer
        possible = min(self.passes, trainer.max_epochs or math.inf) * self._updates_per_pass(self.config)
        updates = max(1, round(min(possible, trainer.max_updates)))
        many = f"of about {updates:,} updates"
        # A busy machine may have been taken for a slow one.
        certain = not self.speeds
        warmup = max(1 if certain else table.LEAST_WARMUP, min(row.warmup, round(updates * table.WARMUP_SHARE)))
        decay = table.LONG_AVERAGE if updates >= table.LONG_TRAINING else table.SHORT_AVERAGE
        minutes = trainer.max_minutes or math.inf
        often = minutes / table.MINUTES_BETWEEN_VALIDATIONS
        wanted = min(max(often, table.FEWEST_VALIDATIONS), table.MOST_VALIDATIONS)
        least = table.UPDATES_BETWEEN_VALIDATIONS
        every = max(math.ceil(updates / wanted), min(least, updates) if certain else least)
        self._choose("optimizer.warmup_updates", warmup, f"a tenth at most {many}")
        self._choose("trainer.ema_decay", decay, f"the average {many}")
        self._choose("trainer.validate_every", every, f"the validations {many}: {math.ceil(updates / every)}")

    def _lengths(self, vocabulary: int) -> Lengths:
        return subword_lengths(self.facts, vocabulary, kind=self.config.subwords.kind)

    def _updates_per_pass(self, config: TrainConfig) -> float:
        lengths = self._lengths(config.subwords.vocabulary_size)
        return max(1.0, self.facts.epoch_pairs * lengths.longer * _PADDING / config.trainer.batch_tokens)

    def _passes(self, config: TrainConfig) -> float:
        """Estimate the passes over the text that the user's limits, or the 60 minutes, allow."""
        limits, passes = config.trainer, math.inf
        if "trainer.max_updates" in self.fixed:
            passes = limits.max_updates / self._updates_per_pass(config)
        if "trainer.max_epochs" in self.fixed and limits.max_epochs:
            passes = min(passes, limits.max_epochs)
        if limits.max_minutes and self.facts.epoch_pairs:
            pairs = 60 * limits.max_minutes * _TRAINING * self._pairs_per_second(config)
            passes = min(passes, pairs / self.facts.epoch_pairs)
        return passes

    def _pairs_per_second(self, config: TrainConfig) -> float:
        """Ask for the speed of a configuration; one trial is enough for those of one shape."""
        sizes = (value for key, value in vars(config.model).items() if key != "dropout")
        shape = (*sizes, config.subwords.vocabulary_size)
        if shape not in self.speeds:
            self.speeds[shape] = self.speed(config, self._lengths(config.subwords.vocabulary_size))
        return self.speeds[shape]


def shown_passes(passes: float) -> str:
    """Write a number of passes for people."""
    if math.isinf(passes):
        return "any number of passes"
    return f"about {passes:.2g} passes" if passes < 9.95 else f"about {passes:,.0f} passes"


def _one_vocabulary(config: TrainConfig) -> bool:
    subwords = config.subwords
    return bool(subwords.model) or (subwords.joint and not subwords.source_model)
