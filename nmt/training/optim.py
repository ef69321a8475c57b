"""The optimiser, the course of its learning rate, and the moving average of the weights."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nmt.config.choices import Schedule
from nmt.config.optimizer import OptimizerConfig


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


class AdamW:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) in PyTorch's fused kernel; weight decay for matrices only.

    `torch.optim.AdamW` makes the same steps, to the bit. But whoever uses it imports PyTorch's compiler, which takes
    two seconds of every start (docs/decisions/start-of-a-training.md). The state has the form of its state too.

    Attributes:
        lr: the learning rate of the next step.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self.lr = config.lr
        self._config = config
        matrices: list[Tensor] = [p for p in model.parameters() if p.dim() > 1]
        vectors: list[Tensor] = [p for p in model.parameters() if p.dim() <= 1]
        self._groups = ((matrices, config.weight_decay), (vectors, 0.0))
        self._moments: dict[Tensor, dict[str, Tensor]] = {p: {} for p in (*matrices, *vectors)}

    @torch.no_grad()
    def step(self) -> None:
        """Make a step along the gradients; a parameter that has none stays as it is."""
        for parameters, weight_decay in self._groups:
            moved = [parameter for parameter in parameters if parameter.grad is not None]
            if not moved:
                continue
            moments = [self._moments_of(parameter) for parameter in moved]
            steps = [each["step"] for each in moments]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                [parameter.grad for parameter in moved if parameter.grad is not None],
                [each["exp_avg"] for each in moments],
                [each["exp_avg_sq"] for each in moments],
                [],
                steps,
                lr=self.lr,
                beta1=self._config.beta1,
                beta2=self._config.beta2,
                weight_decay=weight_decay,
                eps=self._config.epsilon,
                amsgrad=False,
                maximize=False,
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps and the two moments of every parameter, matrices first."""
        return {"state": {i: moments for i, moments in enumerate(self._moments.values()) if moments}}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up what `state_dict` returned, or what that of `torch.optim.AdamW` did."""
        parameters = list(self._moments)
        for i, moments in saved["state"].items():
            for name, value in self._moments_of(parameters[i]).items():
                value.copy_(moments[name])

    def _moments_of(self, parameter: Tensor) -> dict[str, Tensor]:
        moments = self._moments[parameter]
        if not moments:
            moments["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            moments["exp_avg"], moments["exp_avg_sq"] = (torch.zeros_like(parameter.detach()) for _ in range(2))
        return moments


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
