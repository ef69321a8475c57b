"""The graph of a model that classifies: words with their characters → logits, and the weights of attention.

`nmt.model.classifier` has the model.

Shapes: B lines, T words, H hidden, A attention, Y labels.
"""

from __future__ import annotations

import numpy as np

from nmt.config.choices import Pooling
from nmt.config.model import ModelConfig
from nmt.export.arithmetic import Activation
from nmt.export.builder import Weights
from nmt.export.graph import Described
from nmt.export.words import Read, WordGraphBuilder


def build_classifier_graph(config: ModelConfig, weights: Weights, *, first_word: int) -> bytes:
    """Build the graph in fp32; its inputs are the fields of `nmt.text.words.Words`.

    Args:
        config: what the model is made of.
        weights: named as nmt.model.classifier.Classifier names them.
        first_word: see `nmt.text.words.WordVocabulary`.

    Raises:
        KeyError: a weight is missing.
        ConfigError: there is no graph of its cell.
    """
    builder = WordGraphBuilder("classifier", config, weights, first_word=first_word)
    read, size = builder.read(), 2 * config.encoder_hidden_size
    outputs: Described = {"logits": ("float", ("B", weights["output.weight"].shape[0]))}
    vectors = read.last
    if config.pooling is Pooling.attention:
        vectors = _attended(builder, read)
        outputs = {**outputs, "weights": ("float", ("B", "T"))}
    pooled = Activation(vectors, size, None)
    builder.arithmetic.product([pooled], weights["output.weight"], weights["output.bias"], name="logits")
    return builder.to_bytes(outputs)


def _attended(builder: WordGraphBuilder, read: Read) -> str:
    """Add attention: the mean of the values by their weights, (B, 2H)."""
    graph, add, weights = builder.graph, builder.graph.add, builder.weights
    projection, query = (weights[f"pooling.{name}"] for name in ("projection.weight", "query.weight"))
    hidden = add("Tanh", builder.arithmetic.product([read.values], projection, weights["pooling.projection.bias"]))
    scores = builder.arithmetic.product([Activation(hidden, len(projection), None)], query)  # (T, B, 1)
    by_line = add("Transpose", add("Squeeze", scores, graph.integers(2)), perm=[1, 0])  # (B, T)
    longest = add("ReduceMax", "lengths", keepdims=0)
    zero, one = (graph.constant(np.array(n, dtype=np.int64)) for n in (0, 1))
    is_real = add("Less", add("Range", zero, longest, one), add("Unsqueeze", "lengths", graph.integers(1)))
    add("Softmax", add("Where", is_real, by_line, graph.number(-np.inf)), name="weights", axis=1)
    values = add("Transpose", read.values.name, perm=[1, 0, 2])  # (B, T, 2H)
    return add("Squeeze", add("MatMul", add("Unsqueeze", "weights", graph.integers(1)), values), graph.integers(1))
