"""How the graphs multiply: what they ask of an arithmetic, and the one in fp32; nmt.export.int8 has the other.

Matrices are as PyTorch has them, (outputs, inputs); shapes: V vocabulary, E embedding, I inputs, O outputs, H hidden.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.export.graph import Described, Graph

Matrix = npt.NDArray[np.float32]


class Activation(NamedTuple):
    """A value of the graph that is the input of a product."""

    name: str
    width: int
    """I"""
    bound: float | None
    """no element is larger in magnitude; None: not known"""


class Operator(NamedTuple):
    """An operator that runs a whole recurrent layer."""

    name: str
    states: int
    """parts of its state"""
    attributes: Mapping[str, Any] = MappingProxyType({})
    int8: str = ""
    """ONNX Runtime's of the same equations in int8; empty: there is none"""
    keeping: tuple[int, ...] = ()
    """which of its first gates must be shut (-1) and which open (1) for an output that stays what it is, in int8"""


class Recurrence(NamedTuple):
    """The weights of a bidirectional layer as its operator orders them."""

    operator: Operator
    input_weights: Matrix
    """(2, G·H, I), the gates one below the other"""
    state_weights: Matrix
    """(2, G·H, H)"""
    biases: Matrix
    """(2, 2·G·H), those of the inputs, then those of the state"""
    peepholes: Matrix | None = None
    """(2, 3·H), of an LSTM's input, output and forget gate; None: it has none"""


class Arithmetic(ABC):
    """The products of one graph."""

    selection: ClassVar[Described]
    """what `select` computes and `selected_product` reads: C outputs for all sentences together"""
    products_type: ClassVar[str]
    """of what `embedded_product` computes and `stored_product` reads"""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @abstractmethod
    def lookup(self, table: Matrix, ids: str) -> str:
        """Look ids (...) up in a table (V, E): (..., E)."""

    @abstractmethod
    def embedded_product(self, table: Matrix, ids: str, weight: Matrix, *, name: str) -> str:
        """Multiply the rows that ids (...) name in a table (V, E) by a weight (O, E), for keeping: (..., O)."""

    @abstractmethod
    def stored_product(self, products: str, ids: str) -> str:
        """Look ids (...) up in such products that were kept, (V, O): (..., O)."""

    @abstractmethod
    def product(
        self, inputs: Sequence[Activation], weight: Matrix, bias: Matrix | None = None, *, name: str = ""
    ) -> str:
        """Multiply inputs (..., I), laid side by side, by a weight (O, I), and add a bias (O,): (..., O)."""

    @abstractmethod
    def largest(self, table: Matrix) -> Matrix:
        """Of what is looked up in a table (V, E), tell each column's largest magnitude, (E,)."""

    @abstractmethod
    def recurrence(self, inputs: Activation, lengths: str, layer: Recurrence) -> list[str]:
        """Run a layer in both directions over inputs (S, B, I): outputs (S, 2, B, H), last states (2, B, H) each."""

    @abstractmethod
    def select(self, weight: Matrix, bias: Matrix, pool: str, *, bound: float) -> None:
        """Pick outputs (C,), -1 for none, out of a weight (V, I) with its bias (V,), for inputs with this bound.

        `selection` has the names.
        """

    @abstractmethod
    def selected_product(self, item: Activation) -> str:
        """Multiply an input (B, K, I) by what was picked: (B, K, C), -inf where that is -1."""

    def _selected_bias(self, bias: Matrix, pool: str) -> str:
        """Name the bias of what was picked, (C,), -inf for -1; return the picked with 0 for -1."""
        graph, add = self.graph, self.graph.add
        zero = graph.constant(np.array(0, dtype=np.int64))
        ids = add("Max", pool, zero)
        selected = add("Gather", graph.constant(bias), ids, axis=0)
        add("Where", add("Less", pool, zero), graph.number(-np.inf), selected, name="output_bias")
        return ids

    def _with_bias(self, inputs: str, matrix: str, bias: Matrix | None, name: str) -> str:
        """Multiply by a matrix (I, O) in fp32."""
        if bias is None:
            return self.graph.add("MatMul", inputs, matrix, name=name)
        return self.graph.add("Add", self.graph.add("MatMul", inputs, matrix), self.graph.constant(bias), name=name)

    def _concatenated(self, names: Sequence[str]) -> str:
        return names[0] if len(names) == 1 else self.graph.add("Concat", *names, axis=-1)


class Float32(Arithmetic):
    """Products in fp32."""

    selection: ClassVar[Described] = {
        "output_weight": ("float", ("I", "C")),
        "output_bias": ("float", ("C",)),
    }
    products_type = "float"

    def lookup(self, table: Matrix, ids: str) -> str:
        """See `Arithmetic`."""
        return self.graph.add("Gather", self.graph.constant(table), ids, axis=0)

    def embedded_product(self, table: Matrix, ids: str, weight: Matrix, *, name: str) -> str:
        """See `Arithmetic`."""
        return self.product([Activation(self.lookup(table, ids), table.shape[1], None)], weight, name=name)

    def stored_product(self, products: str, ids: str) -> str:
        """See `Arithmetic`."""
        return self.graph.add("Gather", products, ids, axis=0)

    def product(
        self, inputs: Sequence[Activation], weight: Matrix, bias: Matrix | None = None, *, name: str = ""
    ) -> str:
        """See `Arithmetic`."""
        joined = self._concatenated([item.name for item in inputs])
        return self._with_bias(joined, self.graph.constant(weight.T), bias, name)

    def largest(self, table: Matrix) -> Matrix:
        """See `Arithmetic`."""
        return np.asarray(np.abs(table).max(0))

    def recurrence(self, inputs: Activation, lengths: str, layer: Recurrence) -> list[str]:
        """See `Arithmetic`."""
        graph = self.graph
        weights = [graph.constant(part) for part in (layer.input_weights, layer.state_weights, layer.biases)]
        peepholes = [] if layer.peepholes is None else ["", "", graph.constant(layer.peepholes)]
        return graph.add_many(
            layer.operator.name,
            inputs.name,
            *weights,
            lengths,
            *peepholes,
            names=[""] * (1 + layer.operator.states),
            direction="bidirectional",
            hidden_size=layer.state_weights.shape[-1],
            **layer.operator.attributes,
        )

    def select(self, weight: Matrix, bias: Matrix, pool: str, *, bound: float) -> None:
        """See `Arithmetic`."""
        rows = self.lookup(weight, self._selected_bias(bias, pool))
        self.graph.add("Transpose", rows, name="output_weight", perm=[1, 0])

    def selected_product(self, item: Activation) -> str:
        """See `Arithmetic`."""
        return self.graph.add("Add", self.graph.add("MatMul", item.name, "output_weight"), "output_bias")
