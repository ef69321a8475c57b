"""The graph of one target position.

Shapes: B sentences, K places, S source length, E embedding, H hidden, A attention, F attentional vector, V vocabulary,
N candidates of a shortlist, R rows of the states.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nmt.runtime.arithmetic import Activation, Matrix
from nmt.runtime.builder import BOUND, Builder
from nmt.runtime.graph import Described


class StepBuilder(Builder):
    """tokens (U,), previous and rows (B, K), memory, states (R, H) → log_probs, weights (B, K, S), states (B, K, H).

    `previous` says which of the different `tokens` each place emitted last: places that share one share its product
    with the first layer's weights, and in a large batch there are some times as many places as different tokens.

    `rows` says which row of the states each place continues, so that the states follow a beam without being copied
    before the step. Log-probabilities are (B, K, V), or with a shortlist those of its candidates, (B, K, N).
    """

    name = "step"

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
        last = Activation(attentional, self.attentional_size, BOUND)
        places = ("int64", ("B", "K"))
        given: Described = {"tokens": ("int64", ("U",)), "previous": places, "rows": places}
        if self.with_shortlist:
            logits = self.arithmetic.selected_product(last)
        else:
            output, bias = self.output
            logits = self.arithmetic.product([last], output, bias)
        # Search wants them normalised, which takes ONNX Runtime a third of the time that NumPy needs.
        self.graph.add("LogSoftmax", logits, name="log_probs", axis=-1)
        before_step: Described = {name: ("float", ("R", width)) for name, width in self.states.items()}
        after: Described = {f"next_{name}": ("float", ("B", "K", width)) for name, width in self.states.items()}
        made: Described = {"log_probs": ("float", ("B", "K", "V")), "weights": ("float", ("B", "K", "S")), **after}
        return self.graph.to_bytes({**given, **self.memory, **before_step}, made)

    def _recur(self, before: Mapping[str, str]) -> Activation:
        """Run the layers one position: the top one's output, (B, K, H)."""
        is_residual = self.config.decoder_layers > 2
        below: list[Activation] = []
        if "feed" in before:
            below.append(Activation(before["feed"], self.attentional_size, BOUND))
        for i in range(self.config.decoder_layers):
            hidden = Activation(before[f"hidden{i}"], self.hidden_size, BOUND)
            advance = self._advance_lstm if self.is_lstm else self._advance_gru
            output = Activation(advance(i, below, hidden), self.hidden_size, BOUND)
            if is_residual and i > 0:
                assert below[0].bound is not None
                summed = self.graph.add("Add", output.name, below[0].name)
                output = Activation(summed, self.hidden_size, BOUND + below[0].bound)
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
            sums = add("Add", sums, self._embedded(_gates_first(embedded)))
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
            from_input = add("Add", self._embedded(embedded), from_input or self.graph.constant(bias_ih))
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

    def _embedded(self, weight: Matrix) -> str:
        """Multiply the embeddings of what the places emitted last by a weight (O, E): (B, K, O)."""
        products = self.arithmetic.embedded_product(self.weights["target_embedding.weight"], "tokens", weight)
        return self.graph.add("Gather", products, "previous", axis=0)

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
