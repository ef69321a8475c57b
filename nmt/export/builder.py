"""What the graphs of a model share: its sizes, its states, and what the source contributes to every step.

Shapes: B sentences, S source length, H hidden, A attention, F attentional vector, V vocabulary. O inputs of the output
matrix, U words of a lexicon, W words that a pointer may copy, N ids of a shortlist.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import ClassVar

import numpy as np

from nmt.config.model import ModelConfig
from nmt.export.arithmetic import Arithmetic, Matrix, Recurrence
from nmt.export.cells.cell import ExportedCell, exported_cell
from nmt.export.graph import Constants, Described, Graph

Weights = Mapping[str, Matrix]
MakeArithmetic = Callable[[Graph], Arithmetic]

BOUND = 1.0
"""What comes out of a tanh is never larger, nor is a recurrent state that is made of such."""

_DEVIATIONS = 10.0
"""So many standard deviations hardly any sum exceeds, see `Builder.units`."""


class Builder(ABC):
    """What all graphs need of the model."""

    name: ClassVar[str]

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        arithmetic: MakeArithmetic,
        with_shortlist: bool,
        languages: range = range(0),
        first_word: int = 4,
    ) -> None:
        self.languages, self.first_word = languages, first_word
        self.config, self.weights, self.with_shortlist = config, weights, with_shortlist
        self._make_arithmetic = arithmetic
        self.begin(Graph(self.name))
        encoder, decoder = config.cells
        self.encoder_cell = exported_cell(encoder, of="encoder")
        self.decoder_cell = exported_cell(decoder, of="decoder")
        self.attention = config.attention.value
        self.hidden_size = config.decoder_hidden_size
        self.value_size = 2 * config.encoder_hidden_size
        self.scale = np.float32(math.sqrt(config.embedding_size))
        self.attentional_size = weights["decoder.combine.weight"].shape[0]

    def begin(self, graph: Graph) -> None:
        """Add to this graph from now on."""
        self.graph, self.arithmetic = graph, self._make_arithmetic(graph)

    @property
    def states(self) -> dict[str, int]:
        """The recurrent states by name, with their widths."""
        layers, parts = range(self.config.decoder_layers), self.decoder_cell.parts
        names = {f"{part}{i}": self.hidden_size for i in layers for part in parts}
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
        """The encoder's outputs on each source position's translations, where the model has a lexicon."""
        shape = ("B", "S", self.config.lexicon_size)
        return {"translations": ("int64", shape), "chances": ("float", shape)} if self.config.lexicon_size else {}

    @property
    def lexical(self) -> Described:
        """What a step reads of them: 1 and each word's probability over ε, and without a shortlist which words."""
        if not self.config.lexicon_size:
            return {}
        word_ids: Described = {} if self.with_shortlist else {"words": ("int64", ("B", "U"))}
        return {"lexical": ("float", ("B", "S", "U")), **word_ids}

    @property
    def copied(self) -> Described:
        """The encoder's output of what a pointer may copy of each source position: its id, or 0."""
        return {"copied": ("int64", ("B", "S"))} if self.config.pointer else {}

    @property
    def copies(self) -> Described:
        """What a step reads of it, laid out: the column of each word, and where words stand."""
        if not self.config.pointer:
            return {}
        return {"copy_columns": ("int64", ("B", "W")), "copy_places": ("float", ("B", "S", "1 + W"))}

    @cached_property
    def units(self) -> Matrix | None:
        """The unit in which graphs have each element of what a projection makes, (O,); None without a projection.

        In this unit an element is at most 1, so that bytes of all elements are used alike. Of inputs between -1 and 1 a
        row of weights w makes at most |w|₁. Were the inputs independent, the standard deviation would be |w|₂ or less;
        of two models' texts 9.6 of these were the most (docs/decisions/int8.md). What is above ten is cut off in int8.
        """
        if "projection.weight" not in self.weights:
            return None
        weight = self.weights["projection.weight"]
        units = np.minimum(np.abs(weight).sum(1), _DEVIATIONS * np.sqrt(np.square(weight).sum(1)))
        return np.where(units > 0, units, 1).astype(np.float32)

    @property
    def projection(self) -> Matrix | None:
        """What leads from attentional vectors to where the output matrix reads, (O, F); None: it reads these."""
        return None if self.units is None else self.weights["projection.weight"] / self.units[:, None]

    @property
    def output(self) -> tuple[Matrix, Matrix]:
        """The output matrix (V, O), for inputs in these units, and its bias (V,)."""
        bias = self.weights["output.bias"] if "output.bias" in self.weights else self.weights["output_bias"]
        return self.weights.get("output.weight", self.target_embeddings[0]), bias

    @property
    def target_embeddings(self) -> tuple[Matrix, Matrix]:
        """The target's embeddings (V, E) as all graphs have them, and what their columns are multiples of, (E,).

        A projection leads to them as the output matrix, which so is stored once: then these are its units.
        """
        table = self.weights["target_embedding.weight"]
        units = np.ones(table.shape[1], dtype=np.float32) if self.units is None else self.units
        return table * units, units

    @abstractmethod
    def build(self, constants: Constants) -> bytes:
        """Build the graph; its large constants go into `constants`."""


def bidirectional_layer(cell: ExportedCell, weights: Weights, layer: str) -> Recurrence:
    """Lay out the weights of a bidirectional layer, whose names begin with `layer`; KeyError where one is missing."""
    assert cell.operator is not None
    sides = [{kind: weights[f"{layer}.{kind}_l0{side}"] for kind in cell.kinds} for side in ("", "_reverse")]

    def both(kind: str) -> Matrix:
        return np.stack([cell.to_operator(side[kind]) for side in sides])

    peepholes = [each for each in map(cell.peepholes, sides) if each is not None]
    return Recurrence(
        cell.operator,
        both("weight_ih"),
        both("weight_hh"),
        np.stack([cell.biases(side) for side in sides]),
        np.stack(peepholes) if peepholes else None,
    )
