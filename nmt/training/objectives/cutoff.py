"""SimCut (Gao et al. 2022): what is predicted after cut inputs shall be what is predicted after whole ones."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.model.decoder import DecoderOutput
from nmt.model.divergence import projected_divergence
from nmt.model.lexicon import Offer
from nmt.model.loss import real_positions, selected_loss, shifted
from nmt.model.mixed_loss import mixed_divergence
from nmt.model.seq2seq import ReadInputs, Seq2Seq
from nmt.search.sampling import uniform_numbers
from nmt.text.subwords import SubwordModel
from nmt.training.objectives.objective import Moment, ObjectiveLoss


class Cutoff:
    """Cross-entropy, and a consistency between two predictions: after whole inputs, and after cut ones.

    Token cutoff (Shen et al. 2020, "A Simple but Tough-to-Beat Data Augmentation Approach for Natural Language
    Understanding and Generation") sets the embeddings of some positions to zero, on both sides. x is all inputs.
    The loss is -log p(y | x) + α · KL(p(y | x) ‖ p(y | x_cut)) + β · -log p(y | x_cut).

    With β = 0 it is SimCut (Gao et al. 2022, "Bi-SimCut: A Simple Strategy for Boosting Neural Machine Translation").
    As there, the gradient of the divergence goes through both predictions. With α = 0 it is token cutoff alone.
    """

    has_reward = False

    def __init__(self, config: ObjectiveConfig, *, label_smoothing: float) -> None:
        """Take the weights α and β from the configuration."""
        self._config, self._label_smoothing = config, label_smoothing

    def loss(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> ObjectiveLoss:
        """See `Objective`; the negative log-likelihood is that of whole inputs."""
        settings, smoothing = self._config, {"label_smoothing": self._label_smoothing}
        inputs = batch.source, batch.source_lengths, shifted(batch.target, bos_id=SubwordModel.bos_id)
        positions = real_positions(batch.target, batch.target_lengths)
        target_ids = batch.target.flatten().index_select(0, positions)
        whole = model(*inputs, offer=offer).select(positions)
        cut = model(*inputs, offer=offer, read_inputs=self.read_inputs(batch, moment)).select(positions)
        whole_loss = selected_loss(model, whole, target_ids, **smoothing)
        loss: Tensor = whole_loss.smoothed
        if settings.cutoff_weight:
            loss = loss + settings.cutoff_weight * _divergence(model, whole, cut)
        if settings.cutoff_cross_entropy:
            loss = loss + settings.cutoff_cross_entropy * selected_loss(model, cut, target_ids, **smoothing).smoothed
        return ObjectiveLoss(loss, whole_loss.negative_log_likelihood)

    def read_inputs(self, batch: Batch, moment: Moment) -> ReadInputs:
        """Draw which positions of a batch are read; a function of the moment and each pair's line."""
        widths = batch.source.size(1), batch.target.size(1)
        numbers = uniform_numbers(moment, keys=batch.lines.tolist(), streams=2, positions=max(widths))
        is_read = torch.from_numpy(numbers >= self._config.cutoff_rate).to(batch.source.device)  # (B, 2, max(S, T))
        return ReadInputs(is_read[:, 0, : widths[0]], is_read[:, 1, : widths[1]])


def _divergence(model: Seq2Seq, whole: DecoderOutput, cut: DecoderOutput) -> Tensor:
    """Sum KL(p ‖ q) of what is predicted at N selected positions, after whole inputs and after cut ones."""
    mixtures = model.mixture(whole), model.mixture(cut)
    if mixtures[0] is not None and mixtures[1] is not None:
        return mixed_divergence(model, (whole, cut), (mixtures[0], mixtures[1]))
    return projected_divergence(
        model.features(whole),
        model.features(cut),
        *model.output_parameters(),
        lexicon_biases=(whole.lexicon_bias, cut.lexicon_bias),
    )
