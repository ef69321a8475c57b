"""Cutoff: the loss by hand, its two ends, and what is cut."""

import pytest
import torch
import torch.nn.functional as F

from nmt.config.choices import ObjectiveKind
from nmt.config.objective import ObjectiveConfig
from nmt.corpus.batches import Batch
from nmt.errors import ConfigError
from nmt.model.loss import shifted
from nmt.tasks.translation import TRANSLATION
from nmt.training.objectives.cutoff import Cutoff
from nmt.training.objectives.objective import CrossEntropy, Moment

BOS, EOS = 2, 3


def cutoff(**changes):
    return Cutoff(ObjectiveConfig(kind=ObjectiveKind.cutoff, **changes), label_smoothing=0.1)


@pytest.fixture
def batch():
    """Three pairs of unlike lengths."""
    source = torch.tensor([[4, 5, EOS, 0], [5, EOS, 0, 0], [4, 4, 5, EOS]])
    target = torch.tensor([[5, 4, 4, 5, EOS], [4, EOS, 0, 0, 0], [5, 5, 4, EOS, 0]])
    return Batch(source, torch.tensor([3, 2, 4]), target, torch.tensor([5, 2, 4]), torch.tensor([7, 0, 3]))


@pytest.mark.parametrize("pointer", [False, True])
@pytest.mark.parametrize("lexicon_size", [0, 2])
@pytest.mark.parametrize(("alpha", "beta"), [(3.0, 0.0), (0.0, 0.7), (2.0, 0.5)])
def test_it_is_the_formula(tiny, batch, monkeypatch, alpha, beta, lexicon_size, pointer):
    """CE(x) + α KL(x ‖ x_cut) + β CE(x_cut), of logits of all positions, in value and gradient."""
    monkeypatch.setattr("nmt.model.mixed_loss.portion_of", lambda features, vocabulary: 4)
    model, moment = tiny.build(lexicon_size=lexicon_size, pointer=pointer).train(), Moment(1, 5)
    objective = cutoff(cutoff_rate=0.4, cutoff_weight=alpha, cutoff_cross_entropy=beta)
    read_inputs = objective.read_inputs(batch, moment)
    assert not read_inputs.source.all()
    assert not read_inputs.previous.all()
    inputs = batch.source, batch.source_lengths, shifted(batch.target, bos_id=BOS)
    whole, cut = (model.project(model(*inputs, read_inputs=each)).flatten(0, 1) for each in (None, read_inputs))
    targets = batch.target.masked_fill(batch.target == 0, -100).flatten()
    real = targets >= 0
    first, second = (F.cross_entropy(each, targets, label_smoothing=0.1, reduction="sum") for each in (whole, cut))
    divergence = F.kl_div(cut[real].log_softmax(-1), whole[real].log_softmax(-1), reduction="sum", log_target=True)
    expected = first + alpha * divergence + beta * second
    found = objective.loss(model, batch, moment=moment)
    torch.testing.assert_close(found.loss, expected)
    assert float(divergence.detach()) > 1e-3
    torch.testing.assert_close(tiny.gradients(model, found.loss), tiny.gradients(model, expected))
    likelihood = F.cross_entropy(whole, targets, reduction="sum")
    torch.testing.assert_close(found.negative_log_likelihood, likelihood.detach())


def test_where_nothing_is_cut_it_is_cross_entropy(tiny, batch):
    model = tiny.build().train()
    loss = cutoff(cutoff_rate=0.0).loss(model, batch, moment=Moment(1, 0)).loss
    other = CrossEntropy(TRANSLATION, label_smoothing=0.1).loss(model, batch).loss
    torch.testing.assert_close(loss, other)
    torch.testing.assert_close(tiny.gradients(model, loss), tiny.gradients(model, other))


def test_what_is_cut_is_a_share_and_depends_on_the_moment_and_the_line(batch):
    rows = torch.zeros(400, 6, dtype=torch.long)
    lengths = torch.full((400,), 6)
    many = Batch(rows, lengths, rows, lengths, torch.arange(400))
    read_inputs = cutoff(cutoff_rate=0.3).read_inputs(many, Moment(1, 5))
    for side in read_inputs:
        assert float((~side).double().mean()) == pytest.approx(0.3, abs=0.04)
    assert not torch.equal(*read_inputs)
    again, other = (cutoff(cutoff_rate=0.3).read_inputs(many, Moment(1, update)) for update in (5, 6))
    assert torch.equal(read_inputs.source, again.source)
    assert not torch.equal(read_inputs.source, other.source)
    part = Batch(*(part[3:5] for part in many))
    assert torch.equal(cutoff(cutoff_rate=0.3).read_inputs(part, Moment(1, 5)).previous, read_inputs.previous[3:5])


def test_a_cut_position_is_read_as_zeros(tiny, batch):
    """Another word there changes nothing."""
    model = tiny.build()
    read_inputs = cutoff(cutoff_rate=0.4).read_inputs(batch, Moment(1, 5))
    previous = shifted(batch.target, bos_id=BOS)
    one = model(batch.source, batch.source_lengths, previous, read_inputs=read_inputs)
    other_source = torch.where(read_inputs.source, batch.source, 4)
    other = model(
        other_source, batch.source_lengths, torch.where(read_inputs.previous, previous, 5), read_inputs=read_inputs
    )
    assert not torch.equal(other_source, batch.source)
    assert torch.equal(one.attentional, other.attentional)


def test_without_weights_it_is_refused():
    config = ObjectiveConfig(kind=ObjectiveKind.cutoff, cutoff_weight=0.0)
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert str(caught.value) == (
        "objective.cutoff_weight=0 and objective.cutoff_cross_entropy=0 leave cutoff without a use: set one of them, "
        "or take objective=cross_entropy"
    )
