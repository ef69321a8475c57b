"""What the gradient asks of an objective, and the objective that needs no search."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from nmt.corpus.batches import Batch
from nmt.model.lexicon import Offer
from nmt.model.seq2seq import Seq2Seq
from nmt.tasks.task import Task


class Moment(NamedTuple):
    """What the random numbers of an update depend on, beside the pair that they are for."""

    seed: int
    """of the run"""
    update: int
    """its number, from 0"""


class ObjectiveLoss(NamedTuple):
    """Sums over the pairs of a batch."""

    loss: Tensor
    """what training minimises"""
    negative_log_likelihood: Tensor
    """of the references, in nats, without smoothing; nan where the objective does not score them"""
    reward: float = 0.0
    """of the model's outputs, a number from 0 to 1 for each pair, where the objective has a reward"""


class Objective(Protocol):
    """Scores a batch. It keeps nothing, and draws no number from PyTorch's generator, which is dropout's."""

    @property
    def has_reward(self) -> bool:
        """Whether its losses have a reward."""

    def loss(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> ObjectiveLoss:
        """Score a batch; an `offer` stands for what the model's own lexicon says, in every search too.

        What is drawn depends on the moment and each pair's line. So the parts of a batch, and the processes of a run,
        draw for a pair what the whole batch would.
        """


class CrossEntropy:
    """-log p of what stands in the text, label-smoothed: the loss of the task itself."""

    has_reward = False

    def __init__(self, task: Task, *, label_smoothing: float) -> None:
        """Take the task's loss, with label smoothing ε."""
        self._task, self._label_smoothing = task, label_smoothing

    def loss(
        self, model: Seq2Seq, batch: Batch, *, moment: Moment | None = None, offer: Offer | None = None
    ) -> ObjectiveLoss:
        """See `Objective`."""
        loss = self._task.loss(model, batch, label_smoothing=self._label_smoothing, offer=offer)
        return ObjectiveLoss(loss.smoothed, loss.negative_log_likelihood)
