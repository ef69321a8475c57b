"""The graph that reads whole sources and makes all that does not change from step to step.

Shapes: B sentences, S source length, I inputs, H hidden, F attentional vector, C candidates of a shortlist, of all
sentences together.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from onnx import TensorProto

from nmt.export.arithmetic import Activation, Matrix, Recurrence
from nmt.export.builder import BOUND, Builder, bidirectional_layer
from nmt.export.graph import Constants, Described


class EncoderBuilder(Builder):
    """source (B, S), lengths (B,), the pool (C,) of a shortlist → the memory, and the first states (B, H).

    The attentional layer's half that reads values multiplies them here, once and not at every step.
    """

    name = "encoder"

    def build(self, constants: Constants) -> bytes:
        """See `Builder`."""
        add = self.graph.add
        outputs, summaries = self._layers()
        # (S, B, 2H) → (B, S, 2H)
        values = Activation(add("Transpose", outputs.name, perm=[1, 0, 2]), self.value_size, outputs.bound)
        combine = self.weights["decoder.combine.weight"]
        self.arithmetic.product([values], combine[:, : self.value_size], name="values")
        self._keys(values)
        self._mask()
        self._first_states(summaries)
        self._translations()
        if self.copied:
            first = self.graph.constant(np.array(self.first_word, dtype=np.int64))
            nothing = self.graph.constant(np.array(0, dtype=np.int64))
            add("Where", add("Less", "source", first), nothing, "source", name="copied")
        inputs: Described = {"source": ("int64", ("B", "S")), "lengths": ("int64", ("B",))}
        if self.with_shortlist:
            self.arithmetic.select(*self.output, "pool", bound=BOUND)
            inputs = {**inputs, "pool": ("int64", ("C",))}
        states: Described = {name: ("float", ("B", width)) for name, width in self.states.items()}
        described = {**self.memory, **self.pool, **self.translations, **self.copied, **states}
        return self.graph.to_bytes(inputs, described, beside=constants)

    def _layers(self) -> tuple[Activation, list[list[Activation]]]:
        """Read the source: outputs (S, B, 2H) of the top layer, last states (B, 2H) of every layer."""
        graph, add = self.graph, self.graph.add
        lengths = add("Cast", "lengths", to=TensorProto.INT32)
        ids = add("Transpose", "source", perm=[1, 0])
        inputs = Activation(self._embedded(ids), self.config.embedding_size, BOUND)
        is_residual = self.config.encoder_layers > 2
        summaries = []
        for i in range(self.config.encoder_layers):
            outputs, *last = self.arithmetic.recurrence(inputs, lengths, self._recurrence(i))
            # (S, 2, B, H) → (S, B, 2, H) → (S, B, 2H), and (2, B, H) → (B, 2H)
            sides = add("Transpose", outputs, perm=[0, 2, 1, 3])
            name = add("Reshape", sides, graph.integers(0, 0, self.value_size))
            summaries.append([self._side_by_side(part, None if j else BOUND) for j, part in enumerate(last)])
            bound = BOUND
            if is_residual and i > 0:
                assert inputs.bound is not None
                name, bound = add("Add", name, inputs.name), BOUND + inputs.bound
            inputs = Activation(name, self.value_size, bound)
        return inputs, summaries

    def _embedded(self, ids: str) -> str:
        """Look up the sources' embeddings, each element as a share of the largest that its column has."""
        rows = self.arithmetic.lookup(self._embeddings[0], ids)
        return self.graph.add("Mul", rows, self.graph.constant(1 / self._largest))

    @cached_property
    def _embeddings(self) -> tuple[Matrix, Matrix]:
        """The sources' embeddings (V, E), which may be the target's, and what their columns are multiples of, (E,)."""
        embedding = self.weights.get("source_embedding.weight")
        return (
            self.target_embeddings if embedding is None else (embedding, np.ones(embedding.shape[1], dtype=np.float32))
        )

    @cached_property
    def _largest(self) -> Matrix:
        """The largest elements of these as they are looked up, (E,), or a hair more."""
        largest = self.arithmetic.largest(self._embeddings[0]) * np.float32(1 + 1e-6)
        return np.where(largest > 0, largest, 1).astype(np.float32)

    def _side_by_side(self, last: str, bound: float | None) -> Activation:
        add = self.graph.add
        rows = add("Reshape", add("Transpose", last, perm=[1, 0, 2]), self.graph.integers(0, self.value_size))
        return Activation(rows, self.value_size, bound)

    def _recurrence(self, i: int) -> Recurrence:
        layer = bidirectional_layer(self.encoder_cell, self.weights, f"encoder.layers.{i}")
        if i > 0:
            return layer
        return layer._replace(input_weights=layer.input_weights * (self.scale * self._largest / self._embeddings[1]))

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

    def _translations(self) -> None:
        """Look up what the lexicon has for every source position."""
        graph, add = self.graph, self.graph.add
        if self.translations:
            targets = self.weights["lexicon.targets"].astype(np.int64)
            narrow = graph.constant(targets.astype(np.min_scalar_type(targets.max())))  # two bytes, mostly
            rows = self._rows_of_lexicon(len(targets))
            add("Cast", add("Gather", narrow, rows, axis=0), to=TensorProto.INT64, name="translations")
            # In units of ε, so that no step needs to divide by it.
            chances = self.weights["lexicon.probabilities"] / np.float32(self.config.lexicon_epsilon)
            add("Gather", graph.constant(chances), rows, axis=0, name="chances")

    def _rows_of_lexicon(self, count: int) -> str:
        """Find the sources' rows in the lexicons of all languages, see `nmt.model.lexicon.rows_of`."""
        graph, add, languages = self.graph, self.graph.add, self.languages
        if not languages:
            return "source"
        symbols = add("Slice", "source", *(graph.integers(n) for n in (0, 1, 1)))
        start, first, last, each = (
            graph.constant(np.array(n, dtype=np.int64))
            for n in (languages.start, 0, len(languages) - 1, count // len(languages))
        )
        number = add("Clip", add("Sub", symbols, start), first, last)
        return add("Add", "source", add("Mul", number, each))

    def _first_states(self, summaries: list[list[Activation]]) -> None:
        graph, add = self.graph, self.graph.add
        for i in range(self.config.decoder_layers):
            parts = summaries[min(i, len(summaries) - 1)]
            for j, name in enumerate(self.decoder_cell.parts):
                bridge, summary = f"bridge.layers.{i}.{j}", parts[min(j, len(parts) - 1)]
                weight, bias = self.weights[f"{bridge}.weight"], self.weights[f"{bridge}.bias"]
                add("Tanh", self.arithmetic.product([summary], weight, bias), name=f"{name}{i}")
        if self.config.input_feeding:
            sentences = add("Slice", add("Shape", "source"), *(graph.integers(n) for n in (0, 1)))
            shape = add("Concat", sentences, graph.integers(self.attentional_size), axis=0)
            add("Expand", graph.number(0.0), shape, name="feed")
