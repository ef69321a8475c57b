"""The weights that a training begins with."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nmt.model.cells.cell import Cell

_CUT = 2.0
"""A truncated normal distribution ends at so many standard deviations."""


class FirstWeights(NamedTuple):
    """How the weights of a model begin."""

    kind: Literal["glorot_orthogonal", "symmetric_uniform", "truncated_normal"] = "glorot_orthogonal"
    """`initialize` has the distributions"""
    scale: float = 0.08
    """bound of the uniform distribution, standard deviation of the normal one"""
    forget_bias: float = 1.0
    """of forget gates"""

    def fill(self, weight: Tensor, *, multiplies: Literal["input", "state"] = "input") -> None:
        """Draw a matrix."""
        if self.kind == "symmetric_uniform":
            nn.init.uniform_(weight, -self.scale, self.scale)
        elif self.kind == "truncated_normal":
            nn.init.trunc_normal_(weight, std=self.scale, a=-_CUT * self.scale, b=_CUT * self.scale)
        elif multiplies == "state":
            nn.init.orthogonal_(weight)
        else:
            nn.init.xavier_uniform_(weight)

    def fill_embedding(self, embedding: nn.Embedding) -> None:
        """Draw a matrix of embeddings (V, E)."""
        if self.kind == "glorot_orthogonal":
            # Rows of norm one on average, so that the first logits are near zero.
            nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
        else:
            self.fill(embedding.weight)


def initialize(model: nn.Module, recurrences: Iterable[tuple[nn.Module, Cell]], first: FirstWeights) -> None:
    """Give a model its first weights.

    - ``glorot_orthogonal``: matrices uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010, equation 16), those
      that multiply a state orthogonal (Saxe et al. 2014), embeddings normal with rows of norm one;
    - ``symmetric_uniform``: all uniform in ±scale (Sutskever et al. 2014, section 3.4);
    - ``truncated_normal``: all normal with this standard deviation, drawn anew beyond two of them.

    Each gate is drawn as a matrix of its own. Biases are zero, those of forget gates apart. So are peepholes: a cell
    that has them begins as one without.

    Args:
        model: all of it.
        recurrences: its recurrent layers, as `nmt.model.cells.cell.Cell.layer` made them, each with its cell.
        first: how.
    """
    for layer, cell in recurrences:
        initialize_layer(layer, cell, first)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            first.fill_embedding(module)
        elif isinstance(module, nn.Linear):
            first.fill(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialize_layer(layer: nn.Module, cell: Cell, first: FirstWeights) -> None:
    """Give a recurrent layer its first weights; see `initialize`."""
    hidden_size = next(layer.parameters()).size(0) // cell.gates
    for name, parameter in layer.named_parameters():
        kind = name.partition("_l0")[0]
        if kind in ("weight_ih", "weight_hh"):
            for gate in parameter.chunk(cell.gates):
                first.fill(gate, multiplies="input" if kind == "weight_ih" else "state")
        else:
            nn.init.zeros_(parameter)
        if kind in ("bias", "bias_ih") and cell.forget_gate is not None:
            gate = parameter.narrow(0, cell.forget_gate * hidden_size, hidden_size)
            nn.init.constant_(gate, first.forget_bias)


class _Unfilled(TorchFunctionMode):
    """Inside, nothing fills the parameters of new layers with random numbers."""

    fills = (nn.init.normal_, nn.init.uniform_, Tensor.normal_, Tensor.uniform_)

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        options = options or {}
        if function in self.fills:
            return options["tensor"] if "tensor" in options else arguments[0]
        return function(*arguments, **options)


@contextmanager
def without_values() -> Iterator[None]:
    """Inside, layers have parameters without values, and without memory for them."""
    # Filling parameters that have no values would import PyTorch's compiler, which takes two seconds.
    with torch.device("meta"), _Unfilled():
        yield
