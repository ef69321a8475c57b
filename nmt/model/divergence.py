"""How far two predictions of the same positions are apart, a few positions at a time, as in `cross_entropy`.

Neither logits nor their gradients are kept: the gradient of the output matrix is summed as portions are made.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.cross_entropy import portion_of
from nmt.model.lexicon import LexiconBias

_MOST_POSITIONS = 1024
"""So many are looked at together where memory is no cache, as on a GPU."""


def projected_divergence(
    features: Tensor,
    others: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    lexicon_biases: tuple[LexiconBias | None, LexiconBias | None] = (None, None),
) -> Tensor:
    """Sum the Kullback-Leibler divergence KL(p ‖ q) = Σ_v p(v) · (log p(v) - log q(v)) over N positions.

    p is the prediction of the features and q that of the others. The gradient goes through both. The products are made
    in the features' precision, all else in the bias's.

    Args:
        features: what the output matrix multiplies for p, (N, E).
        others: the same for q, (N, E).
        weight: the output matrix, (V, E).
        bias: its bias, (V,).
        lexicon_biases: what a lexicon adds to the logits of p and of q; both have the same words.
    """
    first, second = lexicon_biases
    lexicon_words = None if first is None else first.words
    scores = [None if each is None else each.scores for each in lexicon_biases]
    assert (first is None) == (second is None)
    divergence: Tensor = _ProjectedDivergence.apply(  # type: ignore[no-untyped-call]
        features, others, weight, bias, *scores, lexicon_words, torch.is_grad_enabled()
    )
    return divergence


class _ProjectedDivergence(torch.autograd.Function):
    """Makes all gradients with the divergence; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        others: Tensor,
        weight: Tensor,
        bias: Tensor,
        scores: Tensor | None,
        other_scores: Tensor | None,
        lexicon_words: Tensor | None,
        with_gradients: bool,
    ) -> Tensor:
        portion = min(portion_of(features, len(weight)), _MOST_POSITIONS)
        rounded = weight.to(features.dtype)
        sides = ((features, scores), (others, other_scores))
        divergence = bias.new_zeros(())
        to_sides = [torch.empty_like(side) for side, _ in sides]
        to_scores = [None if each is None else torch.empty_like(each) for _, each in sides]
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, len(features), portion):
                rows = slice(start, start + portion)
                logits = [(side[rows] @ rounded.t()).to(bias.dtype).add_(bias) for side, _ in sides]
                for each, (_, scored) in zip(logits, sides, strict=True):
                    if lexicon_words is not None and scored is not None:
                        LexiconBias(lexicon_words[rows], scored[rows]).add_to(each)
                sums, gradients = _score(*logits)
                divergence += sums
                if not with_gradients:
                    continue
                for number, gradient in enumerate(gradients):
                    side, product = sides[number][0][rows], gradient.to(features.dtype)
                    to_sides[number][rows] = product @ rounded
                    to_weight += product.t() @ side
                    to_bias += gradient.sum(dim=0)
                    if lexicon_words is not None and (to_score := to_scores[number]) is not None:
                        to_score[rows] = gradient.gather(-1, lexicon_words[rows]).to(to_score.dtype)
        if with_gradients:
            ctx.save_for_backward(*to_sides, to_weight, to_bias, *to_scores)
        return divergence

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, divergence: Tensor) -> tuple[Tensor | None, ...]:
        scaled = tuple(None if gradient is None else gradient * divergence for gradient in ctx.saved_tensors)
        return *scaled, None, None


def _score(logits: Tensor, others: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Sum KL(p ‖ q) of logits (N, V) of both; give its gradients by both, (N, V) each.

    By the logits of p it is p · (log p - log q - KL), by those of q it is q - p.
    """
    log_p, log_q = logits.log_softmax(-1), others.log_softmax(-1)
    p = log_p.exp()
    gap = log_p.sub_(log_q)
    each = (p * gap).sum(-1, keepdim=True)  # (N, 1)
    return each.sum(), (gap.sub_(each).mul_(p), log_q.exp_().sub_(p))
