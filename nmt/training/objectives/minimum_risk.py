"""Minimum risk training (Shen et al. 2016): lower the expected loss over the candidates of a beam search."""

from __future__ import annotations

import torch
from torch import Tensor

from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.model.lexicon import Offer
from nmt.model.seq2seq import Seq2Seq
from nmt.search.beam import beam_search
from nmt.search.options import SearchOptions
from nmt.training.objectives.objective import Moment, ObjectiveLoss
from nmt.training.objectives.outputs import Outputs, Started, length_limits, references, searching
from nmt.training.objectives.reward import Reward


class MinimumRisk:
    """Expected risk over different candidates, under the model's distribution sharpened and renormalised to them.

    Q(y) = p(y)^α / Σ_y' p(y')^α, and the risk of a pair is Σ_y Q(y) · (1 - r(y)) (equations 11 and 12). Its gradient is
    -α · Σ_y Q(y) · (r(y) - E_Q[r]) · ∇ log p(y). The loss is the risk divided by α, which has the same minimum. Its
    gradient is then as large as that of the other objectives; with α = 0.005 AdamW's ε would be felt otherwise.

    The candidates are a beam's outputs, where the paper samples, and, as in the paper, the reference.
    """

    has_reward = True

    def __init__(self, config: ObjectiveConfig, reward: Reward, *, beam: SearchOptions) -> None:
        """Prepare.

        Args:
            config: of the objective.
            reward: judges candidates.
            beam: how candidates are searched; `n_best` of them, all different.
        """
        self._config, self._reward, self._beam = config, reward, beam

    def loss(
        self, model: Seq2Seq, batch: Batch, *, moment: Moment | None = None, offer: Offer | None = None
    ) -> ObjectiveLoss:
        """See `Objective`; nothing is drawn. The reward is 1 minus the risk."""
        limits = length_limits(batch, max_length_ratio=self._config.max_length_ratio)
        with searching(model):
            started = Started(model, batch, offer=offer)
            candidates = Outputs.found(beam_search(started.stepper(batch, self._beam, limits=limits)))
        right = references(batch)
        if self._config.with_reference:
            candidates = candidates.joined(right)
        rewards = self._reward(candidates.rows, [right[owner] for owner in candidates.owners])
        log_probs = candidates.log_probs(model, batch, offer=offer)
        distribution = _softmax(self._config.sharpness * log_probs, candidates.owners, groups=len(right))
        risk = (distribution * torch.from_numpy(1 - rewards).to(distribution)).sum()
        expected = len(right) - float(risk.detach())
        return ObjectiveLoss(risk / self._config.sharpness, risk.new_tensor(float("nan")), expected)


def _softmax(scores: Tensor, owners: list[int], *, groups: int) -> Tensor:
    """Normalise exp(scores), (R,), to sum to one within each group, (R,) numbers below `groups`."""
    index = torch.tensor(owners, device=scores.device)
    peaks = scores.new_full((groups,), -torch.inf).scatter_reduce(0, index, scores.detach(), "amax")
    weights = (scores - peaks[index]).exp()
    return weights / weights.new_zeros(groups).index_add(0, index, weights)[index]
