"""A pointer that copies: a gate mixes what the output layer says with where attention looks.

It is the soft switch of See, Liu & Manning (2017, "Get To The Point", equations 8 and 9) and Gulcehre et al. (2016,
"Pointing the Unknown Words"), for two sides with one vocabulary. Some source positions hold nothing to copy: padding,
the end, and the symbols before a text. What attention gives to these stays with the output layer:

    p(v) = (1 - c · Σ_s a_s) · softmax(logits)_v + c · Σ_{s: x_s = v} a_s, both sums over positions that may be copied

c is the sigmoid of a linear function of the attentional vector. That vector has read both the source and the target so
far, and the output layer reads it too. So the end of a sentence is never copied, and a sentence with nothing to copy is
translated as without a pointer. All is computed in logarithms: neither a closed nor an open gate loses digits.

Shapes: B sentences, S source length, Q queries (places or target positions), N selected positions of all B·Q,
V vocabulary. U different words of a source, F attentional vector.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nmt.model.lexicon import lay_out

FIRST_BIAS = -2.0
"""Of the gate: at first an eighth is copied, so that the output layer learns from the start."""
_NOTHING = 1e-30
"""Attention below counts as none: the gradient of its logarithm would leave the range of its type."""
_LINEAR = 40.0
"""From here on softplus(x) is x in double precision too."""


class SourceWords(NamedTuple):
    """Which words of a batch of sources may be copied, and where they stand; one row a sentence."""

    words: Tensor
    """(B, U) ids, each once in a sentence; 0 beyond them"""
    places: Tensor
    """(B, S, 1 + U): 1 where a position holds this word, in column 0 where it holds none that may be copied"""

    def keep(self, sentences: Tensor) -> "SourceWords":
        """Keep the given sentences, (B',)."""
        return SourceWords(*(part.index_select(0, sentences) for part in self))

    def read(self, weights: Tensor) -> "WordAttention":
        """Follow attention: weights (B, Q, S) → what each word gets of it."""
        with torch.autocast(weights.device.type, enabled=False):
            summed = torch.bmm(weights.to(self.places.dtype), self.places)
        return WordAttention(self.words, summed[..., 1:], summed[..., 0])


class WordAttention(NamedTuple):
    """What attention gives to each word of the sources; with a row for each of N positions where these are selected."""

    words: Tensor
    """(B, U) or (N, U)"""
    attention: Tensor
    """(B, Q, U) or (N, U)"""
    rest: Tensor
    """(B, Q) or (N,): what it gives to positions that are not copied"""

    def select(self, positions: Tensor) -> "WordAttention":
        """Take positions (N,), counted through all B·Q."""
        sentences = torch.div(positions, self.rest.size(1), rounding_mode="floor")
        attention, rest = (part.flatten(0, 1).index_select(0, positions) for part in self[1:])
        return WordAttention(self.words.index_select(0, sentences), attention, rest)


class Mixture(NamedTuple):
    """What a pointer makes of the output layer's distribution."""

    words: Tensor
    """(B, U) or (N, U)"""
    log_copied: Tensor
    """(B, Q, U) or (N, U): log of the probability that a word has as a copy; -inf for what is not copied"""
    log_kept: Tensor
    """(B, Q) or (N,): log of the output layer's share"""

    def log_probs(self, logits: Tensor) -> Tensor:
        """Mix: logits (B, Q, V) or (N, V) → log-probabilities of all words, in fp32 at least."""
        generated = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, self.log_kept.dtype))
        generated = generated + self.log_kept.unsqueeze(-1)
        ids = self.words if self.words.dim() == self.log_copied.dim() else self.words.unsqueeze(1)
        ids = ids.expand_as(self.log_copied)
        # Columns beyond a sentence's words share an id, so they add what they gain, which is nothing.
        return generated.scatter_add(-1, ids, self.gained(generated.gather(-1, ids)))

    def gained(self, generated: Tensor) -> Tensor:
        """Compute log p(v) less log of the output layer's part, `generated`, for each of the words: (B, Q, U), (N, U).

        log(g + c) - log g = log(1 + exp(log c - log g)).
        """
        return F.softplus(self.log_copied - generated, threshold=_LINEAR)

    def copied(self, targets: Tensor) -> Tensor:
        """Find log of the probability that each of N words has as a copy, (N,) → (N,)."""
        same = self.words == targets.unsqueeze(1)
        log_probs = self.log_copied.gather(1, same.to(torch.uint8).argmax(1, keepdim=True)).squeeze(1)
        return log_probs.masked_fill(~same.any(1), -torch.inf)


class Pointer(nn.Module):
    """The gate, and which source ids may be copied."""

    def __init__(self, attentional_size: int, *, first_word: int) -> None:
        """Prepare: ids below `first_word` are symbols, which are not copied."""
        super().__init__()
        self.first_word = first_word
        self.gate = nn.Linear(attentional_size, 1)

    def source_words(self, source: Tensor) -> SourceWords:
        """List what may be copied of sources (B, S)."""
        is_word = source >= self.first_word
        ids, is_copyable = torch.where(is_word, source, 0), is_word.to(self.gate.weight.dtype)
        words, places, _ = lay_out(ids.unsqueeze(2), is_copyable.unsqueeze(2), epsilon=0.0)
        return SourceWords(words, torch.cat((1 - is_copyable.unsqueeze(2), places), dim=2))

    def forward(self, attentional: Tensor, read: WordAttention) -> Mixture:
        """Open the gate as attentional vectors say, (B, Q, F) or (N, F)."""
        with torch.autocast(attentional.device.type, enabled=False):
            gate = self.gate(attentional.to(self.gate.weight.dtype)).squeeze(-1)
        log_open, log_closed = F.logsigmoid(gate), F.logsigmoid(-gate)
        log_kept = torch.logaddexp(log_closed, log_open + read.rest.clamp_min(_NOTHING).log())
        log_attention = read.attention.clamp_min(_NOTHING).log()
        log_attention = log_attention.masked_fill(read.attention < _NOTHING, -torch.inf)
        return Mixture(read.words, log_open.unsqueeze(-1) + log_attention, log_kept)
