"""log p of whole targets, each with a gradient of its own: for losses that weigh one output against another.

As in `nmt.model.cross_entropy`, logits are made and scored a few positions at a time. Here the backward pass learns
only later how much each position counts, so the products with the gradients wait for it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.cross_entropy import portion_of
from nmt.model.lexicon import LexiconBias
from nmt.model.loss import Scorer, real_positions, shifted


def sequence_log_probs(model: Scorer, state: Any, target: Tensor, lengths: Tensor, *, bos_id: int) -> Tensor:
    """Compute log p of each target, summed over its positions, teacher-forced: (R,), in nats.

    Args:
        model: what scores them.
        state: before the first position, one place for each of R targets.
        target: (R, T) ids, padded; EOS counts where a target ends with it.
        lengths: (R,) how many of the T are each target's own; 0: its log-probability is 0.
        bos_id: what the first position reads.
    """
    decoded = model.teacher_forced(shifted(target, bos_id=bos_id), state)
    positions = real_positions(target, lengths)
    selected = decoded.select(positions)
    words, scores = (None, None) if selected.lexicon_bias is None else selected.lexicon_bias
    log_probs: Tensor = _ProjectedLogProbs.apply(  # type: ignore[no-untyped-call]
        model.features(selected),
        *model.output_parameters(),
        scores,
        words,
        target.flatten().index_select(0, positions),
        torch.is_grad_enabled(),
    )
    rows = torch.div(positions, target.size(1), rounding_mode="floor")
    return log_probs.new_zeros(len(target)).index_add(0, rows, log_probs)


class _ProjectedLogProbs(torch.autograd.Function):
    """Features (N, E), output matrix (V, E), bias (V,), lexicon's scores and words, true words (N,) → log p (N,)."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        scores: Tensor | None,
        words: Tensor | None,
        targets: Tensor,
        with_gradients: bool,
    ) -> Tensor:
        portion = portion_of(features, len(weight))
        rounded = weight.to(features.dtype)
        log_probs = bias.new_empty(len(features))
        to_logits = features.new_empty(len(features) if with_gradients else 0, len(weight))
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, len(features), portion):
                rows = slice(start, start + portion)
                logits = torch.mm(features[rows], rounded.t()).to(bias.dtype).add_(bias)
                if words is not None and scores is not None:
                    LexiconBias(words[rows], scores[rows]).add_to(logits)
                places = targets[rows].unsqueeze(1)
                normalized = logits.log_softmax(-1)
                log_probs[rows] = normalized.gather(-1, places).squeeze(1)
                if with_gradients:  # onehot(y) - softmax(logits)
                    gradient = normalized.exp_().neg_()
                    to_logits[rows] = gradient.scatter_add_(-1, places, gradient.new_ones(places.shape))
        if with_gradients:
            ctx.save_for_backward(features, weight, to_logits, words)
            ctx.scores_dtype = None if scores is None else scores.dtype
        return log_probs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, to_logits, words = ctx.saved_tensors
        with torch.autocast(features.device.type, enabled=False):
            scaled = to_logits * upstream.to(to_logits.dtype).unsqueeze(1)
            to_features = torch.mm(scaled, weight.to(scaled.dtype))
            to_weight = torch.mm(scaled.t(), features).to(weight.dtype)
            to_scores = None if words is None else torch.gather(scaled, -1, words).to(ctx.scores_dtype)
        return to_features, to_weight, scaled.sum(0, dtype=upstream.dtype), to_scores, None, None, None
