"""What the graphs of models of words share: words with their characters → an encoder's outputs.

`nmt.model.words` has the model.

Shapes: B sentences, T tokens, N words of all sentences, C characters, H hidden.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from nmt.config.model import ModelConfig
from nmt.export.arithmetic import Activation, Float32
from nmt.export.builder import Weights, bidirectional_layer
from nmt.export.cells.cell import ExportedCell, exported_cell
from nmt.export.graph import Described, Graph

_WORDS: Described = {"ids": ("int64", ("N",)), "places": ("int64", ("N",)), "lengths": ("int64", ("B",))}
_CHARACTERS: Described = {"characters": ("int64", ("N", "C")), "character_lengths": ("int64", ("N",))}


class Read(NamedTuple):
    """Sentences that were read, by the names of what holds them."""

    values: Activation
    """outputs of the top layer, (T, B, 2H)"""
    last: str
    """its last states of both directions, (B, 2H)"""


class WordGraphBuilder:
    """Begins a graph in fp32 whose inputs are the fields of `nmt.text.words.Words`."""

    def __init__(self, name: str, config: ModelConfig, weights: Weights, *, first_word: int) -> None:
        """Prepare a graph of this name.

        Args:
            name: the graph's.
            config: what the model is made of.
            weights: named as the model names them.
            first_word: see `nmt.text.words.WordVocabulary`.

        Raises:
            ConfigError: there is no graph of its cell.
        """
        self.config, self.weights, self.first_word = config, weights, first_word
        self.graph = Graph(name)
        self.arithmetic = Float32(self.graph)
        self.cell: ExportedCell = exported_cell(config.cells[0], of="encoder")

    def to_bytes(self, outputs: Described) -> bytes:
        """Serialise the graph."""
        characters = _CHARACTERS if self.config.character_size else {}
        return self.graph.to_bytes({**_WORDS, **characters}, outputs)

    def read(self) -> Read:
        """Add the encoder; KeyError where a weight is missing."""
        graph, add = self.graph, self.graph.add
        features, width = self._features(), self.config.embedding_size + 2 * self.config.character_size
        sentences, longest = add("Shape", "lengths"), add("ReduceMax", "lengths", keepdims=1)
        rows = add("Concat", add("Mul", sentences, longest), graph.integers(width), axis=0)
        places = add("Unsqueeze", "places", graph.integers(1))
        flat = add("ScatterND", add("Expand", graph.number(0.0), rows), places, features)
        shape = add("Concat", sentences, longest, graph.integers(width), axis=0)
        word_vectors = add("Transpose", add("Reshape", flat, shape), perm=[1, 0, 2])
        inputs = Activation(self._beside_neighbours(word_vectors), width * (2 * self.config.window + 1), None)
        size, last = 2 * self.config.encoder_hidden_size, ""
        for i in range(self.config.encoder_layers):
            outputs, last, *_ = self._recurrence(inputs, "lengths", f"encoder.layers.{i}")
            # (T, 2, B, H) → (T, B, 2, H) → (T, B, 2H)
            name = add("Reshape", add("Transpose", outputs, perm=[0, 2, 1, 3]), graph.integers(0, 0, size))
            if self.config.encoder_layers > 2 and i > 0:
                name = add("Add", name, inputs.name)
            inputs = Activation(name, size, None)
        return Read(inputs, self._side_by_side(last, size))

    def _beside_neighbours(self, word_vectors: str) -> str:
        """Lay each word's vector between those of its neighbours, 0 at both ends: (T, B, F) → (T, B, (2w + 1) F)."""
        graph, add, window = self.graph, self.graph.add, self.config.window
        if not window:
            return word_vectors
        padded = add("Pad", word_vectors, graph.integers(window, 0, 0, window, 0, 0))
        first, end = graph.integers(0), add("Slice", add("Shape", word_vectors), graph.integers(0), graph.integers(1))
        starts = [graph.integers(i) for i in range(2 * window + 1)]
        return add("Concat", *(add("Slice", padded, i, add("Add", i, end), first) for i in starts), axis=2)

    def _features(self) -> str:
        """Look up the words, and read their characters: (N, E + 2H)."""
        graph, add = self.graph, self.graph.add
        zero, below = (graph.constant(np.array(n, dtype=np.int64)) for n in (0, self.first_word - 1))
        word_vectors = self._lookup("embedding.weight", add("Max", add("Sub", "ids", below), zero))
        size = self.config.character_size
        if not size:
            return word_vectors
        # (N, C) → (C, N) → (C, N, ·)
        embedded = self._lookup("characters.embedding.weight", add("Transpose", "characters", perm=[1, 0]))
        _, last, *_ = self._recurrence(Activation(embedded, size, None), "character_lengths", "characters.layer")
        return add("Concat", word_vectors, self._side_by_side(last, 2 * size), axis=1)

    def _side_by_side(self, last: str, size: int) -> str:
        """Lay last states of both directions side by side: (2, N, H) → (N, 2, H) → (N, 2H)."""
        add = self.graph.add
        return add("Reshape", add("Transpose", last, perm=[1, 0, 2]), self.graph.integers(0, size))

    def _lookup(self, name: str, ids: str) -> str:
        table = self.weights[name]
        return self.arithmetic.lookup(table * np.float32(math.sqrt(table.shape[1])), ids)

    def _recurrence(self, inputs: Activation, lengths: str, layer: str) -> list[str]:
        counts = self.graph.add("Cast", lengths, to=TensorProto.INT32)
        return self.arithmetic.recurrence(inputs, counts, bidirectional_layer(self.cell, self.weights, layer))
