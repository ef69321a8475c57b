"""The output layer and its loss in one.

Logits of N positions over V words, their probabilities and gradients are N · V numbers each. Here only one such matrix
is kept, in the precision of the products, which are made of all positions at once. The logits of a few positions after
others become gradients in their place, so that all passes over them find them in the processor's cache.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nmt.model.lexicon import LexiconBias

_CACHED_LOGITS = 2**19
"""So many are scored at once on a CPU: 2 MiB."""
_LEAST_ROWS = 512
"""Of a product, where there are as many. A product of 65 rows has half of the speed on a processor that has AVX2."""

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
        positions, vocabulary = len(features), len(weight)
        portion = portion_of(features, vocabulary)
        at_once = positions if with_gradients else max(portion, min(_LEAST_ROWS, positions))
        rounded, products = weight.to(features.dtype), features.new_empty(at_once, vocabulary)
        scorer = _Scorer(bias, label_smoothing, portion, precision=features.dtype, with_gradients=with_gradients)
        to_features = torch.empty_like(features) if with_gradients else None
        to_scores = torch.empty_like(scores) if with_gradients and scores is not None else None
        with torch.autocast(features.device.type, enabled=False):
            for start in range(0, positions, at_once):
                rows = slice(start, start + at_once)
                products_of_rows = torch.mm(features[rows], rounded.t(), out=products[: len(features[rows])])
                lexicon_bias = None if words is None or scores is None else LexiconBias(words[rows], scores[rows])
                scorer.add(products_of_rows, targets[rows], lexicon_bias, to_scores=to_scores)
            if to_features is not None:
                torch.mm(products, rounded, out=to_features)
                to_weight = torch.mm(products.t(), features).to(weight.dtype)
                ctx.save_for_backward(to_features, to_weight, scorer.to_bias, to_scores)
        smoothed, negative_log_likelihood = scorer.smoothed, scorer.negative_log_likelihood
        ctx.mark_non_differentiable(negative_log_likelihood)
        return smoothed, negative_log_likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, smoothed: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = tuple(None if gradient is None else gradient * smoothed for gradient in ctx.saved_tensors)
        return *scaled, None, None, None, None


class _Scorer:
    """Sums the losses of products, a portion after another, and turns them into the gradients by their logits."""

    def __init__(
        self, bias: Tensor, label_smoothing: float, portion: int, *, precision: torch.dtype, with_gradients: bool
    ) -> None:
        self.smoothed, self.negative_log_likelihood = bias.new_zeros(()), bias.new_zeros(())
        self.to_bias = torch.zeros_like(bias)
        self._bias, self._label_smoothing, self._portion = bias, label_smoothing, portion
        self._with_gradients = with_gradients
        self._probabilities = bias.new_empty(portion, len(bias))
        self._logits = None if precision == bias.dtype else torch.empty_like(self._probabilities)

    def add(
        self, products: Tensor, targets: Tensor, lexicon_bias: LexiconBias | None, *, to_scores: Tensor | None
    ) -> None:
        """Score products (N, V); leave gradients in their place, and the lexicon's in ``to_scores``, where wanted."""
        for start in range(0, len(products), self._portion):
            rows = slice(start, start + self._portion)
            product = products[rows]
            logits = product if self._logits is None else self._logits[: len(product)].copy_(product)
            logits.add_(self._bias)
            if lexicon_bias is not None:
                LexiconBias(lexicon_bias.words[rows], lexicon_bias.scores[rows]).add_to(logits)
            gradient = self._probabilities[: len(product)]
            sums = _score(logits, targets[rows], self._label_smoothing, gradient=gradient)
            self.smoothed += sums[0]
            self.negative_log_likelihood += sums[1]
            if not self._with_gradients:
                continue
            product.copy_(gradient)
            self.to_bias += gradient.sum(dim=0)
            if lexicon_bias is not None and to_scores is not None:
                torch.gather(gradient, -1, lexicon_bias.words[rows], out=to_scores[rows])


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
