"""One training of one cell on one task, and what its gradients are like before and after."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from nmt.config.optimizer import OptimizerConfig
from nmt.lab.gradients.flow import GradientNorms, MemoryModel, gradient_norms
from nmt.lab.gradients.options import TrialOptions
from nmt.lab.gradients.tasks import TASKS, MemoryTask, Sequences
from nmt.model.cells.cell import cell_named
from nmt.model.initialization import FirstWeights
from nmt.training.optim import AdamW

_CHECK_EVERY = 100
"""Updates after which it is looked whether the task is solved."""
_SOLVED = 0.99
"""The accuracy at which a training ends."""
_VALIDATION, _TEST, _MEASURED = 300, 1000, 16
"""Sequences that say when to stop, that give the accuracy, and whose gradients are measured."""
_MOST_POINTS = 40
"""Steps between the distances that a curve keeps, so that a file stays small."""
_DIGITS = 4
"""Significant ones of a number in a file."""


class Flow(NamedTuple):
    """Gradient norms at some distances; see `GradientNorms`. None is a norm that overflowed."""

    state: list[float | None]
    hidden: list[float | None]


@dataclass(frozen=True, kw_only=True)
class TrialResults:
    """What one trial gave; None is a number that was not finite."""

    updates: int
    """that were made: fewer than asked for where the task was solved, or the loss was no number any more"""
    solved: bool
    """whether the accuracy on validation sequences reached 99 %"""
    diverged: bool
    """whether the loss became infinite or no number"""
    accuracy: float
    """share of right answers on 1,000 other sequences"""
    loss: float | None
    """on these"""
    largest_gradient: float | None
    """the largest norm of all parameters' gradient together in training, before clipping"""
    clipped: float
    """share of the updates whose gradient was clipped"""
    distances: list[int]
    """of the norms: positions before the first answer"""
    initial: Flow
    """before training"""
    trained: Flow
    """after it"""


class Trial(NamedTuple):
    """What differs between the trials of an experiment."""

    task: str
    """one of `TASKS`"""
    cell: str
    """one of `nmt.config.choices.Cell`"""
    distance: int
    """N of the task"""
    seed: int
    """of the first weights and of the sequences; cells, and trainings with and without clipping, share sequences"""
    clip_norm: float
    """largest norm of the gradient (Pascanu et al. 2013, algorithm 1); 0: no clipping"""

    @property
    def name(self) -> str:
        """Name it as files do."""
        return f"{self.task}-{self.cell}-{self.distance}-seed-{self.seed}-clip-{self.clip_norm:g}"


def run_trial(trial: Trial, options: TrialOptions) -> TrialResults:
    """Measure, train, and measure again; the same numbers each time on the same machine with the same threads."""
    task = TASKS[trial.task]
    first = FirstWeights(options.initialization, options.init_scale, options.forget_bias)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        model = MemoryModel(task, cell_named(trial.cell), options.hidden_size, first)
    generators = [_generator(trial, stream) for stream in range(4)]
    measured = task.draw(trial.distance, _MEASURED, generators[1])
    test = task.draw(trial.distance, _TEST, generators[2])
    validation = task.draw(trial.distance, _VALIDATION, generators[3])
    initial = gradient_norms(model, measured)
    course = train(model, trial, options, generators[0], validation)
    accuracy, loss = score(model, test)
    trained = gradient_norms(model, measured)
    distances = kept_distances(len(initial.state))
    return TrialResults(
        updates=course.updates,
        solved=course.solved,
        diverged=course.diverged,
        accuracy=accuracy,
        loss=_rounded(loss),
        largest_gradient=_rounded(course.largest_gradient),
        clipped=round(course.clipped / max(1, course.updates), _DIGITS),
        distances=distances,
        initial=_flow(initial, distances),
        trained=_flow(trained, distances),
    )


class Course(NamedTuple):
    """How a training went; see `TrialResults`."""

    updates: int
    solved: bool
    diverged: bool
    largest_gradient: float
    clipped: int
    """updates"""


def train(
    model: MemoryModel, trial: Trial, options: TrialOptions, generator: torch.Generator, validation: Sequences
) -> Course:
    """Train with AdamW at a constant learning rate until the task is solved or all updates are made."""
    task: MemoryTask = model.task
    optimizer = AdamW(model, OptimizerConfig(lr=options.learning_rate))
    largest, clipped = 0.0, 0
    for update in range(1, options.updates + 1):
        sequences = task.draw(trial.distance, options.batch_size, generator)
        model.zero_grad(set_to_none=True)
        loss = task.loss(model(sequences.inputs), sequences.targets).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        # Without clipping it only measures.
        norm = float(clip_grad_norm_(model.parameters(), trial.clip_norm or math.inf))
        largest = max(largest, norm) if math.isfinite(norm) else math.inf
        if not (math.isfinite(float(loss.detach())) and math.isfinite(norm)):
            return Course(update - 1, False, True, largest, clipped)
        clipped += 0 < trial.clip_norm < norm
        optimizer.step()
        if update % _CHECK_EVERY == 0 and score(model, validation)[0] >= _SOLVED:
            return Course(update, True, False, largest, clipped)
    return Course(options.updates, False, False, largest, clipped)


@torch.no_grad()
def score(model: MemoryModel, sequences: Sequences) -> tuple[float, float]:
    """Return the share of right answers, and the loss."""
    outputs = model(sequences.inputs)
    accuracy = model.task.correct(outputs, sequences.targets).double().mean()
    return round(float(accuracy), 6), float(model.task.loss(outputs, sequences.targets).mean())


def kept_distances(positions: int) -> list[int]:
    """Choose the distances that a curve keeps: the first, the last, and those at even steps between."""
    step = -(-positions // _MOST_POINTS)
    return sorted({*range(0, positions, step), positions - 1})


def _flow(norms: GradientNorms, distances: Sequence[int]) -> Flow:
    return Flow(*([_rounded(norm[distance]) for distance in distances] for norm in norms))


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _generator(trial: Trial, stream: int) -> torch.Generator:
    """Make the generator of the sequences of one use, the same for all cells and clippings."""
    key = (trial.seed, trial.distance, list(TASKS).index(trial.task), stream)
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator().manual_seed(seed)
