"""The output layer and its loss in one, a few positions at a time, so that their logits stay in the processor's cache.

Logits of N positions over V words, their probabilities and gradients are N · V numbers each. Here the logits of a few
positions are made, scored and turned into gradients before the next ones are. Only the gradients are kept, in the
precision of the products.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.lexicon import LexiconBias

_CACHED_LOGITS = 2**19
"""So many are made at once on a CPU: 2 MiB."""

_EXACT = 1e-30
"""A probability below has lost digits, or all of them, to the range of its type."""


def projected_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    *,
    label_smoothing: float,
    lexicon_bias: LexiconBias | None = None,
) -> tuple[Tensor, Tensor]:
    """Sum the smoothed loss and the negative log-likelihood, without a gradient, of N positions.

    The products are made in the features' precision, all else in the bias's.

    Args:
        features: what the output matrix multiplies, (N, E).
        weight: the output matrix, (V, E).
        bias: its bias, (V,).
        targets: the true words, (N,).
        label_smoothing: ε of `nmt.model.loss.sequence_loss`.
        lexicon_bias: what a lexicon adds to the logits of these positions.
    """
    words, scores = (None, None) if lexicon_bias is None else lexicon_bias
    smoothed, negative_log_likelihood = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        features, weight, bias, scores, words, targets, label_smoothing, torch.is_grad_enabled()
    )
    return smoothed, negative_log_likelihood


class _ProjectedCrossEntropy(torch.autograd.Function):
    """Makes all gradients with the loss; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        scores: Tensor | None,
        words: Tensor | None,
        targets: Tensor,
        label_smoothing: float,
        with_gradients: bool,
    ) -> tuple[Tensor, Tensor]:
        vocabulary, portion = len(weight), portion_of(features, len(weight))
        rounded = weight.to(features.dtype)
        logits, probabilities = bias.new_empty(2, portion, vocabulary)
        to_logits = features.new_empty(len(features) if with_gradients else portion, vocabulary)
        smoothed, negative_log_likelihood = bias.new_zeros(()), bias.new_zeros(())
        if with_gradients:
            to_features, to_bias = torch.empty_like(features), torch.zeros_like(bias)
            to_scores = None if scores is None else torch.empty_like(scores)
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, len(features), portion):
                rows = slice(start, start + portion)
                # The product is written where its gradient will stand, which is in the cache then.
                product = to_logits[rows] if with_gradients else to_logits[: len(features[rows])]
                torch.mm(features[rows], rounded.t(), out=product)
                scored_logits = logits[: len(product)].copy_(product).add_(bias)
                if words is not None and scores is not None:
                    LexiconBias(words[rows], scores[rows]).add_to(scored_logits)
                gradient = probabilities[: len(product)]
                sums = _score(scored_logits, targets[rows], label_smoothing, gradient=gradient)
                smoothed += sums[0]
                negative_log_likelihood += sums[1]
                if with_gradients:
                    product.copy_(gradient)
                    torch.mm(product, rounded, out=to_features[rows])
                    to_bias += gradient.sum(dim=0)
                    if words is not None and to_scores is not None:
                        torch.gather(gradient, -1, words[rows], out=to_scores[rows])
            if with_gradients:
                to_weight = torch.mm(to_logits.t(), features).to(weight.dtype)
                ctx.save_for_backward(to_features, to_weight, to_bias, to_scores)
        ctx.mark_non_differentiable(negative_log_likelihood)
        return smoothed, negative_log_likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, smoothed: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = tuple(None if gradient is None else gradient * smoothed for gradient in ctx.saved_tensors)
        return *scaled, None, None, None, None


def _score(logits: Tensor, targets: Tensor, label_smoothing: float, *, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the two losses of logits (N, V) and targets (N,); write the smoothed one's gradient by the logits, (N, V).

    It is softmax(logits) - (1 - ε) · onehot(y) - ε / V.
    """
    torch.softmax(logits, dim=-1, out=gradient)
    places = targets.unsqueeze(1)
    likelihood = gradient.gather(-1, places)  # (N, 1)
    true = -likelihood.log()
    unlikely = likelihood < _EXACT
    if unlikely.any():
        true = torch.where(unlikely, logits.logsumexp(-1, keepdim=True) - logits.gather(-1, places), true)
    negative_log_likelihood = true.sum()
    # Every word's -log p is the normalizer's logarithm without its logit.
    normalizers = negative_log_likelihood + logits.gather(-1, places).sum()
    smoothed = (1 - label_smoothing) * negative_log_likelihood + label_smoothing * (
        normalizers - logits.mean(dim=-1).sum()
    )
    gradient.scatter_(-1, places, likelihood - (1 - label_smoothing))
    if label_smoothing:
        gradient -= label_smoothing / logits.size(-1)
    return smoothed, negative_log_likelihood


def portion_of(features: Tensor, vocabulary: int) -> int:
    """Tell of how many of N positions a CPU's cache takes the logits; a GPU takes all."""
    cached = max(16, _CACHED_LOGITS // vocabulary) if features.device.type == "cpu" else len(features)
    return min(cached, len(features))
