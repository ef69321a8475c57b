"""The two graphs of a model, straight from its weights: what nmt.model computes, read off and laid out for speed.

The encoder reads whole sources and makes all that does not change from step to step; the step scores the next token of
every place. Folded beforehand, exactly: the embeddings' scale √E into what multiplies them, a cell's two biases into
one, and the half of the attentional layer that reads the context into the values, so that attention's weighted sum is
its output (h~ = tanh(W_c [c; q]) with c = Σ a_s v_s equals tanh(Σ a_s (W_v v_s) + W_q q)).
"""

from __future__ import annotations

from typing import NamedTuple

from nmt.config import ModelConfig
from nmt.runtime.builder import MakeArithmetic, Weights
from nmt.runtime.encoder import EncoderBuilder
from nmt.runtime.step import StepBuilder


class Graphs(NamedTuple):
    """A model as ONNX graphs, serialised."""

    encoder: bytes
    step: bytes


def build_graphs(
    config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic, *, with_shortlist: bool = False
) -> Graphs:
    """Build both graphs.

    Args:
        config: what the model is made of.
        weights: named as nmt.model.seq2seq.Seq2Seq names them.
        arithmetic: how to multiply.
        with_shortlist: score the candidates that the encoder is given, instead of the whole vocabulary.

    Raises:
        KeyError: a weight is missing.
    """
    builders = (kind(config, weights, arithmetic, with_shortlist) for kind in (EncoderBuilder, StepBuilder))
    return Graphs(*(builder.build() for builder in builders))
