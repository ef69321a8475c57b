"""Label-smoothed cross-entropy, summed over real target positions, with their count."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nmt.model.seq2seq import Seq2Seq


class Loss(NamedTuple):
    """Sums over the real target positions of a batch, in nats."""

    smoothed: Tensor
    """what training minimises"""
    negative_log_likelihood: Tensor
    """without smoothing; its mean's exponential is the perplexity"""
    tokens: int
    """real target positions, EOS included"""


def sequence_loss(
    model: Seq2Seq,
    source: Tensor,
    source_lengths: Tensor,
    *,
    target: Tensor,
    target_lengths: Tensor,
    bos_id: int,
    label_smoothing: float,
) -> Loss:
    """Score a batch, teacher forced: source (B, S), target (B, T) with EOS, lengths (B,) each.

    The smoothed loss mixes the true word with the uniform distribution over all V words: (1 - ε) · -log p(y) +
    ε · mean_v(-log p(v)) (Szegedy et al. 2016, section 7). Only real positions are projected to the vocabulary.
    """
    previous = torch.cat((target.new_full((target.size(0), 1), bos_id), target[:, :-1]), dim=1)
    attentional = model(source, source_lengths, previous)
    real = (torch.arange(target.size(1), device=target.device) < target_lengths.unsqueeze(1)).flatten()
    positions = real.nonzero().squeeze(1)
    logits = model.project(attentional.flatten(0, 1).index_select(0, positions)).float()
    targets = target.flatten().index_select(0, positions)
    log_probs = F.log_softmax(logits, dim=-1)
    negative_log_likelihood = F.nll_loss(log_probs, targets, reduction="sum")
    smoothed = negative_log_likelihood
    if label_smoothing:
        uniform = -log_probs.sum() / log_probs.size(-1)
        smoothed = (1 - label_smoothing) * negative_log_likelihood + label_smoothing * uniform
    return Loss(smoothed, negative_log_likelihood.detach(), int(targets.numel()))
