"""Whether a training still learns what holds for new text, or only its own text by heart."""

import math
from dataclasses import dataclass

from nmt.tasks.translation import perplexity

_RISES = 3
"""Validations in a row above the lowest perplexity, of which a user is told."""
_RISE = 1.02
"""A perplexity that is higher by less is noise."""


@dataclass
class Fit:
    """The course of the perplexities of training and validation; part of the state from which a run goes on."""

    negative_log_likelihood: float = 0.0
    """of what was trained on since the last validation, in nats; nan where the objective does not compute it"""
    tokens: int = 0
    """target positions of the same"""
    lowest: float = math.inf
    """lowest validation perplexity so far"""
    lowest_update: int = 0
    """update that reached it"""
    training_at_lowest: float = math.inf
    """perplexity of the text trained on before that update"""
    rises: int = 0
    """validations since"""
    was_told: bool = False
    """whether the user was told; once is enough"""

    def add(self, negative_log_likelihood: float, tokens: int) -> None:
        """Count a batch."""
        self.negative_log_likelihood += negative_log_likelihood
        self.tokens += tokens

    def validated(self, validation: float, *, update: int) -> str:
        """Note a validation's perplexity; say in a line that the model overfits, or nothing."""
        training = perplexity(self.negative_log_likelihood, self.tokens)
        self.negative_log_likelihood, self.tokens = 0.0, 0
        if validation < self.lowest:
            self.lowest, self.lowest_update, self.training_at_lowest, self.rises = validation, update, training, 0
            return ""
        self.rises += 1
        # A comparison with nan is false.
        falls, risen = training < self.training_at_lowest, validation > _RISE * self.lowest
        if self.was_told or self.rises < _RISES or not (falls and risen):
            return ""
        self.was_told = True
        return (
            f"overfitting: validation perplexity rose from {self.lowest:.2f} at update {self.lowest_update} to "
            f"{validation:.2f}, while the training's fell from {self.training_at_lowest:.2f} to {training:.2f}; best/ "
            "keeps the best weights; for better ones raise model.dropout, lower subwords.vocabulary_size, take a "
            "smaller model, or add text"
        )
