"""Label-smoothed cross-entropy, summed over real target positions, with their count."""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from nmt.model.cross_entropy import projected_cross_entropy
from nmt.model.decoder import DecoderOutput
from nmt.model.lexicon import Offer
from nmt.model.mixed_loss import mixed_cross_entropy
from nmt.model.pointer import Mixture


class Scorer(Protocol):
    """A model that scores given targets: a `Seq2Seq`, or a `LanguageModel`."""

    def __call__(self, *texts: Tensor, offer: Offer | None = None) -> Any:
        """Run whole targets, see `nmt.model.seq2seq.Seq2Seq.forward`."""

    def teacher_forced(self, previous: Tensor, state: Any) -> DecoderOutput:
        """Run whole targets from a state, see `nmt.model.seq2seq.Seq2Seq.teacher_forced`."""

    def features(self, decoded: DecoderOutput) -> Tensor:
        """Give what the output matrix multiplies."""

    def output_parameters(self) -> tuple[Tensor, Tensor]:
        """Return the output matrix and its bias."""

    def mixture(self, decoded: DecoderOutput) -> Mixture | None:
        """Give what a pointer makes of the output layer's distribution, see `nmt.model.seq2seq.Seq2Seq.mixture`."""


class Loss(NamedTuple):
    """Sums over the real target positions of a batch, in nats."""

    smoothed: Tensor
    """what training minimises"""
    negative_log_likelihood: Tensor
    """without smoothing; its mean's exponential is the perplexity"""
    tokens: int
    """real target positions, EOS included"""


def sequence_loss(
    model: Scorer,
    source: Tensor,
    source_lengths: Tensor,
    *,
    target: Tensor,
    target_lengths: Tensor,
    bos_id: int,
    label_smoothing: float,
    offer: Offer | None = None,
    previous: Tensor | None = None,
) -> Loss:
    """Score a batch, teacher forced: source (B, S), target (B, T) with EOS, lengths (B,) each.

    The smoothed loss mixes the true word with the uniform distribution over all V words: (1 - ε) · -log p(y) +
    ε · mean_v(-log p(v)) (Szegedy et al. 2016, section 7). Only real positions are projected to the vocabulary.

    An `offer` takes the place of what the model's own lexicon says. The decoder reads `previous` (B, T), where it is
    given, instead of the target behind BOS.
    """
    if previous is None:
        previous = shifted(target, bos_id=bos_id)
    decoded = model(source, source_lengths, previous, offer=offer)
    positions = real_positions(target, target_lengths)
    target_ids = target.flatten().index_select(0, positions)
    return selected_loss(model, decoded.select(positions), target_ids, label_smoothing=label_smoothing)


def selected_loss(model: Scorer, selected: DecoderOutput, target_ids: Tensor, *, label_smoothing: float) -> Loss:
    """Score N selected positions of a batch, whose true words are given, (N,), as `sequence_loss` does."""
    mixture = model.mixture(selected)
    if mixture is not None:
        losses = mixed_cross_entropy(model, selected, mixture, target_ids, label_smoothing=label_smoothing)
        return Loss(*losses, int(target_ids.numel()))
    smoothed, negative_log_likelihood = projected_cross_entropy(
        model.features(selected),
        *model.output_parameters(),
        target_ids,
        label_smoothing=label_smoothing,
        lexicon_bias=selected.lexicon_bias,
    )
    return Loss(smoothed, negative_log_likelihood, int(target_ids.numel()))


def shifted(target: Tensor, *, bos_id: int) -> Tensor:
    """Give what precedes each position of targets (B, T): BOS, then the target itself."""
    return torch.cat((target.new_full((target.size(0), 1), bos_id), target[:, :-1]), dim=1)


def real_positions(target: Tensor, lengths: Tensor) -> Tensor:
    """List the positions of targets (B, T) that are no padding, counted through all B·T: (N,), ascending."""
    real = (torch.arange(target.size(1), device=target.device) < lengths.unsqueeze(1)).flatten()
    return real.nonzero().squeeze(1)
