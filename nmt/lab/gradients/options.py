"""What all trials of an experiment share; torch is not needed to read it."""

from dataclasses import dataclass
from typing import Literal, get_args

Initialization = Literal["glorot_orthogonal", "symmetric_uniform", "truncated_normal"]
INITIALIZATIONS: tuple[Initialization, ...] = get_args(Initialization)
"""See `nmt.model.initialization`."""
TASK_NAMES = ("copy", "adding")
"""See `nmt.lab.gradients.tasks`."""


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """How models are made and trained."""

    updates: int = 1000
    """the most optimiser steps of a training; 0 measures first weights alone"""
    hidden_size: int = 64
    """H"""
    batch_size: int = 32
    """sequences of an update"""
    learning_rate: float = 3e-3
    """of AdamW"""
    initialization: Initialization = "glorot_orthogonal"
    """distribution of the first weights"""
    init_scale: float = 0.08
    """bound of the uniform distribution, standard deviation of the normal one"""
    forget_bias: float = 1.0
    """of forget gates (Jozefowicz et al. 2015)"""
    threads: int = 1
    """CPU threads: other sums are in another order, so they change the last digits"""
