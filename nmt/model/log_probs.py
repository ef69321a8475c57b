"""log p of whole targets, each with a gradient of its own: for losses that weigh one output against another."""

from typing import Any

import torch
from torch import Tensor

from nmt.model.loss import Scorer, real_positions, shifted
from nmt.model.mixed_loss import mixed_log_probs
from nmt.model.word_log_probs import projected_log_probs


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
    words, mixture = target.flatten().index_select(0, positions), model.mixture(selected)
    if mixture is not None:
        log_probs = mixed_log_probs(model, selected, mixture, words)
    else:
        output = model.features(selected), *model.output_parameters()
        log_probs = projected_log_probs(*output, words.unsqueeze(1), lexicon_bias=selected.lexicon_bias)[0].squeeze(1)
    rows = torch.div(positions, target.size(1), rounding_mode="floor")
    return log_probs.new_zeros(len(target)).index_add(0, rows, log_probs)
