"""The graph of a model that labels: words with their characters → emissions, and the CRF's transitions beside them.

`nmt.model.tagger` has the model. Viterbi's algorithm runs outside, in `nmt.search.viterbi`.

Shapes: B sentences, T tokens, N words of all sentences, C characters, H hidden, Y labels.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from nmt.config.model import ModelConfig
from nmt.export.arithmetic import Activation, Float32
from nmt.export.builder import Weights, bidirectional_layer
from nmt.export.cells.cell import ExportedCell, exported_cell
from nmt.export.graph import Described, Graph

_WORDS: Described = {"ids": ("int64", ("N",)), "places": ("int64", ("N",)), "lengths": ("int64", ("B",))}
_CHARACTERS: Described = {"characters": ("int64", ("N", "C")), "character_lengths": ("int64", ("N",))}


def build_tagger_graph(config: ModelConfig, weights: Weights, *, first_word: int) -> bytes:
    """Build the graph in fp32; its inputs are the fields of `nmt.text.words.Words`.

    Args:
        config: what the model is made of.
        weights: named as nmt.model.tagger.Tagger names them.
        first_word: see `nmt.text.words.WordVocabulary`.

    Raises:
        KeyError: a weight is missing.
        ConfigError: there is no graph of its cell.
    """
    return _TaggerBuilder(config, weights).build(first_word)


class _TaggerBuilder:
    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config, self.weights = config, weights
        self.graph = Graph("tagger")
        self.arithmetic = Float32(self.graph)
        self.cell: ExportedCell = exported_cell(config.cells[0], of="encoder")

    def build(self, first_word: int) -> bytes:
        weights, add = self.weights, self.graph.add
        emissions = self.arithmetic.product(
            [self._encoded(first_word)], weights["output.weight"], weights["output.bias"]
        )
        add("Transpose", emissions, name="emissions", perm=[1, 0, 2])  # (T, B, Y) → (B, T, Y)
        for name in ("transitions", "start", "end"):
            add("Identity", self.graph.constant(weights[f"crf.{name}"]), name=name)
        outputs: Described = {
            "emissions": ("float", ("B", "T", "Y")),
            "transitions": ("float", weights["crf.transitions"].shape),
            **{name: ("float", weights[f"crf.{name}"].shape) for name in ("start", "end")},
        }
        characters = _CHARACTERS if self.config.character_size else {}
        return self.graph.to_bytes({**_WORDS, **characters}, outputs)

    def _encoded(self, first_word: int) -> Activation:
        """Read the sentences: outputs (T, B, 2H) of the top layer."""
        graph, add = self.graph, self.graph.add
        features, width = self._features(first_word), self.config.embedding_size + 2 * self.config.character_size
        sentences, longest = add("Shape", "lengths"), add("ReduceMax", "lengths", keepdims=1)
        rows = add("Concat", add("Mul", sentences, longest), graph.integers(width), axis=0)
        places = add("Unsqueeze", "places", graph.integers(1))
        flat = add("ScatterND", add("Expand", graph.number(0.0), rows), places, features)
        shape = add("Concat", sentences, longest, graph.integers(width), axis=0)
        inputs = Activation(add("Transpose", add("Reshape", flat, shape), perm=[1, 0, 2]), width, None)
        size = 2 * self.config.encoder_hidden_size
        for i in range(self.config.encoder_layers):
            outputs, *_ = self._recurrence(inputs, "lengths", f"encoder.layers.{i}")
            # (T, 2, B, H) → (T, B, 2, H) → (T, B, 2H)
            name = add("Reshape", add("Transpose", outputs, perm=[0, 2, 1, 3]), graph.integers(0, 0, size))
            if self.config.encoder_layers > 2 and i > 0:
                name = add("Add", name, inputs.name)
            inputs = Activation(name, size, None)
        return inputs

    def _features(self, first_word: int) -> str:
        """Look up the words, and read their characters: (N, E + 2H)."""
        graph, add = self.graph, self.graph.add
        zero, below = (graph.constant(np.array(n, dtype=np.int64)) for n in (0, first_word - 1))
        words = self._lookup("embedding.weight", add("Max", add("Sub", "ids", below), zero))
        size = self.config.character_size
        if not size:
            return words
        # (N, C) → (C, N) → (C, N, ·)
        embedded = self._lookup("characters.embedding.weight", add("Transpose", "characters", perm=[1, 0]))
        _, last, *_ = self._recurrence(Activation(embedded, size, None), "character_lengths", "characters.layer")
        # (2, N, H) → (N, 2, H) → (N, 2H)
        sides = add("Reshape", add("Transpose", last, perm=[1, 0, 2]), graph.integers(0, 2 * size))
        return add("Concat", words, sides, axis=1)

    def _lookup(self, name: str, ids: str) -> str:
        table = self.weights[name]
        return self.arithmetic.lookup(table * np.float32(math.sqrt(table.shape[1])), ids)

    def _recurrence(self, inputs: Activation, lengths: str, layer: str) -> list[str]:
        counts = self.graph.add("Cast", lengths, to=TensorProto.INT32)
        return self.arithmetic.recurrence(inputs, counts, bidirectional_layer(self.cell, self.weights, layer))
