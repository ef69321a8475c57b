"""The gradient of one batch: computed in parts, by one process or several; dropout aside, that of the whole.

A batch is divided by rows among the processes, and each process's share into `accumulation` parts. Every part's summed
loss is divided by the real target positions of the whole batch. So the sum of the parts' gradients is the whole batch's
gradient. The mean of the parts' means would weigh positions in short sentences more.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nmt.config.choices import Precision
from nmt.config.train import TrainerConfig
from nmt.corpus.batches import Batch
from nmt.runs.log import LOG
from nmt.training.lexicon import Folds
from nmt.training.objectives.objective import Moment, Objective
from nmt.training.parallel import Processes


class BatchLoss(NamedTuple):
    """Sums over the real target positions that this process saw, in nats, and how many the whole batch has."""

    smoothed: float
    """what training minimises"""
    negative_log_likelihood: float
    """without label smoothing"""
    tokens: int
    """real target positions of the whole batch, EOS included"""
    reward: float = 0.0
    """summed over the pairs that this process saw, see `ObjectiveLoss`"""


class BatchGradient:
    """Fills the gradients of a model's parameters."""

    def __init__(
        self,
        model: Any,
        objective: Objective,
        *,
        config: TrainerConfig,
        precision: Precision,
        folds: Folds | None = None,
        processes: Processes,
    ) -> None:
        """Prepare; with `folds` a pair is offered what these say, not what the model's own lexicon does."""
        self._model, self._precision, self._processes = model, precision, processes
        self._accumulation, self._is_told = config.accumulation, False
        folds = folds.to(model.device) if folds else None
        self._loss = processes.data_parallel(_SummedLoss(model, objective, folds))

    def __call__(
        self, batch: Batch, *, seed: int, update: int, between: Callable[[], None] = lambda: None
    ) -> BatchLoss:
        """Make the gradient of the batch's mean loss per real target position.

        Dropout is a function of the seed, the update, the rank and how the batch is divided. A resumed run that divides
        it alike draws the same masks. What an objective draws depends on the seed, the update and the pair alone.

        Args:
            batch: what all processes share.
            seed: of the run.
            update: its number.
            between: is called between two parts, and may raise.

        Raises:
            RunError: another process of the run is gone.
        """
        torch.manual_seed(_seed(seed, update, self._processes.rank))
        self._model.zero_grad(set_to_none=True)
        tokens = int(batch.target_lengths.sum())
        # The processes' gradients are averaged, not summed.
        scale = self._processes.size / tokens
        smoothed = negative_log_likelihood = reward = 0.0
        moment = Moment(seed, update)
        parts = self._parts(len(batch.source))
        for number in range(parts):
            between()
            part, weight = part_of(
                batch, number * self._processes.size + self._processes.rank, parts=parts * self._processes.size
            )
            with self._processes.computing(self._loss, is_last=number == parts - 1):
                sums = self._forward(part, moment)
                (sums[0] * (scale * weight)).backward()  # type: ignore[no-untyped-call]
            smoothed += float(sums[0].detach()) * weight
            negative_log_likelihood += float(sums[1]) * weight
            reward += sums[2] * weight
        return BatchLoss(smoothed, negative_log_likelihood, tokens, reward)

    def _parts(self, rows: int) -> int:
        """Count the parts of this process's share of a batch: as configured, or single rows where it has fewer rows."""
        most = -(-rows // self._processes.size)
        if self._accumulation > most and not self._is_told:
            self._is_told = True
            LOG.info(f"trainer.accumulation={self._accumulation}: a batch of {rows} pairs has {most} parts")
        return min(self._accumulation, most)

    def _forward(self, part: Batch, moment: Moment) -> tuple[Tensor, Tensor, float]:
        device = self._model.device
        tensors = [tensor.to(device) for tensor in part]
        with torch.autocast(device.type, torch.bfloat16, enabled=self._precision is Precision.bf16):
            sums: tuple[Tensor, Tensor, float] = self._loss(moment, *tensors)
        return sums


def part_of(batch: Batch, number: int, *, parts: int) -> tuple[Batch, float]:
    """Take every `parts`-th row of a batch from row `number` on, cut to the longest of them, with the weight 1.

    A batch with too few rows has parts without any. Such a part is the first row with weight 0, because every process
    takes part in every exchange.
    """
    if parts == 1:
        return batch, 1.0
    empty = number >= len(batch.source)
    rows = slice(0, 1) if empty else slice(number, None, parts)
    source_lengths, target_lengths = batch.source_lengths[rows], batch.target_lengths[rows]
    source = batch.source[rows, : int(source_lengths.max())].contiguous()
    target = batch.target[rows, : int(target_lengths.max())].contiguous()
    return Batch(source, source_lengths, target, target_lengths, batch.lines[rows]), 0.0 if empty else 1.0


class _SummedLoss(nn.Module):
    """The loss as a module's forward: DistributedDataParallel watches the forward of what it wraps."""

    def __init__(self, model: Any, objective: Objective, folds: Folds | None) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.folds = folds

    def forward(self, moment: Moment, *tensors: Tensor) -> tuple[Tensor, Tensor, float]:
        """Score a batch, given as its tensors → the sums of `ObjectiveLoss`."""
        batch = Batch(*tensors)
        offer = self.folds.offer(batch.source, batch.lines) if self.folds else None
        loss, negative_log_likelihood, reward = self.objective.loss(self.model, batch, moment=moment, offer=offer)
        return loss, negative_log_likelihood, reward


def _seed(seed: int, update: int, stream: int) -> int:
    return int(np.random.SeedSequence((seed, update, stream)).generate_state(1, np.uint64)[0])
