"""Length normalisation: how hypotheses of different lengths are compared, and what a live one can still reach."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmt.errors import ConfigError
from nmt.search.arrays import Floats

NORMALIZATIONS = ("gnmt", "average")


@dataclass(frozen=True)
class LengthNormalizer:
    """Divides log-probabilities by a power of the length; with length_penalty 0 the score is the log-probability.

    "gnmt" is ((5 + length) / 6)^length_penalty (Wu et al. 2016, "Google's Neural Machine Translation System",
    equation 14, without coverage); "average" is length^length_penalty, with 1 the mean log-probability of a token.
    A length counts target positions, that of EOS included, so it counts what the log-probability sums.

    Raises:
        ConfigError: the normalisation is unknown.
    """

    length_penalty: float = 1.0
    """Exponent; above 0 favours longer hypotheses."""
    normalization: str = "average"
    """One of NORMALIZATIONS."""

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            choices = ", ".join(NORMALIZATIONS)
            raise ConfigError(f"unknown length normalization {self.normalization!r}; choose one of: {choices}")

    def score(self, log_probs: Any, lengths: Any) -> Floats:
        """Normalise log-probabilities (...) of hypotheses of lengths (...), in target positions."""
        if self.normalization == "gnmt":
            base = (5.0 + np.asarray(lengths, dtype=np.float64)) / 6.0
        else:  # an empty hypothesis, cut before its first step, has log-probability 0 and so score 0
            base = np.maximum(np.asarray(lengths, dtype=np.float64), 1.0)
        return np.asarray(log_probs / base**self.length_penalty, dtype=np.float64)

    def bound(self, log_probs: Any, shortest: Any, longest: Any) -> Floats:
        """Bound the scores of all that live hypotheses (...) may become, ended at a length in shortest…longest.

        A log-probability can only fall, so no continuation scores above log_prob / divisor(length). The divisor is
        monotone in length: its best value, for a number of either sign, stands at one of the two ends.
        """
        return np.maximum(self.score(log_probs, shortest), self.score(log_probs, longest))
