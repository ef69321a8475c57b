"""The graphs of one target position: what a token's embedding contributes to it, and all the rest.

Shapes: B sentences, K places, S source length, E embedding, H hidden, A attention, F attentional vector, V vocabulary.
N ids of a shortlist, C of all sentences together. R rows of the states, U tokens, G gates. W words of a source that a
pointer may copy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nmt.export.arithmetic import Activation, Matrix
from nmt.export.builder import BOUND, Builder
from nmt.export.graph import Constants, Described

_NOTHING = 1e-30
"""What the output layer keeps at the least, so that its share has a logarithm."""


class DecoderBuilder(Builder):
    """What both graphs of a position need of the decoder's layers."""

    def layer(self, i: int) -> dict[str, Matrix]:
        """Return a layer's weights by kind, the gates in our own order, which peepholes have already."""
        cell = self.decoder_cell
        weights = {kind: self.weights[f"decoder.layers.{i}.rnn.{kind}_l0"] for kind in cell.kinds}
        return {kind: each if kind == "weight_peephole" else cell.to_step(each) for kind, each in weights.items()}

    def products(self, rows: str) -> Described:
        """Describe what the first layer's gates read of embeddings, a row each."""
        return {"products": (self.arithmetic.products_type, (rows, len(self.layer(0)["weight_ih"])))}


class EmbeddingBuilder(DecoderBuilder):
    """tokens (U,) → products (U, G·H) of their embeddings and the first layer's weights.

    A graph of its own, so that each token is multiplied once, and not at every step that reads it.
    """

    name = "embedding"

    def build(self, constants: Constants) -> bytes:
        """See `Builder`."""
        embeddings, units = self.target_embeddings
        weight = self.layer(0)["weight_ih"][:, : self.config.embedding_size] * self.scale / units
        self.arithmetic.embedded_product(embeddings, "tokens", weight, name="products")
        return self.graph.to_bytes({"tokens": ("int64", ("U",))}, self.products("U"), beside=constants)


