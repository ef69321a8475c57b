"""The graph of a model that labels: words with their characters → emissions, and the CRF's transitions beside them.

`nmt.model.tagger` has the model. Viterbi's algorithm runs outside, in `nmt.search.viterbi`.

Shapes: B sentences, T tokens, Y labels.
"""

from __future__ import annotations

from nmt.config.model import ModelConfig
from nmt.export.builder import Weights
from nmt.export.graph import Described
from nmt.export.words import WordGraphBuilder


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
    builder = WordGraphBuilder("tagger", config, weights, first_word=first_word)
    add = builder.graph.add
    emissions = builder.arithmetic.product([builder.read().values], weights["output.weight"], weights["output.bias"])
    add("Transpose", emissions, name="emissions", perm=[1, 0, 2])  # (T, B, Y) → (B, T, Y)
    for name in ("transitions", "start", "end"):
        add("Identity", builder.graph.constant(weights[f"crf.{name}"]), name=name)
    outputs: Described = {
        "emissions": ("float", ("B", "T", "Y")),
        "transitions": ("float", weights["crf.transitions"].shape),
        **{name: ("float", weights[f"crf.{name}"].shape) for name in ("start", "end")},
    }
    return builder.to_bytes(outputs)
