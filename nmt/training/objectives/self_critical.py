"""Self-critical sequence training (Rennie et al. 2017): a sample is as good as it beats the greedy output."""

from __future__ import annotations

import numpy as np
import torch

from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.model.lexicon import Offer
from nmt.model.seq2seq import Seq2Seq
from nmt.search.greedy import greedy_search
from nmt.search.options import SearchOptions
from nmt.search.sampling import sample, uniform_numbers
from nmt.text.subwords import SubwordModel
from nmt.training.objectives.objective import Moment, ObjectiveLoss
from nmt.training.objectives.outputs import Outputs, Started, length_limits, references, searching
from nmt.training.objectives.reward import Reward


class SelfCritical:
    """REINFORCE (Williams 1992) with the reward of the greedy output as its baseline (equation 9).

    The loss of a pair is the mean over its samples y of -(r(y) - r(greedy)) · log p(y), rewards being constants. For a
    model without dropout, the expectation of its gradient is that of -E_p[r(y)]: the baseline adds nothing to it.
    Samples are drawn from all of p, with nothing forbidden, so that this holds. They and the greedy output are found
    without dropout; log p(y) is the training's, with dropout.
    """

    has_reward = True

    def __init__(self, config: ObjectiveConfig, reward: Reward, *, greedy: SearchOptions) -> None:
        """Prepare.

        Args:
            config: of the objective.
            reward: judges samples and greedy outputs.
            greedy: how the baseline is searched, as translation searches.
        """
        self._config, self._reward, self._greedy = config, reward, greedy
        samples = config.samples
        self._sampled = SearchOptions(
            bos_id=SubwordModel.bos_id, eos_id=SubwordModel.eos_id, beam_size=samples, n_best=samples
        )

    def loss(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> ObjectiveLoss:
        """See `Objective`; the reward is the greedy output's."""
        limits = length_limits(batch, max_length_ratio=self._config.max_length_ratio)
        numbers = uniform_numbers(
            moment, keys=batch.lines.tolist(), streams=self._config.samples, positions=max(limits)
        )
        with searching(model):
            started = Started(model, batch, offer=offer)
            greedy = Outputs.found(greedy_search(started.stepper(batch, self._greedy, limits=limits)))
            sampled = Outputs.found(sample(started.stepper(batch, self._sampled, limits=limits), numbers))
        right = references(batch)
        rewards = self._reward(greedy.rows + sampled.rows, right + [right[owner] for owner in sampled.owners])
        baseline, own = np.split(rewards, [len(greedy.rows)])
        advantages = torch.from_numpy(own - baseline[sampled.owners])
        log_probs = sampled.log_probs(model, batch, offer=offer)
        loss = -(advantages.to(log_probs) * log_probs).sum() / self._config.samples
        return ObjectiveLoss(loss, loss.new_tensor(float("nan")), float(baseline.sum()))