class StepBuilder(DecoderBuilder):
    """products, embedded and rows (B, K), memory, states (R, H) → log_probs, weights (B, K, S), states (B, K, H).

    `products` (P, G·H) is what the graph of embeddings made of some tokens; `embedded` says which row of it belongs to
    what each place emitted last. `rows` says which row of the states each place continues, so that the states follow a
    beam without being copied before the step. Log-probabilities are (B, K, V), or with a shortlist those of its
    candidates, (B, K, N).
    """

    name = "step"
    embedded = "embedded"
    """which products of embeddings each place reads"""

    def build(self, constants: Constants) -> bytes:
        """See `Builder`."""
        self.score()
        places = ("int64", ("B", "K"))
        outputs: Described = {
            "log_probs": ("float", ("B", "K", "V")),
            "weights": ("float", ("B", "K", "S")),
            **{f"next_{name}": ("float", ("B", "K", width)) for name, width in self.states.items()},
        }
        inputs = {**self.products("P"), "embedded": places, "rows": places, **self.source, **self.continued}
        return self.graph.to_bytes(inputs, outputs, beside=constants)

    @property
    def source(self) -> Described:
        """The inputs that depend on the source: from the encoder, a shortlist, a lexicon and a pointer."""
        return {**self.memory, **self.pool, **self.columns, **self.lexical, **self.copies}

    @property
    def continued(self) -> Described:
        """The states that positions continue, a row each."""
        return {name: ("float", ("R", width)) for name, width in self.states.items()}

    def score(self) -> None:
        """Add one position: `log_probs`, the `weights` of its attention, and states `next_…`."""
        query = self._recur()
        context = self._attend(query)
        combine = self.weights["decoder.combine.weight"][:, self.value_size :]
        summed = self.graph.add("Add", context, self.arithmetic.product([query], combine))
        feed = "next_feed" if self.config.input_feeding else ""
        attentional = self.graph.add("Tanh", summed, name=feed)
        last = Activation(attentional, self.attentional_size, BOUND)
        if self.projection is not None:
            last = Activation(self.arithmetic.product([last], self.projection), len(self.projection), BOUND)
        if self.with_shortlist:
            logits = self._own(self.arithmetic.selected_product(last))
        else:
            output, bias = self.output
            logits = self.arithmetic.product([last], output, bias)
        if self.lexical:
            logits = self._add_lexicon_bias(logits)
        # Search wants them normalised, which takes ONNX Runtime a third of the time that NumPy needs.
        normalized = self.graph.add("LogSoftmax", logits, name="" if self.copies else "log_probs", axis=-1)
        if self.copies:
            self._mix(normalized, attentional)

    def before(self, state: str) -> str:
        """Name a state as each place continues it, (B, K, H)."""
        return self.graph.add("Gather", state, "rows", axis=0)

    def for_places(self, ids: str) -> str:
        """Repeat what is the same for all places of a sentence, (B, 1, N): (B, K, N)."""
        places = self.graph.add(
            "Shape", self.graph.add("Unsqueeze", self.embedded, self.graph.integers(2))
        )  # (B, K, 1)
        return self.graph.add("Expand", ids, places)

    def _recur(self) -> Activation:
        """Run the layers one position: the top one's output, (B, K, H)."""
        is_residual = self.config.decoder_layers > 2
        below: list[Activation] = []
        if self.config.input_feeding:
            below.append(Activation(self.before("feed"), self.attentional_size, BOUND))
        bound = BOUND if self.decoder_cell.is_bounded else None
        for i in range(self.config.decoder_layers):
            state = Activation(self.before(f"{self.decoder_cell.parts[0]}{i}"), self.hidden_size, bound)
            advanced = self.decoder_cell.advance(self, i, below=below, state=state)
            output = Activation(advanced, self.hidden_size, bound)
            if is_residual and i > 0:
                summed = self.graph.add("Add", output.name, below[0].name)
                grown = None if bound is None or below[0].bound is None else bound + below[0].bound
                output = Activation(summed, self.hidden_size, grown)
            below = [output]
        return below[0]

    def input_sums(self, i: int, below: list[Activation], weight: Matrix, bias: Matrix | None = None) -> str:
        """Multiply a layer's inputs by their weights (G·H, I), and add a bias (G·H,): (B, K, G·H)."""
        if i > 0:
            return self.arithmetic.product(below, weight, bias)
        embedded = self.embedded_products()
        if below:
            return self.graph.add("Add", embedded, self.arithmetic.product(below, self.fed(weight), bias))
        return embedded if bias is None else self.graph.add("Add", embedded, self.graph.constant(bias))

    def joint_sums(self, i: int, inputs: list[Activation], weights: Mapping[str, Matrix], bias: Matrix) -> str:
        """Multiply a layer's inputs and its state in one product, and add a bias: (B, K, G·H)."""
        weight_ih, weight_hh = weights["weight_ih"], weights["weight_hh"]
        joined = np.concatenate([self.fed(weight_ih) if i == 0 else weight_ih, weight_hh], axis=1)
        sums = self.arithmetic.product(inputs, joined, bias)
        return self.graph.add("Add", sums, self.embedded_products()) if i == 0 else sums

    def embedded_products(self) -> str:
        """Look up what the embeddings of the places' last tokens contribute to the first layer: (B, K, G·H)."""
        return self.arithmetic.stored_product("products", self.embedded)

    def fed(self, weight: Matrix) -> Matrix:
        """Take of the first layer's input weights those that do not read the embeddings."""
        return weight[:, self.config.embedding_size :]

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

    def _own(self, logits: str) -> str:
        """Take each sentence's own columns of what was computed for all, (B, K, C): (B, K, N)."""
        return self.graph.add("GatherElements", logits, self.for_places("columns"), axis=2)

    def _add_lexicon_bias(self, logits: str) -> str:
        """Add what the lexicon says where attention looks; see nmt.model.lexicon."""
        graph, add = self.graph, self.graph.add
        scores = add("Log", add("MatMul", "weights", "lexical"))
        if self.with_shortlist:
            return add("Add", logits, scores)
        ids = self.for_places(add("Unsqueeze", "words", graph.integers(1)))
        return add("ScatterElements", logits, ids, scores, axis=2, reduction="add")

    def _mix(self, generated: str, attentional: str) -> None:
        """Mix the output layer's log-probabilities with copies, as `log_probs`; see nmt.model.pointer."""
        graph, add = self.graph, self.graph.add
        weight, bias = (graph.constant(self.weights[f"pointer.gate.{kind}"].T) for kind in ("weight", "bias"))
        gate = add("Add", add("MatMul", attentional, weight), bias)  # (B, K, 1)
        is_open = add("Sigmoid", gate)
        read = add("MatMul", "weights", "copy_places")  # (B, K, 1 + W)
        rest = add("Max", add("Slice", read, *(graph.integers(n) for n in (0, 1, 2))), graph.number(_NOTHING))
        output_layer_share = add("Add", add("Sigmoid", add("Neg", gate)), add("Mul", is_open, rest))
        generated = add("Add", generated, add("Log", output_layer_share))
        attention = add("Slice", read, *(graph.integers(n) for n in (1, np.iinfo(np.int64).max, 2)))
        copied = add("Log", add("Mul", is_open, attention))
        columns = self.for_places(add("Unsqueeze", "copy_columns", graph.integers(1)))
        gained = add("Softplus", add("Sub", copied, add("GatherElements", generated, columns, axis=2)))
        add("ScatterElements", generated, columns, gained, name="log_probs", axis=2, reduction="add")
