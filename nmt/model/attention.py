"""Attention: keys are made once from the values, then every query reads from the same memory."""

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

    def __init__(self, query_size: int, value_size: int, *, kind: AttentionName, attention_size: int) -> None:
        super().__init__()
        self.kind = kind
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
