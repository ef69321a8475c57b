"""The attention decoder: one position at a time for search, a whole target at once for training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nmt.model.attention import Attention, Memory, Summary
from nmt.model.cells.cell import Cell, LayerState, RecurrentLayer
from nmt.model.dropout import Dropout
from nmt.model.encoder import Encoded
from nmt.model.lexicon import LexiconBias, Offer
from nmt.model.pointer import SourceWords, WordAttention


@dataclass(frozen=True)
class DecoderState:
    """Where a decode stands: B sentences of K places each, over one memory of B rows."""

    layers: tuple[LayerState, ...]
    """state of every layer, (B, K, H) a part"""
    feed: Tensor | None
    """the previous attentional vector (B, K, F) when it is fed back, else None"""
    memory: Memory
    offer: Offer | None
    """what a lexicon says about the sources"""
    source_words: SourceWords | None = None
    """what a pointer may copy"""

    def reorder(self, parents: Tensor) -> "DecoderState":
        """Give every place the state of its parent: parents (B, K'), places inside each sentence."""
        sentences, places = parents.shape
        offsets = torch.arange(sentences, device=parents.device).unsqueeze(1) * self.layers[0][0].size(1)
        rows = (parents + offsets).reshape(-1)

        def select(part: Tensor) -> Tensor:
            return part.flatten(0, 1).index_select(0, rows).view(sentences, places, -1)

        return self._map(select)

    def keep(self, sentences: Tensor) -> "DecoderState":
        """Keep the given sentences, (B',)."""
        remaining = self._map(lambda part: part.index_select(0, sentences))
        offer = self.offer.keep(sentences) if self.offer else None
        source_words = self.source_words.keep(sentences) if self.source_words else None
        return replace(remaining, memory=self.memory.keep(sentences), offer=offer, source_words=source_words)

    def _map(self, function: Callable[[Tensor], Tensor]) -> "DecoderState":
        layers = tuple(tuple(function(part) for part in layer) for layer in self.layers)
        return replace(self, layers=layers, feed=None if self.feed is None else function(self.feed))


class DecoderOutput(NamedTuple):
    """What logits are made of, at Q places or target positions, or at N selected ones."""

    attentional: Tensor
    """h~, (B, Q, F) or (N, F)"""
    lexicon_bias: LexiconBias | None = None
    """what a lexicon adds"""
    word_attention: WordAttention | None = None
    """what attention gives to the words that a pointer may copy"""

    def select(self, positions: Tensor) -> "DecoderOutput":
        """Take positions (N,), counted through all B·Q."""
        lexicon_bias = self.lexicon_bias.select(positions) if self.lexicon_bias else None
        word_attention = self.word_attention.select(positions) if self.word_attention else None
        attentional = self.attentional.flatten(0, 1).index_select(0, positions)
        return DecoderOutput(attentional, lexicon_bias, word_attention)


class Advanced(NamedTuple):
    """One position of the decoder."""

    decoded: DecoderOutput
    """attentional vectors (B, K, F)"""
    weights: Tensor | None
    """attention, (B, K, S), where there is any"""
    state: DecoderState


class DecoderSizes(NamedTuple):
    """How wide the parts of a decoder are."""

    input: int
    """E, of the embeddings"""
    hidden: int
    """H, of every layer"""
    attentional: int
    """F, of h~"""


class Decoder(nn.Module):
    """L recurrent layers under an attention layer (Luong et al. 2015), or under none.

    The top layer's output queries the memory, and the attentional vector is h~ = tanh(W_c [context; query]) (equation
    5). With input feeding (section 3.3) h~ is part of the next position's input, so that training goes position by
    position. Without it the recurrence runs over the whole target at once.
    """

    def __init__(
        self,
        sizes: DecoderSizes,
        *,
        layers: int,
        cell: Cell,
        attention: Attention | Summary,
        input_feeding: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        hidden, attentional = sizes.hidden, sizes.attentional
        self.input_feeding = input_feeding
        self.attentional_size = attentional
        self.residual = layers > 2
        self.dropout = Dropout(dropout)
        self.cell = cell
        first = sizes.input + attention.input_size + (attentional if input_feeding else 0)
        self.layers = nn.ModuleList(
            RecurrentLayer(first if i == 0 else hidden, hidden, cell=cell) for i in range(layers)
        )
        self.attention = attention
        self.combine = nn.Linear(attention.context_size + hidden, attentional, bias=False)

    def start(
        self,
        encoded: Encoded,
        initial: tuple[LayerState, ...],
        mask: Tensor,
        *,
        offer: Offer | None = None,
        source_words: SourceWords | None = None,
    ) -> DecoderState:
        """Stand before the first position, one place a sentence: initial states of (B, H) parts, mask (B, S)."""
        memory = self.attention.memory(encoded.values, mask)
        layers = tuple(tuple(part.unsqueeze(1) for part in layer) for layer in initial)
        batch = mask.size(0)
        feed = encoded.values.new_zeros(batch, 1, self.attentional_size) if self.input_feeding else None
        return DecoderState(layers, feed, memory, offer, source_words)

    def advance(self, embedded: Tensor, state: DecoderState) -> Advanced:
        """Run one position: embedded (B, K, E)."""
        attentional, weights, after = self._advance(embedded, state)
        return Advanced(_output(attentional, weights, state), weights, after)

    def _advance(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, Tensor | None, DecoderState]:
        """Run one position: attentional vectors (B, K, F), weights (B, K, S), the state after it.

        What a lexicon and a pointer make of it is for the caller.
        """
        batch, places, _ = embedded.shape
        outputs = self.attention.beside(self.dropout(embedded), state.memory)
        if state.feed is not None:
            outputs = torch.cat((outputs, state.feed), dim=-1)
        outputs = outputs.flatten(0, 1)
        layers = []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, RecurrentLayer)
            below = outputs
            following = layer.advance(below, tuple(part.flatten(0, 1) for part in state.layers[i]))
            layers.append(tuple(part.view(batch, places, -1) for part in following))
            outputs = self.dropout(self.cell.output(following))
            if self.residual and i > 0:
                outputs = outputs + below
        attentional, weights = self.attend(outputs.view(batch, places, -1), state.memory)
        feed = attentional if self.input_feeding else None
        return attentional, weights, replace(state, layers=tuple(layers), feed=feed)

    def forward(self, embedded: Tensor, state: DecoderState) -> DecoderOutput:
        """Run a whole target, teacher forced: embedded (B, T, E), state with one place → T positions."""
        if self.input_feeding:
            positions: list[Tensor] = []
            read: list[Tensor] = []
            for t in range(embedded.size(1)):
                attentional, weights, state = self._advance(embedded[:, t : t + 1], state)
                positions.append(attentional)
                read += [] if weights is None else [weights]
            return _output(torch.cat(positions, dim=1), torch.cat(read, dim=1) if read else None, state)
        return _output(*self.attend(self.recur(embedded, state), state.memory), state)

    def recur(self, embedded: Tensor, state: DecoderState) -> Tensor:
        """Run the layers over a whole target, without input feeding: embedded (B, T, E) → queries (B, T, H)."""
        outputs: Tensor = self.attention.beside(self.dropout(embedded), state.memory)
        for i, layer in enumerate(self.layers):
            below = outputs
            outputs = self.dropout(layer(below, tuple(part.squeeze(1) for part in state.layers[i])))
            if self.residual and i > 0:
                outputs = outputs + below
        return outputs

    def attend(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Read the memory and combine: queries (B, Q, H) → attentional (B, Q, F) and weights (B, Q, S), if any."""
        context, weights = self.attention(queries, memory)
        attentional = torch.tanh(self.combine(torch.cat((context, queries), dim=-1)))
        return self.dropout(attentional), weights


def _output(attentional: Tensor, weights: Tensor | None, state: DecoderState) -> DecoderOutput:
    """Join attentional vectors (B, Q, F) with what stands where attention looks, weights (B, Q, S)."""
    if weights is None:
        return DecoderOutput(attentional)
    return DecoderOutput(
        attentional,
        state.offer.lexicon_bias(weights) if state.offer else None,
        state.source_words.read(weights) if state.source_words else None,
    )
