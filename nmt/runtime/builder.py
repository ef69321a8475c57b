"""What the graphs of a model share: its sizes, its states, and what the source contributes to every step.

Shapes: B sentences, S source length, H hidden, A attention, F attentional vector, O what the output matrix reads, V
vocabulary, U words of a lexicon, N candidates of a shortlist.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from nmt.config import ModelConfig
from nmt.runtime.arithmetic import Arithmetic, Matrix
from nmt.runtime.graph import Constants, Described, Graph

Weights = Mapping[str, Matrix]
MakeArithmetic = Callable[[Graph], Arithmetic]

BOUND = 1.0
"""What comes out of a tanh is never larger, nor is a recurrent state that is made of such."""


class Builder(ABC):
    """What all graphs need of the model."""

    name: ClassVar[str]

    def __init__(self, config: ModelConfig, weights: Weights, arithmetic: MakeArithmetic, with_shortlist: bool) -> None:
        self.config, self.weights, self.with_shortlist = config, weights, with_shortlist
        self.graph = Graph(self.name)
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
    def memory(self) -> Described:
        """What the source contributes; keys lie as a product with queries, or additive attention, wants them."""
        is_additive = self.attention == "additive"
        return {
            "keys": ("float", ("B", "S", "A") if is_additive else ("B", "H", "S")),
            "values": ("float", ("B", "S", "F")),
            "mask": ("float", ("B", 1, "S")),
        }

    @property
    def pool(self) -> Described:
        """What the encoder picks by a shortlist: the outputs that any of the sentences may use, each once.

        One product with all of them is faster than one with each sentence's own, which no cache holds.
        """
        return self.arithmetic.selection if self.with_shortlist else {}

    @property
    def columns(self) -> Described:
        """Which of the pool each sentence may use."""
        return {"columns": ("int64", ("B", 1, "N"))} if self.with_shortlist else {}

    @property
    def translations(self) -> Described:
        """What the encoder says of each source position's translations, where the model has a lexicon."""
        shape = ("B", "S", self.config.lexicon_size)
        return {"translations": ("int64", shape), "chances": ("float", shape)} if self.config.lexicon_size else {}

    @property
    def lexical(self) -> Described:
        """What a step reads of them: each word's probability over ε, and unless a shortlist says that, which words."""
        if not self.config.lexicon_size:
            return {}
        words: Described = {} if self.with_shortlist else {"words": ("int64", ("B", "U"))}
        return {"lexical": ("float", ("B", "S", "U")), **words}

    @property
    def output(self) -> tuple[Matrix, Matrix]:
        """The output matrix (V, O) and its bias (V,), wherever they live."""
        bias = self.weights["output.bias"] if "output.bias" in self.weights else self.weights["output_bias"]
        return self.weights.get("output.weight", self.weights["target_embedding.weight"]), bias

    @property
    def projection(self) -> Matrix | None:
        """What leads from attentional vectors to where the output matrix reads, (O, F); None: it reads these."""
        return self.weights.get("projection.weight")

    @property
    def output_bound(self) -> float:
        """No element of what the output matrix reads is larger: an attentional vector, or sums of its elements."""
        return BOUND if self.projection is None else BOUND * float(np.abs(self.projection).sum(1).max())

    @abstractmethod
    def build(self, constants: Constants) -> bytes:
        """Build the graph; its large constants go into `constants`."""
