"""The graphs of a model, straight from its weights: what nmt.model computes, read off and laid out for speed.

The encoder reads whole sources and makes all that does not change from step to step. The step scores the next token of
every place. It reads the products of each token's embedding, which the graph of embeddings makes once. Two more graphs
take many steps.

Three things are folded beforehand, exactly. The embeddings' scale √E goes into the matrices that multiply them. A
cell's two biases become one. The half of the attentional layer that reads the context goes into the values. Attention's
weighted sum is its output then:

    h~ = tanh(W_c [c; q]) with c = Σ a_s v_s equals tanh(Σ a_s (W_v v_s) + W_q q)
"""

from __future__ import annotations

import io
import zipfile
from typing import NamedTuple

from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.export.builder import Builder, MakeArithmetic, Weights
from nmt.export.encoder import EncoderBuilder
from nmt.export.graph import Constants
from nmt.export.multi_step import BeamBuilder, GreedyBuilder
from nmt.export.step import EmbeddingBuilder, StepBuilder


class Graphs(NamedTuple):
    """A model as ONNX graphs, serialised, and what lies beside them."""

    encoder: bytes
    embedding: bytes
    step: bytes
    constants: bytes
    """a .zip file, whose checksums show damage: the large constants of the graphs, and the multi-step graphs, by the
    names of their builders"""

    def files(self) -> dict[str, tuple[str, bytes]]:
        """Name the file of each, with its content."""
        ends = dict.fromkeys(self._fields, "onnx") | {"constants": "zip"}
        return {name: (f"{name}.{ends[name]}", content) for name, content in self._asdict().items()}


def build_graphs(
    config: ModelConfig,
    weights: Weights,
    arithmetic: MakeArithmetic,
    *,
    with_shortlist: bool = False,
    languages: range = range(0),
    first_word: int = 4,
) -> Graphs:
    """Build the graphs.

    Args:
        config: what the model is made of.
        weights: named as nmt.model.seq2seq.Seq2Seq names them.
        arithmetic: how to multiply.
        with_shortlist: score the candidates that the encoder is given, instead of the whole vocabulary.
        languages: source ids that name the target language, each with a lexicon of its own; empty: there is one.
        first_word: a pointer copies no source id below.

    Raises:
        KeyError: a weight is missing.
        ConfigError: there are no graphs for such a model.
    """
    if config.attention == "none":
        raise ConfigError("a model without attention cannot be exported; PyTorch runs it as it is")
    constants: Constants = {}

    def build(builder: type[Builder]) -> bytes:
        return builder(config, weights, arithmetic, with_shortlist, languages, first_word).build(constants)

    encoder, embedding, step = map(build, (EncoderBuilder, EmbeddingBuilder, StepBuilder))
    ahead = {builder.name: build(builder) for builder in (GreedyBuilder, BeamBuilder)}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in (constants | ahead).items():
            archive.writestr(zipfile.ZipInfo(name), part)  # without the time, so that equal models are equal files
    return Graphs(encoder, embedding, step, content.getvalue())
