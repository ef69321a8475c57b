"""Scheduled sampling: its two ends are known, and between them the share of the model's own tokens is."""

import math

import numpy as np
import pytest
import torch

from nmt.config.choices import Decay
from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.search.sampling import uniform_numbers
from nmt.tasks.translation import TRANSLATION
from nmt.training.objectives.objective import CrossEntropy, Moment
from nmt.training.objectives.scheduled_sampling import ScheduledSampling, reference_probability

BOS, EOS = 2, 3
LINEAR = {"decay": Decay.linear, "half_updates": 50}


def sampling(**changes):
    return ScheduledSampling(ObjectiveConfig(**changes), label_smoothing=0.1)


@pytest.fixture
def batch():
    """Three pairs of unlike lengths."""
    source = torch.tensor([[4, 5, EOS, 0], [5, EOS, 0, 0], [4, 4, 5, EOS]])
    target = torch.tensor([[5, 4, 4, 5, EOS], [4, EOS, 0, 0, 0], [5, 5, 4, EOS, 0]])
    return Batch(source, torch.tensor([3, 2, 4]), target, torch.tensor([5, 2, 4]), torch.tensor([7, 0, 3]))


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("changes", [LINEAR, {"least_reference": 1.0}])
def test_with_all_reference_tokens_it_is_cross_entropy_to_the_bit(tiny, batch, changes, feeding):
    model = tiny.build(input_feeding=feeding, dropout=0.3, seed=2).float()
    losses = []
    for objective in (sampling(**changes), CrossEntropy(TRANSLATION, label_smoothing=0.1)):
        torch.manual_seed(9)
        loss = objective.loss(model, batch, moment=Moment(1, 0))
        losses.append((tiny.gradients(model, loss.loss), loss.loss, loss.negative_log_likelihood))
    assert all(torch.equal(one, other) for one, other in zip(*losses, strict=True))


@pytest.mark.parametrize("lexicon_size", [0, 2])
@pytest.mark.parametrize("feed_best", [False, True])
def test_with_none_the_model_reads_its_own_outputs(tiny, batch, feed_best, lexicon_size):
    """By stepping, and by hand from the random numbers; and the loss is that of the reference behind these inputs."""
    model, moment = tiny.build(lexicon_size=lexicon_size), Moment(1, 100)
    objective = sampling(feed_best=feed_best, **LINEAR)
    offer = None
    if lexicon_size:
        offer = model.lexicon(batch.source)
        offer = offer._replace(probabilities=offer.probabilities.flip(1))
    inputs = objective.inputs(model, batch, moment=moment, offer=offer)
    numbers = uniform_numbers(moment, keys=[7, 0, 3], streams=2, positions=5)[:, 1]
    model.eval()
    state, expected, loss = model.start(batch.source, batch.source_lengths, offer=offer), torch.full((3, 1), BOS), 0.0
    for t in range(5):
        step = model.step(expected[:, -1:], state)
        state, log_probs = step.state, step.logits[:, 0].log_softmax(-1)
        real = batch.target_lengths > t
        reference = log_probs.gather(1, batch.target[:, t : t + 1]).squeeze(1)
        loss = loss - (0.9 * reference + 0.1 * log_probs.mean(1))[real].sum()
        following = log_probs.argmax(1)
        if not feed_best and t < 4:
            shares = log_probs.detach().exp().cumsum(1).numpy()
            following = torch.tensor([np.searchsorted(shares[i], numbers[i, t + 1], "right") for i in range(3)])
        expected = torch.cat([expected, following[:, None]], 1)
    for row, length in enumerate(batch.target_lengths.tolist()):
        assert inputs[row, :length].tolist() == expected[row, :length].tolist()
    model.train()
    found = objective.loss(model, batch, moment=moment, offer=offer).loss
    assert found.item() == pytest.approx(loss.item(), abs=1e-10)
    torch.testing.assert_close(tiny.gradients(model, found), tiny.gradients(model, loss), rtol=1e-8, atol=1e-11)


def test_the_share_of_the_models_own_tokens_follows_the_schedule(tiny):
    """The model says 5 whatever it reads, the references have no 5."""
    model, rows, length = tiny.build(), 200, 12
    with torch.no_grad():
        model.output_bias[5] = 60.0
    target = torch.full((rows, length), 4)
    source = torch.tensor([[4, EOS]]).expand(rows, 2)
    lengths = torch.full((rows,), 2), torch.full((rows,), length)
    batch = Batch(source, lengths[0], target, lengths[1], torch.arange(rows))
    for update in (0, 25, 50, 90, 200):
        inputs = sampling(**LINEAR).inputs(model, batch, moment=Moment(3, update))
        assert (inputs[:, 0] == BOS).all()
        share, expected = float((inputs[:, 1:] == 5).double().mean()), min(1.0, update / 100)
        spread = math.sqrt(expected * (1 - expected) / (rows * (length - 1)))
        assert abs(share - expected) <= 4 * spread


def test_a_pairs_inputs_do_not_depend_on_its_batch(tiny, batch):
    model = tiny.build()
    together = sampling(**LINEAR).inputs(model, batch, moment=Moment(1, 60))
    assert not torch.equal(together[:, 1:], batch.target[:, :-1])
    for row in range(3):
        length = int(batch.target_lengths[row])
        alone = Batch(*(part[row : row + 1] for part in batch))
        alone = alone._replace(target=alone.target[:, :length])
        inputs = sampling(**LINEAR).inputs(model, alone, moment=Moment(1, 60))
        assert inputs[0].tolist() == together[row, :length].tolist()


@pytest.mark.parametrize(
    ("decay", "half", "expected"),
    [
        (Decay.linear, 50, {0: 1.0, 25: 0.75, 50: 0.5, 100: 0.0, 1000: 0.0}),
        (Decay.exponential, 50, {0: 1.0, 50: 0.5, 100: 0.25, 150: 0.125}),
        # k = 100: 100 · ln 100 = 460.517
        (Decay.inverse_sigmoid, 460.5170185988091, {0: 100 / 101, 300: 100 / (100 + math.e**3), 460.517: 0.5}),
        (Decay.inverse_sigmoid, 1, {1: 0.5, 10**9: 0.0}),
    ],
)
def test_the_probability_of_a_reference_token_by_hand(decay, half, expected):
    config = ObjectiveConfig(decay=decay, half_updates=half)
    for update, probability in expected.items():
        assert reference_probability(config, update) == pytest.approx(probability, abs=1e-6)
        floored = ObjectiveConfig(decay=decay, half_updates=half, least_reference=0.6)
        assert reference_probability(floored, update) == pytest.approx(max(0.6, probability), abs=1e-6)
