"""The output layer's log-probabilities of a few words of each position, each with a gradient of its own.

As in `nmt.model.cross_entropy`, logits are made and scored a few positions at a time. Here the backward pass learns
only later how much each word counts, so the products with the gradients wait for it.

Shapes: N positions, E inputs of the output matrix, V vocabulary, M words that are asked for.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.cross_entropy import portion_of
from nmt.model.lexicon import LexiconBias


def projected_log_probs(
    features: Tensor, weight: Tensor, bias: Tensor, ids: Tensor, *, lexicon_bias: LexiconBias | None = None
) -> tuple[Tensor, Tensor]:
    """Compute log softmax(logits) of some words of each position, (N, M), and its mean over all V words, (N,).

    The products are made in the features' precision, all else in the bias's.

    Args:
        features: what the output matrix multiplies, (N, E).
        weight: the output matrix, (V, E).
        bias: its bias, (V,).
        ids: the words that are asked for, (N, M); a word may stand there twice.
        lexicon_bias: what a lexicon adds to the logits of these positions.
    """
    words, scores = (None, None) if lexicon_bias is None else lexicon_bias
    found, mean = _ProjectedLogProbs.apply(  # type: ignore[no-untyped-call]
        features, weight, bias, scores, words, ids, torch.is_grad_enabled()
    )
    return found, mean


class _ProjectedLogProbs(torch.autograd.Function):
    """Features, output matrix, bias, lexicon's scores and words, ids → log-probabilities (N, M), means (N,)."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        scores: Tensor | None,
        words: Tensor | None,
        ids: Tensor,
        with_gradients: bool,
    ) -> tuple[Tensor, Tensor]:
        portion = portion_of(features, len(weight))
        rounded = weight.to(features.dtype)
        found, mean = bias.new_empty(ids.shape), bias.new_empty(len(ids))
        probabilities = features.new_empty(len(features) if with_gradients else 0, len(weight))
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, len(features), portion):
                rows = slice(start, start + portion)
                logits = torch.mm(features[rows], rounded.t()).to(bias.dtype).add_(bias)
                if words is not None and scores is not None:
                    LexiconBias(words[rows], scores[rows]).add_to(logits)
                normalized = logits.log_softmax(-1)
                found[rows] = normalized.gather(-1, ids[rows])
                mean[rows] = normalized.mean(-1)
                if with_gradients:
                    probabilities[rows] = normalized.exp_()
        if with_gradients:
            ctx.save_for_backward(features, weight, probabilities, ids, words)
            ctx.scores_dtype = None if scores is None else scores.dtype
        return found, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_found: Tensor, to_mean: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, probabilities, ids, words = ctx.saved_tensors
        portion, dtype = portion_of(features, len(weight)), to_found.dtype
        to_logits, to_bias = torch.empty_like(probabilities), to_found.new_zeros(len(weight))
        to_scores = None if words is None else to_found.new_empty(words.shape)
        totals = (to_found.sum(1) + to_mean).unsqueeze(1)
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, len(features), portion):
                rows = slice(start, start + portion)
                gradient = (to_mean[rows] / len(weight)).unsqueeze(1) - probabilities[rows].to(dtype) * totals[rows]
                gradient.scatter_add_(-1, ids[rows], to_found[rows])
                to_bias += gradient.sum(0)
                if to_scores is not None:
                    torch.gather(gradient, -1, words[rows], out=to_scores[rows])
                to_logits[rows] = gradient
            to_features = torch.mm(to_logits, weight.to(to_logits.dtype))
            to_weight = torch.mm(to_logits.t(), features).to(weight.dtype)
        to_scores = None if to_scores is None else to_scores.to(ctx.scores_dtype)
        return to_features, to_weight, to_bias, to_scores, None, None, None
