"""The training loop, its optimiser and the course of the learning rate."""

from dataclasses import dataclass, field

from nmt.config.choices import Precision, Schedule
from nmt.config.schema import MOST_COUNTED, check_ranges, within

MOST_THREADS = 1024
"""More threads are a mistake, and the errors of PyTorch and ONNX Runtime are hard to read."""


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


@dataclass
class TrainerConfig:
    """The training loop."""

    max_updates: int = field(default=20000, metadata=within(1, MOST_COUNTED))
    """optimiser steps; the schedules linear and cosine end here at the latest"""
    max_epochs: int = field(default=0, metadata=within(0, MOST_COUNTED))
    """passes over the corpus after which training stops; linear and cosine then end here; 0: no limit"""
    max_minutes: float = field(default=0.0, metadata=within(0, 10_000_000))
    """minutes of training after which it stops; linear and cosine then end here, at the pace of the run; 0: no limit"""
    batch_tokens: int = field(default=2000, metadata=within(1, 100_000_000))
    """target positions of a batch, end of sentence and padding counted; on any number of processes together"""
    accumulation: int = field(default=1, metadata=within(1, 1_000_000))
    """parts in which a process computes the gradient of its share of a batch; more parts need less memory; never
    more parts than pairs"""
    label_smoothing: float = field(default=0.1, metadata=within(0, 1, below=True))
    """probability mass spread over the whole vocabulary (Szegedy et al. 2016)"""
    ema_decay: float = field(default=0.999, metadata=within(0, 1, below=True))
    """decay of the moving average of the weights that is validated and saved, at the peak rate; 0: the raw weights"""
    validate_every: int = field(default=500, metadata=within(1, MOST_COUNTED))
    """updates between validations, each of which also saves"""
    patience: int = field(default=10, metadata=within(0, MOST_COUNTED))
    """validations without a better BLEU after which training stops; 0: never"""
    valid_batch_size: int = field(default=64, metadata=within(1, 1_000_000))
    """sentences decoded together in validation"""
    log_every: int = field(default=50, metadata=within(1, MOST_COUNTED))
    """updates between two lines of metrics.jsonl"""
    max_unknown_rate: float = field(default=0.05, metadata=within(0, 1, above=True))
    """share of unknown subwords above which training refuses to start"""
    max_skipped: int = field(default=20, metadata=within(1, MOST_COUNTED))
    """skipped updates in a row after which the run has failed; see optimizer.skip_norm"""
    precision: Precision = Precision.auto
    """arithmetic of the matrix products: fp32, bf16, or auto (bf16 where this machine is faster with it)"""
    device: str = "auto"
    """cpu, cuda, cuda:N, or auto (the GPU if there is one)"""
    threads: int = field(default=0, metadata=within(0, MOST_THREADS))
    """CPU threads of a process; 0: as many as PyTorch takes"""
    deterministic: bool = False
    """repeat a run exactly on a GPU too, where that needs slower kernels; a CPU always does"""
    overwrite: bool = False
    """throw away an earlier run in run_dir and start anew"""
    progress: bool = True
    """show a progress bar when standard error is a terminal, and progress lines otherwise"""
    tensorboard: bool = False
    """also write the metrics for TensorBoard, into run_dir/tensorboard; needs: pip install tensorboard"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        check_ranges(self, "trainer.")
