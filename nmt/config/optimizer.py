"""The settings of the optimiser."""

from dataclasses import dataclass, field

from nmt.config.choices import Schedule
from nmt.config.schema import MOST_COUNTED, check_ranges, within


@dataclass
class OptimizerConfig:
    """AdamW and the course of its learning rate."""

    lr: float = field(default=2e-3, metadata=within(0, 1000, above=True))
    """peak learning rate"""
    schedule: Schedule = Schedule.linear
    """after the warm-up: constant, linear or cosine (both to zero at the first of trainer.max_updates, max_epochs
    and max_minutes), or inverse_sqrt"""
    warmup_updates: int = field(default=200, metadata=within(0, MOST_COUNTED))
    """updates over which the learning rate grows linearly to its peak"""
    beta1: float = field(default=0.9, metadata=within(0, 1, below=True))
    """decay of AdamW's first moment"""
    beta2: float = field(default=0.98, metadata=within(0, 1, below=True))
    """decay of AdamW's second moment"""
    epsilon: float = field(default=1e-8, metadata=within(0, 1, above=True))
    """added to AdamW's denominator"""
    weight_decay: float = field(default=0.0, metadata=within(0, 1000))
    """decoupled weight decay (Loshchilov & Hutter 2019)"""
    clip_norm: float = field(default=1.0, metadata=within(0, MOST_COUNTED))
    """largest norm of the gradient of all parameters together; 0: no clipping"""
    skip_norm: float = field(default=100.0, metadata=within(0, MOST_COUNTED))
    """skip updates whose gradient has a larger norm before clipping, or is not finite; 0: skip only the latter"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "optimizer.")
