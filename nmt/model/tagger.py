"""A tagger: words with their characters → a bidirectional encoder → a CRF over labels (Lample et al. 2016).

Each word is its embedding beside the last states of a bidirectional layer over its characters. That layer reads each
word by itself, so that a word has the same characters' vector in every sentence, and so that its recurrence is as long
as the longest word rather than the sentence.

In training, words that occurred once become the unknown word with probability one half (Lample et al. 2016, section
4.3). So the model learns what to do with words that it has never seen.

Shapes: B sentences, T tokens, N words of all sentences, C characters, E embedding, H hidden, Y labels.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nmt.model.cells.cell import Cell, cell_named
from nmt.model.crf import CRF
from nmt.model.encoder import Encoder
from nmt.model.initialization import FirstWeights, initialize, without_values

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig

_RARE_DROPPED = 0.5
"""Probability with which a word that occurred once becomes the unknown word in training."""


class TaggerSizes(NamedTuple):
    """How many of what the vocabularies have."""

    first_word: int
    """id of the first word; those of characters are smaller"""
    words: int
    rare: int
    """the last of the words, which occurred once"""
    labels: int


class WordTensors(NamedTuple):
    """What a tagger reads; see `nmt.text.words.Words`."""

    ids: Tensor
    """(N,)"""
    characters: Tensor
    """(N, C)"""
    character_lengths: Tensor
    """(N,)"""
    places: Tensor
    """(N,)"""
    lengths: Tensor
    """(B,)"""


class CharacterEncoder(nn.Module):
    """A bidirectional layer over the characters of each word."""

    def __init__(self, characters: int, size: int, *, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.embedding = nn.Embedding(characters, size)
        self.layer = cell.layer(size, size, bidirectional=True)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Read words: characters (N, C), lengths (N,) → their last states of both directions, (N, 2H)."""
        embedded = self.embedding(characters) * math.sqrt(self.embedding.embedding_dim)
        _, state = self.cell.read(self.layer, embedded, lengths)
        return self.cell.output(state)


class Tagger(nn.Module):
    """Scores the labels of each token; nothing that belongs to one sentence is kept on it."""

    lexicon = None
    """It has none."""

    def __init__(
        self,
        *,
        sizes: TaggerSizes,
        embedding: nn.Embedding,
        characters: CharacterEncoder | None,
        encoder: Encoder,
        output: nn.Linear,
        crf: CRF,
    ) -> None:
        """Join the parts; row 0 of the embedding is the unknown word's."""
        super().__init__()
        self.sizes, self.embedding, self.characters = sizes, embedding, characters
        self.encoder, self.output, self.crf = encoder, output, crf

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def forward(self, words: WordTensors) -> Tensor:
        """Score each label for each token: (B, T, Y)."""
        rows = (words.ids - (self.sizes.first_word - 1)).clamp(min=0)  # 0: the unknown word
        if self.training and self.sizes.rare:
            is_rare = rows > self.sizes.words - self.sizes.rare
            rows = torch.where(is_rare & (torch.rand(rows.shape, device=rows.device) < _RARE_DROPPED), 0, rows)
        features = self.embedding(rows) * math.sqrt(self.embedding.embedding_dim)
        if self.characters is not None:
            features = torch.cat((features, self.characters(words.characters, words.character_lengths)), dim=1)
        shape = len(words.lengths), int(words.lengths.max())
        flat = features.new_zeros(shape[0] * shape[1], features.size(1)).index_copy(0, words.places, features)
        encoded = self.encoder(flat.view(*shape, -1), words.lengths)
        scores: Tensor = self.output(encoded.values)
        return scores

    def log_likelihood(self, words: WordTensors, labels: Tensor) -> Tensor:
        """Compute the log-probability of the labels of each sentence, in nats: labels (B, T) below Y → (B,)."""
        mask = torch.arange(labels.size(1), device=labels.device) < words.lengths.unsqueeze(1)
        emissions = self(words).float()
        with torch.autocast(emissions.device.type, enabled=False):
            return self.crf.log_likelihood(emissions, labels, mask)

    @torch.inference_mode()
    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Do what `forward` does from arrays to an array, for `nmt.translation.labeller`.

        Raises:
            ValueError: the model is in training mode, where dropout would garble what it says.
        """
        if self.training:
            raise ValueError("the model is in training mode, where dropout would garble it: call model.eval() first")
        scores: npt.NDArray[Any] = self(self.tensors(*words)).float().cpu().numpy()
        return scores

    def tensors(self, *words: npt.NDArray[np.int64]) -> WordTensors:
        """Take arrays to where the weights are."""
        return WordTensors(*(torch.from_numpy(array).to(self.device) for array in words))

    @property
    def transitions(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """The CRF's scores of transitions and of both ends, as `nmt.search.viterbi.Transitions` has it."""
        between, start, end = (
            part.detach().float().cpu().numpy() for part in (self.crf.transitions, self.crf.start, self.crf.end)
        )
        return between, start, end


def build_tagger(config: "ModelConfig", sizes: TaggerSizes) -> Tagger:
    """Build the tagger that the configuration describes, with its first weights."""
    model = _build(config, sizes)
    layers = [(layer, model.encoder.cell) for layer in model.encoder.layers]
    if model.characters is not None:
        layers.append((model.characters.layer, model.characters.cell))
    initialize(model, layers, FirstWeights(config.init.value, config.init_scale, config.forget_bias))
    return model


def build_tagger_shapes(config: "ModelConfig", sizes: TaggerSizes) -> Tagger:
    """Build the tagger as `build_tagger` does, its parameters without values, and without memory for them."""
    with without_values():
        return _build(config, sizes)


def _build(config: "ModelConfig", sizes: TaggerSizes) -> Tagger:
    cell = cell_named(config.cells[0])
    width = config.character_size
    return Tagger(
        sizes=sizes,
        embedding=nn.Embedding(sizes.words + 1, config.embedding_size),
        characters=CharacterEncoder(sizes.first_word, width, cell=cell) if width else None,
        encoder=Encoder(
            config.embedding_size + 2 * width,
            config.encoder_hidden_size,
            layers=config.encoder_layers,
            cell=cell,
            dropout=config.dropout,
        ),
        output=nn.Linear(2 * config.encoder_hidden_size, sizes.labels),
        crf=CRF(sizes.labels),
    )
