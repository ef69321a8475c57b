"""Losses of a model with a pointer: those of the mixture of the output layer and the copies.

The output layer's part comes from `nmt.model.word_log_probs`, a few positions at a time, for the few words that a
source has. What the pointer makes of it is a small table.

Shapes: N positions, V vocabulary, U different words of a source.
"""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nmt.model.cross_entropy import portion_of
from nmt.model.decoder import DecoderOutput
from nmt.model.lexicon import LexiconBias
from nmt.model.pointer import Mixture
from nmt.model.word_log_probs import projected_log_probs

_MOST_POSITIONS = 1024
"""So many are looked at together where memory is no cache, as on a GPU."""


class OutputLayer(Protocol):
    """What scores the vocabulary."""

    def features(self, decoded: DecoderOutput) -> Tensor:
        """Give what the output matrix multiplies."""

    def output_parameters(self) -> tuple[Tensor, Tensor]:
        """Return the output matrix and its bias."""


def mixed_log_probs(model: OutputLayer, selected: DecoderOutput, mixture: Mixture, words: Tensor) -> Tensor:
    """Compute log p of the true words (N,) under the mixture: (N,), in nats."""
    generated, _ = _generated(model, selected, words.unsqueeze(1))
    return torch.logaddexp(generated[:, 0] + mixture.log_kept, mixture.copied(words))


def mixed_cross_entropy(
    model: OutputLayer, selected: DecoderOutput, mixture: Mixture, words: Tensor, *, label_smoothing: float
) -> tuple[Tensor, Tensor]:
    """Sum the smoothed loss and the negative log-likelihood, without a gradient, of N positions.

    Label smoothing looks at the mixture as a whole: (1 - ε) · -log p(y) + ε · mean_v(-log p(v)). It is finite, since
    the output layer keeps a share of every position. It also holds the gate back from opening altogether.

    Args:
        model: what scores the vocabulary.
        selected: the positions.
        mixture: the pointer's, of these positions.
        words: the true words, (N,).
        label_smoothing: ε.
    """
    if not label_smoothing:
        true = -mixed_log_probs(model, selected, mixture, words).sum()
        return true, true.detach()
    ids = torch.cat((words.unsqueeze(1), mixture.words), dim=1)
    generated, mean = _generated(model, selected, ids)
    generated = generated + mixture.log_kept.unsqueeze(1)
    true = -torch.logaddexp(generated[:, 0], mixture.copied(words)).sum()
    vocabulary = len(model.output_parameters()[0])
    gained = mixture.gained(generated[:, 1:]).sum() / vocabulary
    smoothed = (1 - label_smoothing) * true - label_smoothing * ((mean + mixture.log_kept).sum() + gained)
    return smoothed, true.detach()


def mixed_divergence(
    model: OutputLayer, sides: tuple[DecoderOutput, DecoderOutput], mixtures: tuple[Mixture, Mixture]
) -> Tensor:
    """Sum KL(p ‖ q) over N positions of two mixtures, with a gradient through both, as `projected_divergence` does.

    The backward pass computes the log-probabilities of a few positions again, so that those of all are never kept.
    """
    weight, bias = model.output_parameters()
    features = [model.features(side) for side in sides]
    divergence = bias.new_zeros(())
    portion = min(portion_of(features[0], len(weight)), _MOST_POSITIONS)
    for start in range(0, len(features[0]), portion):
        rows = slice(start, start + portion)
        first, second = (_rows(*each, rows) for each in zip(sides, features, mixtures, strict=True))
        part: Tensor = checkpoint(
            _divergence, first, second, weight, bias, use_reentrant=False, preserve_rng_state=False
        )
        divergence = divergence + part
    return divergence


def _generated(model: OutputLayer, selected: DecoderOutput, ids: Tensor) -> tuple[Tensor, Tensor]:
    return projected_log_probs(
        model.features(selected), *model.output_parameters(), ids, lexicon_bias=selected.lexicon_bias
    )


class _Side(NamedTuple):
    """Some positions of one of two predictions."""

    features: Tensor
    lexicon_bias: LexiconBias | None
    mixture: Mixture

    def log_probs(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Score the vocabulary, (N, V)."""
        logits = (self.features @ weight.to(self.features.dtype).t()).to(bias.dtype) + bias
        return self.mixture.log_probs(logits if self.lexicon_bias is None else self.lexicon_bias.add_to(logits))


def _rows(side: DecoderOutput, features: Tensor, mixture: Mixture, rows: slice) -> _Side:
    lexicon = None if side.lexicon_bias is None else LexiconBias(*(part[rows] for part in side.lexicon_bias))
    return _Side(features[rows], lexicon, Mixture(*(part[rows] for part in mixture)))


def _divergence(first: _Side, second: _Side, weight: Tensor, bias: Tensor) -> Tensor:
    with torch.autocast(weight.device.type, enabled=False):
        log_p, log_q = (side.log_probs(weight, bias) for side in (first, second))
        return F.kl_div(log_q, log_p, reduction="sum", log_target=True)
