"""Which arithmetic the matrix products of training use: found out by running them, not by the processor's name."""

import time

import torch

from nmt.config.choices import Precision
from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.model.cells.cell import RecurrentLayer, cell_named

_ROUNDS = 6


def choose_precision(precision: Precision, device: torch.device, *, model: ModelConfig | None = None) -> Precision:
    """Resolve ``auto`` to bf16 where layers as a model's decoder has them run clearly faster with it, else to fp32.

    Raises:
        ConfigError: bf16 is asked for, and PyTorch has no such layer for this machine.
    """
    if precision is Precision.fp32:
        return precision
    layers = _Layers(device, model or ModelConfig())
    try:
        layers.seconds(bf16=True)  # whether it runs at all
        if precision is Precision.bf16:
            return precision
        # In turns, and the best of each: on a busy machine any single run may be held up.
        seconds = [(layers.seconds(bf16=True), layers.seconds(bf16=False)) for _ in range(_ROUNDS)]
    except RuntimeError:
        if precision is Precision.auto:
            return Precision.fp32
        raise ConfigError(
            f"trainer.precision=bf16 is not possible on this machine's {device.type}, for which PyTorch has no "
            "recurrent layers in bf16: set trainer.precision=fp32, or auto"
        ) from None
    bf16, fp32 = map(min, zip(*seconds, strict=True))
    return Precision.bf16 if bf16 < 0.8 * fp32 else Precision.fp32


class _Layers:
    """A recurrent layer that reads a small batch, and a matrix product after it, forward and backward.

    The two are of different libraries, and one may be fast in fp32 where the other is not.
    """

    def __init__(self, device: torch.device, model: ModelConfig) -> None:
        self.device = device
        cell, input_size, hidden_size = cell_named(model.cells[1]), model.embedding_size, model.decoder_hidden_size
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            self.rnn = RecurrentLayer(input_size, hidden_size, cell=cell).to(device)
            self.output = torch.nn.Linear(hidden_size, 4 * hidden_size).to(device)
            self.inputs = torch.randn(64, 8, input_size, device=device)
            self.state = tuple(torch.zeros(64, hidden_size, device=device) for _ in range(cell.parts))

    def seconds(self, *, bf16: bool) -> float:
        """Run once and time it; RuntimeError where PyTorch has no such recurrent layer."""
        began = time.perf_counter()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            outputs = self.output(self.rnn(self.inputs, self.state))
        outputs.float().sum().backward()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - began
