"""Label-smoothed cross-entropy, summed over real target positions, with their count."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.decoder import Readout
from nmt.model.lexicon import Offer
from nmt.model.sampling import Words
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
    words: Words | None = None,
    offer: Offer | None = None,
) -> Loss:
    """Score a batch, teacher forced: source (B, S), target (B, T) with EOS, lengths (B,) each.

    The smoothed loss mixes the true word with the uniform distribution over all V words: (1 - ε) · -log p(y) +
    ε · mean_v(-log p(v)) (Szegedy et al. 2016, section 7). Only real positions are projected to the vocabulary.

    With `words`, which hold all that the target contains and a lexicon offers, both sums over the vocabulary are
    estimates. With an `offer`, it takes the place of what the model's own lexicon says.
    """
    previous = torch.cat((target.new_full((target.size(0), 1), bos_id), target[:, :-1]), dim=1)
    readout = model(source, source_lengths, previous, offer=offer)
    real = (torch.arange(target.size(1), device=target.device) < target_lengths.unsqueeze(1)).flatten()
    positions = real.nonzero().squeeze(1)
    smoothed, negative_log_likelihood = output_loss(
        model,
        readout.select(positions),
        target.flatten().index_select(0, positions),
        label_smoothing=label_smoothing,
        words=words,
    )
    return Loss(smoothed, negative_log_likelihood, int(positions.numel()))


def output_loss(
    model: Seq2Seq, readout: Readout, targets: Tensor, *, label_smoothing: float, words: Words | None = None
) -> tuple[Tensor, Tensor]:
    """Sum the smoothed loss and the negative log-likelihood of N selected positions with their targets (N,)."""
    if words is None:
        return smoothed_cross_entropy(model.project(readout).float(), targets, label_smoothing)
    weight, bias = (parameter.index_select(0, words.ids) for parameter in model.output_parameters())
    # exp(logit + log share) is what all the words contribute that this one stands for.
    logits = F.linear(model.features(readout), weight, bias + words.shares.log()).float()
    if readout.favour is not None:
        logits = readout.favour._replace(words=words.places(readout.favour.words)).add_to(logits)
    return smoothed_cross_entropy(logits, words.places(targets), label_smoothing, shares=words.shares)


def smoothed_cross_entropy(
    logits: Tensor, targets: Tensor, label_smoothing: float, *, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sum the smoothed loss and the negative log-likelihood, without a gradient, of logits (N, V) and targets (N,).

    `shares` (V,) says of logits that stand for several words each how many these are; their logarithms are in the
    logits already.
    """
    smoothed, negative_log_likelihood = _SmoothedCrossEntropy.apply(logits, targets, label_smoothing, shares)  # type: ignore[no-untyped-call]
    return smoothed, negative_log_likelihood


class _SmoothedCrossEntropy(torch.autograd.Function):
    """The loss with its gradient made at once: softmax(logits) - (1 - ε) · onehot(y) - ε · u, u uniform over all words.

    autograd would keep the log-probabilities, of each position and each word, and take their exponentials once more.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, label_smoothing: float, shares: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(targets), device=targets.device)
        gradient = torch.softmax(logits, dim=-1)
        # The likeliest word's probability is at least 1 / V, so that its logarithm is safe. (Where it stands nobody
        # asks: max with places takes a CPU six times as long.)
        log_normalizer = logits.amax(dim=-1) - gradient.amax(dim=-1).log()  # (N,)
        true = log_normalizer - logits[rows, targets]
        if shares is None:
            uniform: float | Tensor = 1 / logits.size(-1)
            mean = logits.mean(dim=-1)
        else:
            uniform = shares / shares.sum()
            mean = ((logits - shares.log()) * uniform).sum(dim=-1)
        negative_log_likelihood = true.sum()
        smoothed = (1 - label_smoothing) * negative_log_likelihood + label_smoothing * (log_normalizer - mean).sum()
        gradient[rows, targets] -= 1 - label_smoothing
        if label_smoothing:
            gradient -= label_smoothing * uniform
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(negative_log_likelihood)
        return smoothed, negative_log_likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, smoothed: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * smoothed, None, None, None
