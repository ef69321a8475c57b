"""How a model is trained: the configuration of the optimiser and of the training loop."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.choices import Precision, Schedule
from nmt.errors import require

MOST_THREADS = 1024
"""More are a mistake, which PyTorch and ONNX Runtime would tell in words of their own."""


@dataclass
class OptimizerConfig:
    """AdamW and the course of its learning rate."""

    lr: float = 2e-3
    """peak learning rate"""
    schedule: Schedule = Schedule.linear
    """after the warm-up: constant, linear or cosine (both to zero at trainer.max_updates, max_epochs or max_minutes,
    whichever comes first), or inverse_sqrt"""
    warmup_updates: int = 200
    """updates over which the learning rate grows linearly to its peak"""
    beta1: float = 0.9
    """decay of AdamW's first moment"""
    beta2: float = 0.98
    """decay of AdamW's second moment"""
    epsilon: float = 1e-8
    """added to AdamW's denominator"""
    weight_decay: float = 0.0
    """decoupled weight decay (Loshchilov & Hutter 2019)"""
    clip_norm: float = 1.0
    """largest norm of the gradient of all parameters together; 0: no clipping"""
    skip_norm: float = 100.0
    """updates whose gradient has a larger norm before clipping, or none at all, are skipped; 0: only the latter"""

    def validate(self) -> None:
        """Raise ConfigError when a value is impossible."""
        require(self.lr > 0, "optimizer.lr", self.lr, "above 0")
        require(self.warmup_updates >= 0, "optimizer.warmup_updates", self.warmup_updates, "0 or more")
        for key in ("beta1", "beta2"):
            require(0 <= getattr(self, key) < 1, f"optimizer.{key}", getattr(self, key), "0 or more and below 1")
        require(self.epsilon > 0, "optimizer.epsilon", self.epsilon, "above 0")
        require(self.weight_decay >= 0, "optimizer.weight_decay", self.weight_decay, "0 or more")
        require(self.clip_norm >= 0, "optimizer.clip_norm", self.clip_norm, "0 or more")
        require(self.skip_norm >= 0, "optimizer.skip_norm", self.skip_norm, "0 or more")


@dataclass
class TrainerConfig:
    """The training loop."""

    max_updates: int = 20000
    """optimiser steps; the schedules linear and cosine end here at the latest"""
    max_epochs: int = 0
    """passes over the corpus after which training stops; linear and cosine then end here; 0: no limit"""
    max_minutes: float = 0.0
    """minutes of training after which it stops; linear and cosine then end here, at the pace of the run; 0: no limit"""
    batch_tokens: int = 2000
    """target positions of a batch, end of sentence and padding counted; on any number of processes together"""
    accumulation: int = 1
    """parts in which a process computes the gradient of its share of a batch: more of them need less memory"""
    label_smoothing: float = 0.1
    """probability mass spread over the whole vocabulary (Szegedy et al. 2016)"""
    sampled_words: int = 0
    """words drawn for each batch that stand, in the loss, for all that it lacks (sampled softmax, Jean et al. 2015):
    faster, and nearly as good an update; 0: the whole vocabulary"""
    ema_decay: float = 0.999
    """decay of the moving average of the weights that is validated and saved, at the peak rate; 0: the raw weights"""
    validate_every: int = 500
    """updates between validations, each of which also saves"""
    patience: int = 10
    """validations without a better BLEU after which training stops; 0: never"""
    valid_batch_size: int = 64
    """sentences decoded together in validation"""
    log_every: int = 50
    """updates between two lines of metrics.jsonl"""
    max_unknown_rate: float = 0.05
    """share of unknown subwords above which training refuses to start"""
    max_skipped: int = 20
    """skipped updates in a row after which the run has failed; see optimizer.skip_norm"""
    precision: Precision = Precision.auto
    """arithmetic of the matrix products: fp32, bf16, or auto (bf16 where this machine is faster with it)"""
    device: str = "auto"
    """cpu, cuda, cuda:N, or auto (the GPU if there is one)"""
    threads: int = 0
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
        for key in (
            "max_updates",
            "batch_tokens",
            "accumulation",
            "validate_every",
            "valid_batch_size",
            "log_every",
            "max_skipped",
        ):
            require(getattr(self, key) >= 1, f"trainer.{key}", getattr(self, key), "1 or more")
        for key in ("max_epochs", "max_minutes", "patience", "threads", "sampled_words"):
            require(getattr(self, key) >= 0, f"trainer.{key}", getattr(self, key), "0 or more")
        require(
            0 <= self.label_smoothing < 1,
            "trainer.label_smoothing",
            self.label_smoothing,
            "0 or more and below 1",
        )
        for key, most in (("max_minutes", 10_000_000), ("threads", MOST_THREADS)):
            require(getattr(self, key) <= most, f"trainer.{key}", getattr(self, key), f"at most {most}")
        require(0 <= self.ema_decay < 1, "trainer.ema_decay", self.ema_decay, "0 or more and below 1")
        require(
            0 < self.max_unknown_rate <= 1,
            "trainer.max_unknown_rate",
            self.max_unknown_rate,
            "above 0, at most 1",
        )
