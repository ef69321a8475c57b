"""More from little text: what training makes of its pairs, anew in every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from nmt.config.schema import MOST_COUNTED, check_ranges, within
from nmt.errors import ConfigError

TASK_TAGS = {"reversed_words": 14, "replaced_words": 13, "monotone_words": 12}
"""The auxiliary tasks, each with the control symbol before its sources."""
REVERSED_TAG = 15
"""The control symbol before sources that are read in the other direction."""


@dataclass
class AugmentationConfig:
    """What training makes of its pairs; each share is drawn anew in every epoch, and 0 is off."""

    concatenation: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs that are joined with another random one, source and target alike, where the limits of length
    allow it (Nguyen et al. 2021)"""
    reversed_pairs: float = field(default=0.0, metadata=within(0.001, 1000, also=0))
    """passes of an epoch through the text from target to source, with control symbol 15 (Ding et al. 2021; Gao et al.
    2022); needs one joint subword model"""
    reversed_epochs: float = field(default=0.0, metadata=within(0, MOST_COUNTED))
    """epochs after which augmentation.reversed_pairs ends, and the wanted direction is trained alone; 0: never"""
    reversed_words: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs whose target words stand in reverse order, with control symbol 14 (Sánchez-Cartagena et al.
    2021)"""
    replaced_words: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs in which half of the aligned words are replaced, each with its translation, by random ones,
    with control symbol 13 (Sánchez-Cartagena et al. 2021)"""
    monotone_words: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs whose target words stand in the order of the source, with control symbol 12
    (Sánchez-Cartagena et al. 2021)"""
    upper: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs in capitals, on both sides"""
    title: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs whose words begin with capitals, on both sides"""
    typos: float = field(default=0.0, metadata=within(0, 1))
    """share of the sources with typing errors: letters swapped, left out, doubled or mistaken for a key beside them"""
    merged_words: float = field(default=0.0, metadata=within(0, 1))
    """share of the sources in which a space is missing"""
    split_words: float = field(default=0.0, metadata=within(0, 1))
    """share of the sources in which a space divides a word"""
    noise: float = field(default=0.0, metadata=within(0, 1))
    """share of the pairs that are replaced by a line of random characters, the same on both sides, to be copied"""
    growth_epochs: float = field(default=0.0, metadata=within(0, MOST_COUNTED))
    """epochs in which the shares from augmentation.upper to augmentation.noise grow from 0; 0: they do not grow"""

    def validate(self, *, tags: Sequence[int], is_joint: bool, has_pairs: bool = False) -> None:
        """Raise ConfigError when a value is impossible, or at odds with the corpora's tags or with the subwords.

        Args:
            tags: control symbols that the user gave to corpora.
            is_joint: whether both sides have one subword model.
            has_pairs: whether corpus.pairs names language pairs.
        """
        check_ranges(self, "augmentation.")
        shares = [getattr(self, key) for key in TASK_TAGS]
        if sum(shares) > 1:
            keys = " + ".join(f"augmentation.{key}" for key in TASK_TAGS)
            raise ConfigError(
                f"{keys} is {sum(shares):g}: a pair has one of these tasks at most; lower them to 1 or less"
            )
        used = {f"augmentation.{key}": tag for key, tag in TASK_TAGS.items() if getattr(self, key)}
        if self.reversed_pairs:
            used["augmentation.reversed_pairs"] = REVERSED_TAG
            if has_pairs:
                raise ConfigError(
                    f"augmentation.reversed_pairs={self.reversed_pairs:g} is for one language pair: name the other "
                    "directions in corpus.pairs, as in corpus.pairs=[es-gn,gn-es], and leave it out"
                )
            if not is_joint:
                raise ConfigError(
                    f"augmentation.reversed_pairs={self.reversed_pairs:g} needs one subword model for both sides: use "
                    "subwords.joint=true, or augmentation.reversed_pairs=0"
                )
        for key, tag in used.items():
            if tag in tags:
                raise ConfigError(f"corpus.tags has {tag}, the control symbol of {key}; choose another tag")
