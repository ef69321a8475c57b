"""A classifier: words with their characters → a bidirectional encoder → one vector of the line → its label.

Shapes: B lines, T words, H hidden, A attention, Y labels.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nmt.model.cells.cell import Cell
from nmt.model.dropout import Dropout
from nmt.model.encoder import Encoded
from nmt.model.initialization import without_values
from nmt.model.words import WordParts, WordReader, WordSizes, WordTensors, word_parts

if TYPE_CHECKING:
    from nmt.config.model import ModelConfig


class Pooled(NamedTuple):
    """A vector of each line."""

    vectors: Tensor
    """(B, 2H)"""
    weights: Tensor | None
    """(B, T) of each word, which sum to one over a line's words and are 0 at padding; None without attention"""


class AttentionPooling(nn.Module):
    """A mean of the encoder's outputs, weighted by a query that is learnt.

    u_t = tanh(W h_t + b), a_t = softmax(q·u_t) over a line's words, and the mean is Σ a_t h_t (Yang et al. 2016,
    "Hierarchical Attention Networks for Document Classification", equations 5 to 7).
    """

    weighs = True

    def __init__(self, value_size: int, attention_size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(value_size, attention_size)
        self.query = nn.Linear(attention_size, 1, bias=False)

    def forward(self, encoded: Encoded, mask: Tensor) -> Pooled:
        """Pool lines: encoded words, mask (B, T) bool."""
        scores = self.query(torch.tanh(self.projection(encoded.values))).squeeze(-1).float()  # (B, T)
        weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
        vectors = torch.bmm(weights.unsqueeze(1).to(encoded.values.dtype), encoded.values).squeeze(1)
        return Pooled(vectors, weights)


class LastStates(nn.Module):
    """The last states of both directions of the top layer: a line's last word, and its first (Schuster & Paliwal 1997).

    It has no weights.
    """

    weighs = False

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, encoded: Encoded, mask: Tensor) -> Pooled:
        """Pool lines: encoded words; the mask is not read, since each direction ends at its own last word."""
        return Pooled(self.cell.output(encoded.states[-1]), None)


class Classifier(WordReader):
    """Scores the labels of each line; nothing that belongs to one line is kept on it."""

    def __init__(self, parts: WordParts, *, pooling: nn.Module, dropout: float, output: nn.Linear) -> None:
        """Join the parts."""
        super().__init__(parts)
        self.pooling, self.dropout, self.output = pooling, Dropout(dropout), output

    def forward(self, words: WordTensors) -> tuple[Tensor, Tensor | None]:
        """Score each label for each line: logits (B, Y), and the weights of `Pooled`."""
        pooled: Pooled = self.pooling(self.read(words), words.mask)
        return self.output(self.dropout(pooled.vectors)), pooled.weights

    @property
    def has_attention(self) -> bool:
        """Whether it weighs words."""
        return bool(self.pooling.weighs)

    @torch.inference_mode()
    def classify(self, *words: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Do what `forward` does from arrays to arrays, for `nmt.translation.classifier`.

        Raises:
            ValueError: the model is in training mode, where dropout would garble what it says.
        """
        self.require_evaluation()
        logits, weights = self(self.tensors(*words))
        return logits.float().cpu().numpy(), None if weights is None else weights.float().cpu().numpy()


def build_classifier(config: "ModelConfig", sizes: WordSizes) -> Classifier:
    """Build the classifier that the configuration describes, with its first weights."""
    model = _build(config, sizes)
    model.begin(config)
    return model


def build_classifier_shapes(config: "ModelConfig", sizes: WordSizes) -> Classifier:
    """Build the classifier as `build_classifier` does, its parameters without values, and without memory for them."""
    with without_values():
        return _build(config, sizes)


def _build(config: "ModelConfig", sizes: WordSizes) -> Classifier:
    parts, width = word_parts(config, sizes), 2 * config.encoder_hidden_size
    pooling: nn.Module = LastStates(parts.encoder.cell)
    if config.pooling == "attention":
        pooling = AttentionPooling(width, config.attention_size)
    return Classifier(parts, pooling=pooling, dropout=config.dropout, output=nn.Linear(width, sizes.labels))
