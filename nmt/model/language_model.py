"""A language model: embedding → recurrent layers → the next subword; a step model without a source.

The probability of a line is p(y) = Π_t p(y_t given y_1 … y_{t−1}), a product over its subwords and its end (Mikolov et
al. 2010, "Recurrent neural network based language model").

Shapes: B lines, K places, T positions, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nmt.model.cells.cell import Cell, LayerState, RecurrentLayer, cell_named
from nmt.model.decoder import DecoderOutput
from nmt.model.dropout import Dropout
from nmt.model.initialization import FirstWeights, initialize, without_values
from nmt.model.seq2seq import Step

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig


@dataclass(frozen=True)
class LanguageModelState:
    """Where a decode stands: B lines of K places each."""

    layers: tuple[LayerState, ...]
    """state of every layer, (B, K, H) a part"""

    def reorder(self, parents: Tensor) -> LanguageModelState:
        """Give every place the state of its parent: parents (B, K'), places inside each line."""
        lines, places = parents.shape
        offsets = torch.arange(lines, device=parents.device).unsqueeze(1) * self.layers[0][0].size(1)
        rows = (parents + offsets).reshape(-1)
        return self._map(lambda part: part.flatten(0, 1).index_select(0, rows).view(lines, places, -1))

    def keep(self, sentences: Tensor) -> LanguageModelState:
        """Keep the given lines, (B',)."""
        return self._map(lambda part: part.index_select(0, sentences))

    def _map(self, function: Callable[[Tensor], Tensor]) -> LanguageModelState:
        return LanguageModelState(tuple(tuple(function(part) for part in layer) for layer in self.layers))


class LanguageModel(nn.Module):
    """L recurrent layers that read a line from left to right; nothing that belongs to one decode is kept on it.

    Where the output is tied to the embeddings, and the layers are of another width, a projection lies between them
    (Press & Wolf 2017, section 3). More than two layers are residual above the first, as a decoder's are.
    """

    multi_step = None
    """It has only steps."""
    lexicon = None
    """It has none."""

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        hidden_size: int,
        layers: int,
        cell: Cell,
        output: nn.Linear | None,
        dropout: float,
    ) -> None:
        """Join the parts; ``None`` for the output means that its matrix is the embedding's."""
        super().__init__()
        width = embedding.embedding_dim
        self.embedding, self.output, self.cell = embedding, output, cell
        self.hidden_size, self.residual = hidden_size, layers > 2
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(
            RecurrentLayer(width if i == 0 else hidden_size, hidden_size, cell=cell) for i in range(layers)
        )
        is_projected = output is None and hidden_size != width
        self.projection = nn.Linear(hidden_size, width, bias=False) if is_projected else None
        self.output_bias = nn.Parameter(torch.zeros(embedding.num_embeddings)) if output is None else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def start(self, source: Tensor, lengths: Tensor, constraints: object = None) -> LanguageModelState:
        """Stand before the first position of B lines, one place each: source (B, S), of which nothing is read."""
        zeros = self.embedding.weight.new_zeros(source.size(0), 1, self.hidden_size)
        return LanguageModelState((((zeros,) * self.cell.parts),) * len(self.layers))

    def step(self, previous: Tensor, state: LanguageModelState, *, with_weights: bool = False) -> Step:
        """Run one position: previous (B, K) ids → logits (B, K, V) and the state after them.

        Raises:
            ValueError: the model is in training mode, where dropout would garble what it says.
        """
        if self.training:
            raise ValueError("the model is in training mode, where dropout would garble it: call model.eval() first")
        outputs = self._embed(previous).flatten(0, 1)
        after = []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, RecurrentLayer)
            below = outputs
            following = layer.advance(below, tuple(part.flatten(0, 1) for part in state.layers[i]))
            after.append(tuple(part.view(*previous.shape, -1) for part in following))
            outputs = self._above(self.cell.output(following), below, i)
        decoded = DecoderOutput(outputs.view(*previous.shape, -1))
        return Step(self.project(decoded), None, LanguageModelState(tuple(after)))

    def forward(self, source: Tensor, lengths: Tensor, previous: Tensor, *, offer: object = None) -> DecoderOutput:
        """Run whole lines, teacher forced: previous (B, T) ids from BOS on → T positions; nothing else is read."""
        return self.teacher_forced(previous, self.start(source, lengths))

    def teacher_forced(self, previous: Tensor, state: LanguageModelState) -> DecoderOutput:
        """Run whole lines as `forward` does, from a state with one place each: previous (B, T) ids."""
        outputs = self._embed(previous)
        for i, layer in enumerate(self.layers):
            below = outputs
            outputs = self._above(layer(below, tuple(part.squeeze(1) for part in state.layers[i])), below, i)
        return DecoderOutput(outputs)

    def project(self, decoded: DecoderOutput) -> Tensor:
        """Score the vocabulary: logits (B, Q, V), or (N, V) of selected positions."""
        return F.linear(self.features(decoded), *self.output_parameters())

    def mixture(self, decoded: DecoderOutput) -> None:
        """Give what a pointer makes of the output layer's distribution: there is no pointer."""

    def features(self, decoded: DecoderOutput) -> Tensor:
        """Give what the output matrix multiplies: (B, Q, ·), or (N, ·) of selected positions."""
        return decoded.attentional if self.projection is None else self.projection(decoded.attentional)

    def output_parameters(self) -> tuple[Tensor, Tensor]:
        """Return the output matrix (V, ·) and its bias (V,), wherever they live."""
        if self.output is not None:
            return self.output.weight, self.output.bias
        assert self.output_bias is not None
        return self.embedding.weight, self.output_bias

    def _embed(self, ids: Tensor) -> Tensor:
        """Look up ids (B, T) → (B, T, E), scaled by √E as `nmt.model.seq2seq.Seq2Seq` does, with dropout."""
        embedded: Tensor = self.dropout(self.embedding(ids) * math.sqrt(self.embedding.embedding_dim))
        return embedded

    def _above(self, outputs: Tensor, below: Tensor, i: int) -> Tensor:
        """Give what layer i hands on: its outputs with dropout, and where layers are residual what lies below it."""
        dropped: Tensor = self.dropout(outputs)
        return dropped + below if self.residual and i > 0 else dropped


def build_language_model(config: ModelConfig, *, vocabulary: int) -> LanguageModel:
    """Build the language model that the configuration describes, with its first weights."""
    model = _build(config, vocabulary)
    layers = [(layer.rnn, model.cell) for layer in model.layers if isinstance(layer, RecurrentLayer)]
    initialize(model, layers, FirstWeights(config.init.value, config.init_scale, config.forget_bias))
    return model


def build_language_model_shapes(config: ModelConfig, *, vocabulary: int) -> LanguageModel:
    """Build the model as `build_language_model` does, its parameters without values, and without memory for them."""
    with without_values():
        return _build(config, vocabulary)


def _build(config: ModelConfig, vocabulary: int) -> LanguageModel:
    hidden_size = config.decoder_hidden_size
    return LanguageModel(
        embedding=nn.Embedding(vocabulary, config.embedding_size),
        hidden_size=hidden_size,
        layers=config.decoder_layers,
        cell=cell_named(config.cells[1]),
        output=nn.Linear(hidden_size, vocabulary) if config.tying.value == "none" else None,
        dropout=config.dropout,
    )
