"""How a trained model searches for a translation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nmt.config.choices import LengthNormalization, TermMode
from nmt.config.schema import check_ranges, within
from nmt.errors import ConfigError


@dataclass
class SearchConfig:
    """How a trained model searches for a translation; stored in the bundle as its default."""

    beam_size: int = field(default=5, metadata=within(1, 1000))
    """places of the beam; 1 is greedy"""
    length_penalty: float = field(default=1.0, metadata=within(0, 10))
    """exponent of the length normalisation; 0: plain log-probability"""
    normalization: LengthNormalization = LengthNormalization.average
    """length normalisation: gnmt (Wu et al. 2016, equation 14) or average (log-probability / length^penalty)"""
    max_length_ratio: float = field(default=2.0, metadata=within(0, 1000, above=True))
    """a translation may have this many subwords for each source subword, plus 10"""
    max_source_tokens: int = field(default=512, metadata=within(1, 1_000_000))
    """longer sources are cut here, with a warning"""
    batch_size: int = field(default=64, metadata=within(1, 1_000_000))
    """sentences decoded together, fewer where they have more than 128 subwords"""
    no_repeat_ngram: int = field(default=0, metadata=within(0, 1_000_000))
    """no sequence of this many subwords may occur twice in a translation; 0: off"""
    source_tag: int = field(default=-1, metadata=within(0, 15, also=-1))
    """control symbol (0 to 15) put before every source, as corpus.tags did in training; -1: none"""
    to: str = ""
    """target language of a model of several languages, as es-gn has gn; empty: the model's only one"""
    source_language: str = ""
    """source language of a model of several languages. It splits sentences, and a direction that was never trained is
    warned of; empty: the only one that was trained with the target language"""
    max_new_tokens: int = field(default=500, metadata=within(1, 1_000_000))
    """with task=generation, so many subwords may follow a prompt, the end of the line counted"""
    sample: bool = False
    """draw outputs from the model's distribution instead of searching for the best; n-best hypotheses are samples"""
    temperature: float = field(default=1.0, metadata=within(0, 100, above=True))
    """of sampling: scores are divided by it; below 1 outputs are more usual, above 1 more varied"""
    top_k: int = field(default=0, metadata=within(0, 1_000_000))
    """of sampling: draw from so many of the likeliest subwords; 0: from all"""
    top_p: float = field(default=1.0, metadata=within(0, 1, above=True))
    """of sampling: draw from the likeliest subwords that have this probability in all (Holtzman et al. 2020); 1: all"""
    seed: int = field(default=1, metadata=within(0, 2**63 - 1))
    """of sampling: the same seed draws the same outputs of the same line"""
    mbr_samples: int = field(default=0, metadata=within(2, 1000, also=0))
    """translate each line so many times at random, and take what resembles the others most by chrF (minimum Bayes risk,
    Eikema & Aziz 2022); 0: the beam decides"""
    protect: bool = True
    """bring URLs, addresses, @names, #tags, placeholders and what the vocabulary cannot spell through as they are"""
    check_numbers: bool = True
    """translate a line again where a number of its source is gone, with that number protected"""
    capitals: bool = True
    """read a line in capitals as its words are usually written, and write its translation in capitals"""
    terms: TermMode = TermMode.soft
    """what a glossary is: soft (its targets are favoured, and may inflect) or hard (each is written in a given form)"""
    min_length: int = field(default=0, metadata=within(0, 1_000_000))
    """a translation has so many subwords at least, unless its length limit cuts it; 0: one"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "search.")
        if self.sample and self.mbr_samples:
            raise ConfigError(
                "search.sample=true writes samples as they are drawn, and "
                f"search.mbr_samples={self.mbr_samples} chooses among them: leave one of them out"
            )

    def by_beam(self, places: int) -> "SearchConfig":
        """Search with a beam of this many places, 1 for greedy, instead of drawing."""
        return replace(self, beam_size=places, sample=False, mbr_samples=0)

    @property
    def how(self) -> str:
        """In a few words."""
        if self.sample:
            return f"samples of seed {self.seed}"
        if self.mbr_samples:
            return f"the best of {self.mbr_samples} samples at temperature {self.temperature:g}"
        longer = (
            "" if self.length_penalty == SearchConfig.length_penalty else f", length_penalty {self.length_penalty:g}"
        )
        return f"beam {self.beam_size}{longer}"


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Add to settings that are asked for what they imply: who asks for one way to search wants no other one.

    A model may have been saved with `SearchConfig.mbr_samples`. A beam size, samples as they are drawn, and hard terms,
    which need a beam, are asked for instead of it.
    """
    if "mbr_samples" in settings:
        return {"sample": False, **settings}
    asks_otherwise = {"beam_size", "sample"} & settings.keys() or settings.get("terms") in (TermMode.hard, "hard")
    return {"mbr_samples": 0, **settings} if asks_otherwise else dict(settings)
