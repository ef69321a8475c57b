"""The optimiser, the course of its learning rate, and the moving average of the weights."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nmt.config.choices import Schedule
from nmt.config.train import OptimizerConfig


def learning_rate(config: OptimizerConfig, update: int, *, max_updates: int) -> float:
    """Learning rate of an update, counted from 1: a linear warm-up to the peak, then the schedule.

    ``linear`` and ``cosine`` reach zero after `max_updates`, which may be an estimate that changes as a run goes
    on; ``inverse_sqrt`` is Vaswani et al. (2017), equation 3, scaled to the peak.
    """
    warmup = config.warmup_updates
    if update <= warmup:
        return config.lr * update / warmup
    progress = min(1.0, (update - warmup) / max(1, max_updates + 1 - warmup))
    if config.schedule is Schedule.linear:
        return config.lr * (1 - progress)
    if config.schedule is Schedule.cosine:
        return config.lr * (1 + math.cos(math.pi * progress)) / 2
    if config.schedule is Schedule.inverse_sqrt:
        return config.lr * math.sqrt(max(1, warmup) / update)
    return config.lr


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Make AdamW (Loshchilov & Hutter 2019); weight decay applies to matrices only, not to biases."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


class WeightAverage:
    """Exponential moving average of a model's weights (Polyak & Juditsky 1992), which is what is validated and saved.

    Early on the decay is (1 + n) / (10 + n) after n updates, so that the random start is forgotten soon. Averaging
    takes out the noise of large steps. As the learning rate falls there is less noise, and old weights would only hold
    the average back. So its span shrinks with the rate. A decay of zero keeps no copy: the average is the model itself.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self._model = model
        self._average = [p.detach().clone() for p in model.parameters()] if decay else []

    @torch.no_grad()
    def update(self, updates: int, *, rate: float = 1.0) -> None:
        """Take in the weights after the given number of updates, the last with this share of the peak learning rate."""
        if self.decay:
            decay = min(self.decay, (1 + updates) / (10 + updates))
            span = rate * decay / (1 - decay)
            decay = span / (1 + span)
            torch._foreach_lerp_(self._average, [p.detach() for p in self._model.parameters()], 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the average's weights inside the block, and its own again after it."""
        raw = [p.data for p in self._model.parameters()] if self.decay else []
        try:
            for parameter, average in zip(self._model.parameters(), self._average, strict=False):
                parameter.data = average
            yield
        finally:
            for parameter, own in zip(self._model.parameters(), raw, strict=False):
                parameter.data = own

    def state(self) -> list[Tensor]:
        """Return the average, in the order of the model's parameters; empty without one."""
        return self._average

    @torch.no_grad()
    def load(self, state: list[Tensor]) -> None:
        """Take up what `state` returned."""
        for average, saved in zip(self._average, state, strict=True):
            average.copy_(saved)
