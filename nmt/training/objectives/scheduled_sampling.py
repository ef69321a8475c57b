"""Scheduled sampling (Bengio et al. 2015): training reads more and more of the model's own tokens."""

import math

import torch
from torch import Tensor

from nmt.config.choices import Decay
from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.model.lexicon import Offer
from nmt.model.loss import sequence_loss, shifted
from nmt.model.seq2seq import Seq2Seq
from nmt.search.arrays import operations_for
from nmt.search.candidates import not_numbers
from nmt.search.sampling import uniform_numbers
from nmt.text.subwords import SubwordModel
from nmt.training.objectives.objective import Moment, ObjectiveLoss
from nmt.training.objectives.outputs import searching


class ScheduledSampling:
    """Cross-entropy of the reference, read after inputs of which some are the model's own.

    At each position the previous token is the reference's with probability ε, else the model's own, given the inputs
    before it (section 2.3). No gradient goes through the choice of a token, as in the paper.

    First the inputs are chosen, position by position, without dropout and without a gradient. Then one fused pass reads
    them all. A model without dropout does in this way exactly what one pass that chooses as it goes would do.
    """

    has_reward = False

    def __init__(self, config: ObjectiveConfig, *, label_smoothing: float) -> None:
        """Take the course of ε from the configuration."""
        self._config, self._label_smoothing = config, label_smoothing

    def loss(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> ObjectiveLoss:
        """See `Objective`."""
        loss = sequence_loss(
            model,
            batch.source,
            batch.source_lengths,
            target=batch.target,
            target_lengths=batch.target_lengths,
            bos_id=SubwordModel.bos_id,
            label_smoothing=self._label_smoothing,
            offer=offer,
            previous=self.inputs(model, batch, moment=moment, offer=offer),
        )
        return ObjectiveLoss(loss.smoothed, loss.negative_log_likelihood)

    def inputs(self, model: Seq2Seq, batch: Batch, *, moment: Moment, offer: Offer | None = None) -> Tensor:
        """Choose what the decoder reads, (B, T) from BOS on; target positions beyond a sentence's end stay padding.

        Raises:
            RunError: the model's scores are not numbers.
        """
        target = batch.target
        inputs = shifted(target, bos_id=SubwordModel.bos_id)
        probability = reference_probability(self._config, moment.update)
        if probability >= 1:
            return inputs
        # (B, 2, T): which token is read at a position, and which one is drawn
        numbers = uniform_numbers(moment, keys=batch.lines.tolist(), streams=2, positions=target.size(1))
        reads_prediction = numbers[:, 0] >= probability
        reads_prediction[:, 0] = False
        reads_prediction &= (torch.arange(target.size(1)) < batch.target_lengths.cpu().unsqueeze(1)).numpy()
        last = int(reads_prediction.nonzero()[1].max(initial=0))
        operations = operations_for(model.device)
        with searching(model):
            state = model.start(batch.source, batch.source_lengths, offer=offer)
            for t in range(last):
                advanced = model.advance(inputs[:, t : t + 1], state)
                state = advanced.state
                chosen = reads_prediction[:, t + 1].nonzero()[0]
                if not len(chosen):
                    continue
                rows = operations.from_host(chosen)
                logits = model.project(advanced.decoded.select(rows))  # (N, V)
                if self._config.feed_best:
                    inputs[rows, t + 1] = logits.argmax(-1)
                    continue
                try:
                    tokens, _ = operations.draw(logits.unsqueeze(1), numbers[chosen, 1, t + 1 : t + 2])
                except FloatingPointError:
                    raise not_numbers(t + 1) from None
                inputs[rows, t + 1] = operations.from_host(tokens[:, 0])
        return inputs


def reference_probability(config: ObjectiveConfig, update: int) -> float:
    """Compute ε of an update, the probability that a reference token is read (section 2.4).

    The three curves of the paper, each with the constant that makes it 1/2 after ``half_updates`` = h:

    - linear: 1 - update / 2h
    - exponential: k^update, with k = 2^(-1/h)
    - inverse_sigmoid: k / (k + exp(update / k)), with k · ln k = h

    It is never below ``least_reference``.
    """
    half = config.half_updates
    if config.decay is Decay.linear:
        probability = 1 - update / (2 * half)
    elif config.decay is Decay.exponential:
        probability = 2 ** -(update / half)
    else:
        k = _inverse_sigmoid_constant(half)
        probability = k / (k + math.exp(min(update / k, 700.0)))
    return max(config.least_reference, probability)


def _inverse_sigmoid_constant(half: float) -> float:
    """Solve k · ln k = half for k by Newton's method."""
    k = 1.0 + half
    for _ in range(100):
        k -= (k * math.log(k) - half) / (math.log(k) + 1)
    return k
