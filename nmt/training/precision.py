"""Which arithmetic the matrix products of training use: found out by running them, not by the processor's name."""

from __future__ import annotations

import time

import torch

from nmt.choices import Precision
from nmt.errors import ConfigError


def choose_precision(precision: Precision, device: torch.device) -> Precision:
    """Resolve ``auto`` to bf16 where one recurrent layer runs clearly faster with it, else to fp32.

    Raises:
        ConfigError: bf16 is asked for, and PyTorch has no such layer for this machine.
    """
    if precision is Precision.bf16:
        _require_bf16(device)
    if precision is not Precision.auto:
        return precision
    try:
        return (
            Precision.bf16
            if _layer_seconds(device, bf16=True) < 0.8 * _layer_seconds(device, bf16=False)
            else Precision.fp32
        )
    except RuntimeError:
        return Precision.fp32


def _require_bf16(device: torch.device) -> None:
    try:
        _layer_seconds(device, bf16=True)
    except RuntimeError:
        raise ConfigError(
            f"trainer.precision=bf16 is not possible on this machine's {device.type}, for which PyTorch has no "
            "recurrent layers in bf16: set trainer.precision=fp32, or auto"
        ) from None


def _layer_seconds(device: torch.device, *, bf16: bool) -> float:
    """Time one small LSTM layer, forward and backward: the best of a few runs."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        layer = torch.nn.LSTM(256, 256, batch_first=True).to(device)
        inputs = torch.randn(16, 4, 256, device=device)
    best = float("inf")
    for _ in range(4):
        begin = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            outputs = layer(inputs)[0]
        outputs.float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - begin)
    return best
