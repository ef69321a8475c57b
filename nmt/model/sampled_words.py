"""Words that stand for a whole vocabulary in the loss of one batch (sampled softmax).

Comparing the true word with all V words is the largest product of a training update. Its normaliser Σ_w exp(s_w) is
estimated from the words that the batch contains and from some drawn among the others, each of which stands for as many
words as it was one of: an estimate whose expectation is the normaliser (Bengio & Senécal 2008, with a uniform proposal;
Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", section 3).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Words(NamedTuple):
    """The N words that the loss of a batch looks at, of a vocabulary of V."""

    ids: Tensor
    """(N,) ascending"""
    shares: Tensor
    """(N,) how many words each stands for: 1 for those of the batch, more for those that were drawn; their sum is V"""

    def places(self, ids: Tensor) -> Tensor:
        """Find where ids (...), which must be among them, stand: (...)."""
        return torch.searchsorted(self.ids, ids)


def draw_words(contained: Tensor, *, vocabulary: int, count: int, generator: torch.Generator) -> Words | None:
    """Take the words that a batch contains, ids (...), and `count` of the others; None if that is the whole vocabulary.

    Args:
        contained: on the CPU.
        vocabulary: V.
        count: 1 or more.
        generator: what draws, the same in all processes that share the batch.
    """
    shares = torch.zeros(vocabulary)
    shares[contained.flatten()] = 1.0
    others = (shares == 0).nonzero().squeeze(1)
    if count >= len(others):
        return None
    drawn = others[torch.randperm(len(others), generator=generator)[:count]]
    shares[drawn] = len(others) / count
    ids = shares.nonzero().squeeze(1)
    return Words(ids, shares[ids])
