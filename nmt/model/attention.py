"""Attention: keys are made once from the values, then every query reads from the same memory. And what is without."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

AttentionName = Literal["dot", "general", "additive"]


class Memory(NamedTuple):
    """What the source contributes to every step; one row a sentence, never copied for the places of a beam."""

    values: Tensor
    """encoder outputs, (B, S, 2H)"""
    keys: Tensor
    """what queries are compared with, (B, S, ·)"""
    mask: Tensor
    """(B, S) bool, True at real tokens"""

    def keep(self, sentences: Tensor) -> "Memory":
        """Keep the given sentences, (B',)."""
        return Memory(*(part.index_select(0, sentences) for part in self))


class Attention(nn.Module):
    """Scores of queries against keys, softmax over real positions, context as the weighted sum of values.

    ``dot`` and ``general`` are Luong et al. (2015), equation 8; ``additive`` is Bahdanau et al. (2015), appendix A.1.2.
    In ``general`` the matrix is applied to the values, so that it costs nothing per step.
    """

    input_size = 0
    """width of what the decoder's first layer reads of the memory"""

    def __init__(self, query_size: int, value_size: int, *, kind: AttentionName, attention_size: int) -> None:
        super().__init__()
        self.kind = kind
        self.context_size = value_size
        if kind == "general":
            self.key_projection = nn.Linear(value_size, query_size, bias=False)
        elif kind == "additive":
            self.key_projection = nn.Linear(value_size, attention_size)
            self.query_projection = nn.Linear(query_size, attention_size, bias=False)
            self.energy = nn.Linear(attention_size, 1, bias=False)
        elif query_size != value_size:
            raise ValueError(f"dot attention needs queries ({query_size}) as wide as values ({value_size})")

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Make the keys of a batch of sources once: values (B, S, 2H), mask (B, S) bool."""
        return Memory(values, values if self.kind == "dot" else self.key_projection(values), mask)

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Read from the memory: queries (B, Q, H) → context (B, Q, 2H) and weights (B, Q, S)."""
        if self.kind == "additive":
            # (B, Q, 1, A) + (B, 1, S, A) → (B, Q, S, A) → (B, Q, S)
            hidden = torch.tanh(self.query_projection(queries).unsqueeze(2) + memory.keys.unsqueeze(1))
            scores = self.energy(hidden).squeeze(-1)
        else:
            scores = torch.bmm(queries, memory.keys.transpose(1, 2))
        scores = scores.masked_fill(~memory.mask.unsqueeze(1), -math.inf)
        weights = torch.softmax(scores, dim=-1)
        return torch.bmm(weights.to(memory.values.dtype), memory.values), weights

    def beside(self, embedded: Tensor, memory: Memory) -> Tensor:
        """Give what the decoder's first layer reads: the embedded tokens alone, (B, Q, E)."""
        return embedded


class Summary(nn.Module):
    """No attention: of the source there is one vector, the last outputs of both directions.

    The decoder starts from it (Sutskever et al. 2014). Where it is repeated, each position's input and its attentional
    vector read it too (Cho et al. 2014, appendix A.1.2). There are no weights.
    """

    def __init__(self, value_size: int, *, repeat: bool) -> None:
        super().__init__()
        self.input_size = self.context_size = value_size if repeat else 0

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Make the vector: values (B, S, 2H), zero at padding, mask (B, S) bool → values and keys (B, 1, ·)."""
        forward, backward = values.chunk(2, dim=-1)
        rows = torch.arange(len(values), device=values.device)
        vector = torch.cat((forward[rows, mask.sum(1) - 1], backward[:, 0]), dim=-1).unsqueeze(1)
        repeated = vector[..., : self.context_size]
        return Memory(repeated, repeated, mask[:, :1])

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, None]:
        """Give the vector to each of the queries (B, Q, H): context (B, Q, 2H), or nothing of it, and no weights."""
        return memory.values.expand(-1, queries.size(1), -1), None

    def beside(self, embedded: Tensor, memory: Memory) -> Tensor:
        """Give what the decoder's first layer reads: embedded tokens (B, Q, E), and the vector where it is repeated."""
        vector = memory.values.expand(-1, embedded.size(1), -1)
        return torch.cat((embedded, vector.to(embedded.dtype)), dim=-1) if self.input_size else embedded
