"""What reads the words of sentences: their embeddings beside their characters, then a bidirectional encoder.

Each word is its embedding beside the last states of a bidirectional layer over its characters (Lample et al. 2016).
That layer reads each word by itself. So a word has the same characters' vector in every sentence, and the recurrence is
as long as the longest word rather than the sentence.

In training, words that occurred once become the unknown word with probability one half (Lample et al. 2016, section
4.3). So the model learns what to do with words that it has never seen. Any word may also be left out, its characters
too, so that no single word decides (word dropout, Iyyer et al. 2015, section 3).

With a window the encoder reads each word's vector beside those of its neighbours (Collobert et al. 2011, "Natural
Language Processing (Almost) from Scratch", section 3.3.1). So two words that stand side by side say something together,
before any recurrence has learnt to remember.

Shapes: B sentences, T tokens, N words of all sentences, C characters, E embedding, H hidden.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nmt.model.cells.cell import Cell, cell_named
from nmt.model.encoder import Encoded, Encoder
from nmt.model.initialization import FirstWeights, initialize

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig

_RARE_DROPPED = 0.5
"""Probability with which a word that occurred once becomes the unknown word in training."""


class WordSizes(NamedTuple):
    """How many of what the vocabularies have."""

    first_word: int
    """id of the first word; those of characters are smaller"""
    words: int
    rare: int
    """the last of the words, which occurred once"""
    labels: int


class WordTensors(NamedTuple):
    """What is read; see `nmt.text.words.Words`."""

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

    @property
    def mask(self) -> Tensor:
        """(B, T) bool, True at real tokens."""
        positions = torch.arange(int(self.lengths.max()), device=self.lengths.device)
        return positions < self.lengths.unsqueeze(1)


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


class WordParts(NamedTuple):
    """What a `WordReader` is made of."""

    sizes: WordSizes
    embedding: nn.Embedding
    """row 0 is the unknown word's"""
    characters: CharacterEncoder | None
    encoder: Encoder
    word_dropout: float
    """probability with which a word is left out in training"""
    window: int
    """neighbours on each side that the encoder reads beside a word"""


class WordReader(nn.Module):
    """Reads sentences of words; nothing that belongs to one sentence is kept on it."""

    lexicon = None
    """It has none."""

    def __init__(self, parts: WordParts) -> None:
        super().__init__()
        self.sizes, self.embedding, self.characters, self.encoder, self.word_dropout, self.window = parts

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embedding.weight.device

    def read(self, words: WordTensors) -> Encoded:
        """Read sentences; the values of the result are (B, T, 2H)."""
        rows = (words.ids - (self.sizes.first_word - 1)).clamp(min=0)  # 0: the unknown word
        if self.training and self.sizes.rare:
            is_rare = rows > self.sizes.words - self.sizes.rare
            rows = torch.where(is_rare & (torch.rand(rows.shape, device=rows.device) < _RARE_DROPPED), 0, rows)
        features = self.embedding(rows) * math.sqrt(self.embedding.embedding_dim)
        if self.characters is not None:
            features = torch.cat((features, self.characters(words.characters, words.character_lengths)), dim=1)
        if self.training and self.word_dropout:
            is_read = torch.rand(len(features), 1, device=features.device) >= self.word_dropout
            features = features * is_read.to(features.dtype)
        shape = len(words.lengths), int(words.lengths.max())
        flat = features.new_zeros(shape[0] * shape[1], features.size(1)).index_copy(0, words.places, features)
        encoded: Encoded = self.encoder(self._beside_neighbours(flat.view(*shape, -1)), words.lengths)
        return encoded

    def _beside_neighbours(self, features: Tensor) -> Tensor:
        """Lay each word's vector between those of its neighbours, 0 at both ends: (B, T, F) → (B, T, (2w + 1) F)."""
        if not self.window:
            return features
        padded = F.pad(features, (0, 0, self.window, self.window))
        return torch.cat([padded[:, i : i + features.size(1)] for i in range(2 * self.window + 1)], dim=2)

    def tensors(self, *words: npt.NDArray[np.int64]) -> WordTensors:
        """Take arrays to where the weights are."""
        return WordTensors(*(torch.from_numpy(array).to(self.device) for array in words))

    def require_evaluation(self) -> None:
        """Raise ValueError where the model is in training mode, in which dropout would garble what it says."""
        if self.training:
            raise ValueError("the model is in training mode, where dropout would garble it: call model.eval() first")

    def begin(self, config: "ModelConfig") -> None:
        """Give the whole model its first weights."""
        layers = [(layer, self.encoder.cell) for layer in self.encoder.layers]
        if self.characters is not None:
            layers.append((self.characters.layer, self.characters.cell))
        initialize(self, layers, FirstWeights(config.init.value, config.init_scale, config.forget_bias))


def word_parts(config: "ModelConfig", sizes: WordSizes) -> WordParts:
    """Make what the configuration describes."""
    cell = cell_named(config.cells[0])
    width = config.character_size
    return WordParts(
        sizes,
        embedding=nn.Embedding(sizes.words + 1, config.embedding_size),
        characters=CharacterEncoder(sizes.first_word, width, cell=cell) if width else None,
        encoder=Encoder(
            (config.embedding_size + 2 * width) * (2 * config.window + 1),
            config.encoder_hidden_size,
            layers=config.encoder_layers,
            cell=cell,
            dropout=config.dropout,
        ),
        word_dropout=config.word_dropout,
        window=config.window,
    )
