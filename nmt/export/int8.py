"""Arithmetic in int8: products of bytes.

Every weight is a whole number from -64 to 64 times a scale of its own output channel. The inputs of nearly all products
are bounded by the network itself: states and attentional vectors come out of a tanh. So their scales are known before
any sentence is seen, and a row's result depends on that row alone. A projection's sums have a bound that hardly any
exceed, and are cut off there. An LSTM's last cell states have no bound: they are scaled by the largest element of each
row. The encoder's LSTM is ONNX Runtime's own, which measures its scales over the whole batch. There every row is given
the largest elements that there can be.

Matrices are as PyTorch has them, (outputs, inputs). Shapes: V vocabulary, E embedding, I inputs, O outputs, H hidden, S
source length, B sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from nmt.export.arithmetic import Activation, Arithmetic, Float32, Matrix, Recurrence
from nmt.export.graph import Described, Graph

_MICROSOFT = "com.microsoft"

_LARGEST = 64
"""Weights are whole numbers of at most this magnitude. AVX2 adds two products of an unsigned and a signed byte in 16
bits, which overflow beyond 2 · 255 · 64. Processors with VNNI could take 127, but a bundle is made for any."""

_TINY = 1e-30
"""What rows of zeros are divided by."""

_HALF = 128
"""The unsigned byte that stands for 0."""

_GUARDS = np.array([[[1, -1]]], dtype=np.float32)
"""(1, 1, 2) the largest and the smallest that a state can be."""

_SATURATED = 20.0
"""Of this sigmoid and tanh are 1 in fp32, of its negative the sigmoid is as good as 0."""


class Int8(Arithmetic):
    """Products of bytes, summed up in whole numbers."""

    selection: ClassVar[Described] = {
        "output_weight": ("int8", ("I", "C")),
        "output_scales": ("float", ("C",)),
        "output_bias": ("float", ("C",)),
    }
    products_type = "float16"  # its rounding is far below that of the weights

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._codes: dict[str, str] = {}

    def lookup(self, table: Matrix, ids: str) -> str:
        """See `Arithmetic`."""
        graph = self.graph
        codes, scales = self._table(table)
        rows = graph.add("Cast", graph.add("Gather", codes, ids, axis=0), to=TensorProto.FLOAT)
        centred = graph.add("Sub", rows, graph.number(_HALF))
        return graph.add("Mul", centred, graph.add("Gather", graph.constant(scales[:, None]), ids, axis=0))

    def embedded_product(self, table: Matrix, ids: str, weight: Matrix, *, name: str) -> str:
        """See `Arithmetic`."""
        graph = self.graph
        codes, scales = self._table(table)
        rows = graph.add("Gather", codes, ids, axis=0)
        multiplied = self._multiply(rows, *self._quantized(weight), scale=1.0)
        scaled = graph.add("Mul", multiplied, graph.add("Gather", graph.constant(scales[:, None]), ids, axis=0))
        return graph.add("Cast", scaled, name=name, to=TensorProto.FLOAT16)

    def stored_product(self, products: str, ids: str) -> str:
        """See `Arithmetic`."""
        return self.graph.add("Cast", self.graph.add("Gather", products, ids, axis=0), to=TensorProto.FLOAT)

    def product(
        self, inputs: Sequence[Activation], weight: Matrix, bias: Matrix | None = None, *, name: str = ""
    ) -> str:
        """See `Arithmetic`."""
        if any(item.bound is None for item in inputs):
            [item] = inputs
            return self._measured_product(item.name, weight, bias, name)
        codes = self._concatenated([self._encoded(item) for item in inputs])
        added = "" if bias is None else self.graph.constant(bias)
        # Codes are multiples of their input's own bound, which the weights make up for.
        bounds = np.concatenate([np.full(item.width, item.bound, dtype=np.float32) for item in inputs])
        return self._multiply(codes, *self._quantized(weight * bounds), bias=added, name=name)

    def largest(self, table: Matrix) -> Matrix:
        """See `Arithmetic`."""
        codes, scales = quantize_rows(table)
        return np.asarray(np.abs(codes * scales[:, None]).max(0))

    def recurrence(self, inputs: Activation, lengths: str, layer: Recurrence) -> list[str]:
        """See `Arithmetic`; a layer for which ONNX Runtime has no operator in int8 stays in fp32.

        The operator scales its inputs by the largest and the smallest of the whole batch, and at every step its states
        too. These must be the same whatever is in the batch. So each row of the inputs has two elements more, their
        bound and its negative. The layer has two cells more, whose states are 1 and -1 at any step. Their weights are
        0, so that nothing else changes.
        """
        if not layer.operator.int8:
            return Float32(self.graph).recurrence(inputs, lengths, layer)
        graph, add = self.graph, self.graph.add
        assert inputs.bound is not None
        size, wide = layer.state_weights.shape[-1], _with_guards(layer)
        one = graph.integers(1)
        places = add("Concat", add("Shape", inputs.name, end=2), one, axis=0)  # S, B, 1
        guards = add("Expand", graph.constant(inputs.bound * _GUARDS), places)
        begun = np.concatenate([np.zeros((1, 1, size), dtype=np.float32), _SATURATED * _GUARDS], axis=-1)
        both_sides = add("Concat", graph.integers(2), add("Shape", lengths), one, axis=0)  # 2, B, 1
        parts = []
        for weight in (wide.input_weights, wide.state_weights):
            codes, scales = quantize_rows(weight)
            zeros = np.zeros(scales.shape, dtype=np.int8)
            parts.append([graph.constant(codes.transpose(0, 2, 1)), graph.constant(scales), graph.constant(zeros)])
        outputs = graph.add_many(
            layer.operator.int8,
            self._concatenated([inputs.name, guards]),
            *(codes for codes, _, _ in parts),
            graph.constant(wide.biases),
            lengths,
            *("", add("Expand", graph.constant(begun), both_sides)),
            "" if wide.peepholes is None else graph.constant(wide.peepholes),
            *(name for _, scales, zeros in parts for name in (scales, zeros)),
            names=[""] * (1 + layer.operator.states),
            domain=_MICROSOFT,
            direction="bidirectional",
            hidden_size=begun.shape[-1],
        )
        return [add("Slice", name, *(graph.integers(n) for n in (0, size, -1))) for name in outputs]

    def select(self, weight: Matrix, bias: Matrix, pool: str, *, bound: float) -> None:
        """See `Arithmetic`."""
        graph, add = self.graph, self.graph.add
        selected_bias = self._selected_bias(bias, pool)
        codes, scales = self._table(weight)
        rows = add("Gather", self._signed(codes), selected_bias, axis=0)
        add("Transpose", rows, name="output_weight", perm=[1, 0])
        add("Gather", graph.constant(scales * np.float32(bound)), selected_bias, axis=0, name="output_scales")

    def selected_product(self, item: Activation) -> str:
        """See `Arithmetic`."""
        return self._multiply(self._encoded(item), "output_weight", "output_scales", bias="output_bias")

    def _multiply(
        self, codes: str, weight: str, scales: str, *, bias: str = "", scale: float = 1 / 127, name: str = ""
    ) -> str:
        """Multiply codes (..., I), each `scale` times what it stands for, by a weight (I, O) with its scales (O,)."""
        half = self.graph.constant(np.array(_HALF, dtype=np.uint8))
        inputs = (codes, weight, self.graph.number(scale), scales, half, *(("", bias) if bias else ()))
        return self.graph.add("MatMulIntegerToFloat", *inputs, name=name, domain=_MICROSOFT)

    def _measured_product(self, inputs: str, weight: Matrix, bias: Matrix | None, name: str) -> str:
        """Multiply inputs that have no bound: each row is scaled by the largest element it has."""
        graph, add = self.graph, self.graph.add
        largest = add("Max", add("ReduceMax", add("Abs", inputs), axes=[-1], keepdims=1), graph.number(_TINY))
        scaled = Activation(add("Div", inputs, largest), weight.shape[1], bound=1.0)
        multiplied = add("Mul", self.product([scaled], weight), largest, name=name if bias is None else "")
        return multiplied if bias is None else add("Add", multiplied, graph.constant(bias), name=name)

    def _encoded(self, item: Activation) -> str:
        """Turn an input into bytes, once however many products read it."""
        if item.name not in self._codes:
            assert item.bound is not None
            half = self.graph.constant(np.array(_HALF, dtype=np.uint8))
            scale = self.graph.number(item.bound / 127)
            self._codes[item.name] = self.graph.add("QuantizeLinear", item.name, scale, half)
        return self._codes[item.name]

    def _quantized(self, weight: Matrix) -> tuple[str, str]:
        """Store a weight (O, I) as codes (I, O), with the scales of the outputs (O,)."""
        codes, scales = quantize_rows(weight)
        return self.graph.constant(codes.T), self.graph.constant(scales)

    def _table(self, table: Matrix) -> tuple[str, Matrix]:
        """Store a table (V, E) as bytes, with the scales of its rows (V,)."""
        codes, scales = quantize_rows(table)
        return self.graph.constant((codes.astype(np.int16) + _HALF).astype(np.uint8)), scales

    def _signed(self, codes: str) -> str:
        """Turn bytes of which 128 stands for 0 into signed ones."""
        wide = self.graph.add("Sub", self.graph.add("Cast", codes, to=TensorProto.FLOAT), self.graph.number(_HALF))
        return self.graph.add("Cast", wide, to=TensorProto.INT8)


def quantize_rows(weight: Matrix) -> tuple[npt.NDArray[np.int8], Matrix]:
    """Round a weight (..., O, I) to whole numbers times a scale of each row: codes (..., O, I) and scales (..., O)."""
    largest = np.abs(weight).max(-1)
    scales = np.where(largest > 0, largest / _LARGEST, 1.0).astype(np.float32)
    codes = np.rint(weight / scales[..., None]).astype(np.int8)
    return codes, scales


def _with_guards(layer: Recurrence) -> Recurrence:
    """Give a layer inputs more, which nothing reads, and cells more, which keep the states they begin with."""
    size, more = layer.state_weights.shape[-1], _GUARDS.size

    def widened(part: Matrix, *, columns: int) -> Matrix:
        gates = part.reshape(2, -1, size, part.shape[-1])
        return np.pad(gates, ((0, 0), (0, 0), (0, more), (0, columns))).reshape(2, -1, part.shape[-1] + columns)

    gates = _padded(layer.biases, size, more)
    keeping = np.array(layer.operator.keeping)
    gates[:, : len(keeping), size:] = _SATURATED * keeping[:, None]
    return layer._replace(
        input_weights=widened(layer.input_weights, columns=more),
        state_weights=widened(layer.state_weights, columns=more),
        biases=gates.reshape(2, -1),
        peepholes=None if layer.peepholes is None else _padded(layer.peepholes, size, more).reshape(2, -1),
    )


def _padded(rows: Matrix, size: int, more: int) -> Matrix:
    """Lengthen each of the blocks of rows, (2, ·H), by zeros: (2, ·, H + more)."""
    return np.pad(rows.reshape(2, -1, size), ((0, 0), (0, 0), (0, more)))
