"""Cross-entropy mixed into another objective, which keeps outputs fluent (Wu et al. 2018, section 3.4)."""

from __future__ import annotations

from nmt.corpus.batches import Batch
from nmt.model.lexicon import Offer
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objectives.objective import CrossEntropy, Moment, Objective, ObjectiveLoss


class Mixed:
    """(1 - w) · the objective's loss + w · cross-entropy."""

    def __init__(self, objective: Objective, cross_entropy: CrossEntropy, *, weight: float) -> None:
        """Mix with the weight w of cross-entropy."""
        self._objective, self._cross_entropy, self._weight = objective, cross_entropy, weight

    @property
    def has_reward(self) -> bool:
        """See `Objective`."""
        return self._objective.has_reward

    def loss(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> ObjectiveLoss:
        """See `Objective`."""
        objective_loss = self._objective.loss(model, batch, moment=moment, offer=offer)
        other = self._cross_entropy.loss(model, batch, offer=offer)
        loss = (1 - self._weight) * objective_loss.loss + self._weight * other.loss
        return ObjectiveLoss(loss, other.negative_log_likelihood, objective_loss.reward)
