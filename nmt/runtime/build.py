"""The two graphs of a model, straight from its weights: what nmt.model computes, read off and laid out for speed.

The encoder reads whole sources and makes all that does not change from step to step; the step scores the next token of
every place. Folded beforehand, exactly: the embeddings' scale √E into what multiplies them, a cell's two biases into
one, and the half of the attentional layer that reads the context into the values, so that attention's weighted sum is
its output (h~ = tanh(W_c [c; q]) with c = Σ a_s v_s equals tanh(Σ a_s (W_v v_s) + W_q q)).

Shapes: B sentences, K places, S source length, E embedding, H hidden, A attention, F attentional vector, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from nmt.config import ModelConfig
from nmt.runtime.arithmetic import Activation, Arithmetic, Matrix, Recurrence
from nmt.runtime.graph import Graph, Shape

Weights = Mapping[str, Matrix]
MakeArithmetic = Callable[[Graph], Arithmetic]

_BOUND = 1.0
"""What comes out of a tanh is never larger, nor is a recurrent state that is made of such."""


class Graphs(NamedTuple):
    """A model as ONNX graphs, serialised."""

    encoder: bytes
    step: bytes


def build_graphs(config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic) -> Graphs:
    """Build both graphs from the weights, named as nmt.model.seq2seq.Seq2Seq names them.

    Raises:
        KeyError: a weight is missing.
    """
    return Graphs(
        _EncoderBuilder(config, weights, arithmetic).build(), _StepBuilder(config, weights, arithmetic).build()
    )


class _Builder:
    """What both graphs need of the model."""

    def __init__(self, name: str, config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic) -> None:
        self.config, self.weights = config, weights
        self.graph = Graph(name)
        self.arithmetic = arithmetic(self.graph)
        self.is_lstm = config.cell.value == "lstm"
        self.attention = config.attention.value
        self.hidden_size = config.decoder_hidden_size
        self.value_size = 2 * config.encoder_hidden_size
        self.scale = np.float32(math.sqrt(config.embedding_size))
        self.attentional_size = weights["decoder.combine.weight"].shape[0]

    @property
    def states(self) -> dict[str, int]:
        """The recurrent states by name, with their widths."""
        parts = ("hidden", "cell") if self.is_lstm else ("hidden",)
        names = {f"{part}{i}": self.hidden_size for i in range(self.config.decoder_layers) for part in parts}
        return names | ({"feed": self.attentional_size} if self.config.input_feeding else {})

    @property
    def key_shape(self) -> Shape:
        """Keys lie as a product with queries, or additive attention, wants them."""
        return ("B", "S", "A") if self.attention == "additive" else ("B", "H", "S")


class _EncoderBuilder(_Builder):
    """source (B, S), lengths (B,) → keys, values (B, S, F), mask (B, 1, S), and the states (B, H) of the first step."""

    def __init__(self, config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic) -> None:
        super().__init__("encoder", config, weights, arithmetic)
        self.table = weights.get("source_embedding.weight", weights["target_embedding.weight"])

    def build(self) -> bytes:
        """Build the graph."""
        graph, add = self.graph, self.graph.add
        outputs, summaries = self._layers()
        # (S, B, 2H) → (B, S, 2H)
        values = Activation(add("Transpose", outputs.name, perm=[1, 0, 2]), self.value_size, outputs.bound)
        combine = self.weights["decoder.combine.weight"]
        self.arithmetic.product([values], combine[:, : self.value_size], name="values")
        self._keys(values)
        self._mask()
        self._first_states(summaries)
        described: dict[str, tuple[str, Shape]] = {
            "keys": ("float", self.key_shape),
            "values": ("float", ("B", "S", "F")),
            "mask": ("float", ("B", 1, "S")),
            **{name: ("float", ("B", width)) for name, width in self.states.items()},
        }
        return graph.to_bytes({"source": ("int64", ("B", "S")), "lengths": ("int64", ("B",))}, described)

    def _layers(self) -> tuple[Activation, list[list[Activation]]]:
        """Read the source: outputs (S, B, 2H) of the top layer, last states (B, 2H) of every layer."""
        graph, add = self.graph, self.graph.add
        lengths = add("Cast", "lengths", to=6)  # int32
        ids = add("Transpose", "source", perm=[1, 0])
        inputs = Activation(self.arithmetic.lookup(self.table, ids), self.config.embedding_size, None)
        is_residual = self.config.encoder_layers > 2
        summaries = []
        for i in range(self.config.encoder_layers):
            outputs, *last = self.arithmetic.recurrence(inputs.name, lengths, self._recurrence(i))
            # (S, 2, B, H) → (S, B, 2, H) → (S, B, 2H), and (2, B, H) → (B, 2H)
            sides = add("Transpose", outputs, perm=[0, 2, 1, 3])
            name = add("Reshape", sides, graph.integers(0, 0, self.value_size))
            summaries.append([self._side_by_side(part, None if j else _BOUND) for j, part in enumerate(last)])
            bound = _BOUND
            if is_residual and i > 0:
                assert inputs.bound is not None
                name, bound = add("Add", name, inputs.name), _BOUND + inputs.bound
            inputs = Activation(name, self.value_size, bound)
        return inputs, summaries

    def _side_by_side(self, last: str, bound: float | None) -> Activation:
        add = self.graph.add
        rows = add("Reshape", add("Transpose", last, perm=[1, 0, 2]), self.graph.integers(0, self.value_size))
        return Activation(rows, self.value_size, bound)

    def _recurrence(self, i: int) -> Recurrence:
        order = _to_onnx_lstm if self.is_lstm else _to_onnx_gru
        sides = [f"encoder.layers.{i}.{{}}_l0{suffix}" for suffix in ("", "_reverse")]

        def both(name: str) -> Matrix:
            return np.stack([order(self.weights[side.format(name)]) for side in sides])

        inputs = both("weight_ih") * (self.scale if i == 0 else np.float32(1))
        biases = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
        return Recurrence(self.config.cell.value, inputs, both("weight_hh"), biases)

    def _keys(self, values: Activation) -> None:
        add, projection = self.graph.add, "decoder.attention.key_projection"
        if self.attention == "dot":
            add("Transpose", values.name, name="keys", perm=[0, 2, 1])
            return
        bias, is_additive = self.weights.get(f"{projection}.bias"), self.attention == "additive"
        weight = self.weights[f"{projection}.weight"]
        keys = self.arithmetic.product([values], weight, bias, name="keys" if is_additive else "")
        if not is_additive:
            add("Transpose", keys, name="keys", perm=[0, 2, 1])

    def _mask(self) -> None:
        """Make what is added to scores: 0 at real tokens, -inf at padding."""
        graph, add = self.graph, self.graph.add
        length = add("Squeeze", add("Slice", add("Shape", "source"), *(graph.integers(n) for n in (1, 2))))
        zero, one = (graph.constant(np.array(n, dtype=np.int64)) for n in (0, 1))
        positions = add("Range", zero, length, one)
        is_real = add("Less", positions, add("Unsqueeze", "lengths", graph.integers(1, 2)))
        add("Where", is_real, graph.number(0.0), graph.number(-math.inf), name="mask")

    def _first_states(self, summaries: list[list[Activation]]) -> None:
        graph, add = self.graph, self.graph.add
        for i in range(self.config.decoder_layers):
            for j, summary in enumerate(summaries[min(i, len(summaries) - 1)]):
                bridge = f"bridge.layers.{i}.{j}"
                weight, bias = self.weights[f"{bridge}.weight"], self.weights[f"{bridge}.bias"]
                add("Tanh", self.arithmetic.product([summary], weight, bias), name=f"{('hidden', 'cell')[j]}{i}")
        if self.config.input_feeding:
            sentences = add("Slice", add("Shape", "source"), *(graph.integers(n) for n in (0, 1)))
            shape = add("Concat", sentences, graph.integers(self.attentional_size), axis=0)
            add("Expand", graph.number(0.0), shape, name="feed")


class _StepBuilder(_Builder):
    """previous (B, K), rows (B, K), keys, values, mask, states (N, H) → logits (B, K, V), weights, states (B, K, H).

    `rows` says which row of the states each place continues, so that the states follow a beam without being copied
    before the step.
    """

    def __init__(self, config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic) -> None:
        super().__init__("step", config, weights, arithmetic)
        self.table = weights["target_embedding.weight"]

    def build(self) -> bytes:
        """Build the graph."""
        before = {
            name: self.graph.add("Gather", name, "rows", axis=0) for name in self.states if not name.startswith("cell")
        }
        query = self._recur(before)
        context = self._attend(query)
        combine = self.weights["decoder.combine.weight"][:, self.value_size :]
        summed = self.graph.add("Add", context, self.arithmetic.product([query], combine))
        feed = "next_feed" if self.config.input_feeding else ""
        attentional = self.graph.add("Tanh", summed, name=feed)
        bias = self.weights["output.bias"] if "output.bias" in self.weights else self.weights["output_bias"]
        output = self.weights.get("output.weight", self.table)
        last = Activation(attentional, self.attentional_size, _BOUND)
        self.arithmetic.product([last], output, bias, name="logits")
        places: Shape = ("B", "K")
        inputs: dict[str, tuple[str, Shape]] = {
            "previous": ("int64", places),
            "rows": ("int64", places),
            "keys": ("float", self.key_shape),
            "values": ("float", ("B", "S", "F")),
            "mask": ("float", ("B", 1, "S")),
            **{name: ("float", ("N", width)) for name, width in self.states.items()},
        }
        outputs: dict[str, tuple[str, Shape]] = {
            "logits": ("float", ("B", "K", "V")),
            "weights": ("float", ("B", "K", "S")),
            **{f"next_{name}": ("float", ("B", "K", width)) for name, width in self.states.items()},
        }
        return self.graph.to_bytes(inputs, outputs)

    def _recur(self, before: Mapping[str, str]) -> Activation:
        """Run the layers one position: the top one's output, (B, K, H)."""
        is_residual = self.config.decoder_layers > 2
        below: list[Activation] = []
        if "feed" in before:
            below.append(Activation(before["feed"], self.attentional_size, _BOUND))
        for i in range(self.config.decoder_layers):
            hidden = Activation(before[f"hidden{i}"], self.hidden_size, _BOUND)
            advance = self._advance_lstm if self.is_lstm else self._advance_gru
            output = Activation(advance(i, below, hidden), self.hidden_size, _BOUND)
            if is_residual and i > 0:
                assert below[0].bound is not None
                summed = self.graph.add("Add", output.name, below[0].name)
                output = Activation(summed, self.hidden_size, _BOUND + below[0].bound)
            below = [output]
        return below[0]

    def _advance_lstm(self, i: int, below: list[Activation], hidden: Activation) -> str:
        add, names = self.graph.add, self.graph.add_many
        weight_ih, weight_hh, bias_ih, bias_hh = self._cell(i)
        embedded, rest = self._split_input(i, weight_ih)
        joined = np.concatenate([rest, weight_hh], axis=1)
        # The three gates that a sigmoid makes lie together, the candidate last.
        sums = self.arithmetic.product([*below, hidden], _gates_first(joined), _gates_first(bias_ih + bias_hh))
        if embedded is not None:
            sums = add("Add", sums, self.arithmetic.embedded_product(self.table, "previous", _gates_first(embedded)))
        size = self.hidden_size
        gates, candidate = names("Split", sums, self.graph.integers(3 * size, size), names=["", ""], axis=-1)
        opened = names("Split", add("Sigmoid", gates), self.graph.integers(size, size, size), names=[""] * 3, axis=-1)
        input_gate, forget_gate, output_gate = opened
        kept = add("Mul", forget_gate, add("Gather", f"cell{i}", "rows", axis=0))
        cell = add("Add", kept, add("Mul", input_gate, add("Tanh", candidate)), name=f"next_cell{i}")
        return add("Mul", output_gate, add("Tanh", cell), name=f"next_hidden{i}")

    def _advance_gru(self, i: int, below: list[Activation], hidden: Activation) -> str:
        add, names = self.graph.add, self.graph.add_many
        weight_ih, weight_hh, bias_ih, bias_hh = self._cell(i)
        embedded, rest = self._split_input(i, weight_ih)
        from_input = ""
        if below:
            from_input = self.arithmetic.product(below, rest, bias_ih)
        if embedded is not None:
            looked_up = self.arithmetic.embedded_product(self.table, "previous", embedded)
            from_input = add("Add", looked_up, from_input or self.graph.constant(bias_ih))
        from_hidden = self.arithmetic.product([hidden], weight_hh, bias_hh)
        sizes = self.graph.integers(2 * self.hidden_size, self.hidden_size)
        input_gates, input_candidate = names("Split", from_input, sizes, names=["", ""], axis=-1)
        hidden_gates, hidden_candidate = names("Split", from_hidden, sizes, names=["", ""], axis=-1)
        opened = add("Sigmoid", add("Add", input_gates, hidden_gates))
        halves = self.graph.integers(self.hidden_size, self.hidden_size)
        reset, update = names("Split", opened, halves, names=["", ""], axis=-1)
        candidate = add("Tanh", add("Add", input_candidate, add("Mul", reset, hidden_candidate)))
        # (1 - z) n + z h = n + z (h - n)
        moved = add("Mul", update, add("Sub", hidden.name, candidate))
        return add("Add", candidate, moved, name=f"next_hidden{i}")

    def _cell(self, i: int) -> list[Matrix]:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [self.weights[f"decoder.layers.{i}.rnn.{name}_l0"] for name in names]

    def _split_input(self, i: int, weight: Matrix) -> tuple[Matrix | None, Matrix]:
        """Split a layer's input weights into what reads the embeddings, in the first layer only, and the rest."""
        if i > 0:
            return None, weight
        size = self.config.embedding_size
        return weight[:, :size] * self.scale, weight[:, size:]

    def _attend(self, query: Activation) -> str:
        """Read the memory: the weighted sum of the values, (B, K, F)."""
        graph, add = self.graph, self.graph.add
        if self.attention == "additive":
            projected = self.arithmetic.product([query], self.weights["decoder.attention.query_projection.weight"])
            # (B, K, 1, A) + (B, 1, S, A) → (B, K, S, A) → (B, K, S)
            pairs = add(
                "Add",
                add("Unsqueeze", projected, graph.integers(2)),
                add("Unsqueeze", "keys", graph.integers(1)),
            )
            energy = graph.constant(self.weights["decoder.attention.energy.weight"].T)
            scores = add("Squeeze", add("MatMul", add("Tanh", pairs), energy), graph.integers(3))
        else:
            scores = add("MatMul", query.name, "keys")
        weights = add("Softmax", add("Add", scores, "mask"), name="weights", axis=-1)
        return add("MatMul", weights, "values")


def _gates_first(weight: Matrix) -> Matrix:
    """Reorder an LSTM's rows from PyTorch's input, forget, candidate, output to input, forget, output, candidate."""
    inputs, forget, candidate, output = np.split(weight, 4)
    return np.concatenate([inputs, forget, output, candidate])


def _to_onnx_lstm(weight: Matrix) -> Matrix:
    """Reorder rows from PyTorch's input, forget, candidate, output to ONNX's input, output, forget, candidate."""
    inputs, forget, candidate, output = np.split(weight, 4)
    return np.concatenate([inputs, output, forget, candidate])


def _to_onnx_gru(weight: Matrix) -> Matrix:
    """Reorder rows from PyTorch's reset, update, candidate to ONNX's update, reset, candidate."""
    reset, update, candidate = np.split(weight, 3)
    return np.concatenate([update, reset, candidate])
