"""The subword layer between text and model."""

from dataclasses import dataclass, field

from nmt.config.choices import Normalization, Sides, SubwordKind
from nmt.config.schema import check_ranges, within
from nmt.errors import ConfigError


@dataclass
class SubwordsConfig:
    """The subword layer between text and model."""

    kind: SubwordKind = SubwordKind.unigram
    """segmentation: unigram, bpe or char"""
    vocabulary_size: int = field(default=8000, metadata=within(32, 1_000_000))
    """subwords of one model, special symbols included; lowered to what the text supports"""
    joint: bool = True
    """one model for both languages; false: one for each"""
    model: str = ""
    """a SentencePiece model file to use for both sides instead of training one"""
    source_model: str = ""
    """a SentencePiece model file for the source side; needs subwords.target_model"""
    target_model: str = ""
    """a SentencePiece model file for the target side; needs subwords.source_model"""
    byte_fallback: bool = False
    """spell unknown characters as bytes instead of the unknown symbol"""
    normalization: Normalization = Normalization.identity
    """Unicode normalisation before segmentation: identity (text as it is) or nfc"""
    character_coverage: float = field(default=0.0, metadata=within(0.98, 1, also=0))
    """share of the text's characters that get a symbol of their own; 0: all, up to half of the vocabulary"""
    sampling_alpha: float = field(default=0.0, metadata=within(0, 1))
    """subword regularisation in training: unigram smoothing (0.1 to 0.5) or BPE dropout; 0: always the best split"""
    sampled_sides: Sides = Sides.both
    """whose splits are sampled: both, source or target"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "subwords.")
        if bool(self.source_model) != bool(self.target_model):
            raise ConfigError(
                "subwords.source_model and subwords.target_model belong together: set both, "
                "or use subwords.model for both sides"
            )
        if self.model and self.source_model:
            raise ConfigError("subwords.model and subwords.source_model are both set: keep one")
