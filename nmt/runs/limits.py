"""When a run ends: the limits that its configuration sets, and how many updates these leave room for."""

from dataclasses import dataclass

from nmt.config.train import TrainerConfig


@dataclass
class Progress:
    """How far a run has come towards its limits."""

    update: int = 0
    """optimiser steps made"""
    epoch: int = 0
    """passes over the corpus completed, and the number of the current one counted from 0"""
    seconds: float = 0.0
    """time spent training, validations included"""
    validations_since_best: int = 0
    """validations since the best one; compared with trainer.patience"""


def limit_reached(limits: TrainerConfig, progress: Progress, *, metric: str = "score") -> str:
    """Name the limit that a run has reached, or nothing; patience waits for a better score of the metric."""
    if progress.update >= limits.max_updates:
        return f"trainer.max_updates={limits.max_updates} reached"
    if limits.max_epochs and progress.epoch >= limits.max_epochs:
        return f"trainer.max_epochs={limits.max_epochs} reached"
    if limits.max_minutes and progress.seconds >= 60 * limits.max_minutes:
        return f"trainer.max_minutes={limits.max_minutes:g} reached"
    if limits.patience and progress.validations_since_best >= limits.patience:
        return f"no better {metric} in trainer.patience={limits.patience} validations"
    return ""


def planned_updates(limits: TrainerConfig, progress: Progress, *, updates_per_epoch: float) -> int:
    """Estimate how many updates a run will have made when its updates, epochs or minutes are over, patience aside.

    Minutes are converted at the run's mean pace so far. A learning rate that falls towards this number makes the most
    of a budget on any machine (Li et al. 2020, "Budgeted Training: Rethinking Deep Neural Network Training under
    Resource Constraints").

    Args:
        limits: of the run.
        progress: of the run.
        updates_per_epoch: as far as is known; infinity where nothing is.
    """
    planned: float = limits.max_updates
    if limits.max_epochs:
        planned = min(planned, limits.max_epochs * updates_per_epoch)
    if limits.max_minutes and progress.seconds:
        planned = min(planned, 60 * limits.max_minutes * progress.update / progress.seconds)
    return round(planned)
