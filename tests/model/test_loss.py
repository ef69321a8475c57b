"""Label-smoothed cross-entropy: the formula by hand, PyTorch's own, and only real positions."""

import math

import pytest
import torch
import torch.nn.functional as F

from nmt.config.choices import Cell, Tying
from nmt.config.model import ModelConfig
from nmt.model.loss import sequence_loss
from nmt.model.seq2seq import build_model

V, PAD, BOS, EOS = 7, 0, 2, 3
SOURCE = torch.tensor([[4, 5, EOS, PAD], [6, 5, 4, EOS]])
SOURCE_LENGTHS = torch.tensor([3, 4])
TARGET = torch.tensor([[5, 6, EOS], [4, EOS, PAD]])
TARGET_LENGTHS = torch.tensor([3, 2])


def build(cell=Cell.lstm):
    torch.manual_seed(31)
    sizes = {"embedding_size": 4, "encoder_hidden_size": 3, "decoder_hidden_size": 5}
    config = ModelConfig(cell=cell, tying=Tying.none, dropout=0.0, **sizes)
    return build_model(config, source_vocabulary=V, target_vocabulary=V)


def loss_of(model, *, source=SOURCE, target=TARGET, target_lengths=TARGET_LENGTHS, smoothing=0.0, rows=slice(None)):
    return sequence_loss(
        model,
        source[rows],
        SOURCE_LENGTHS[rows],
        target=target[rows],
        target_lengths=target_lengths[rows],
        bos_id=BOS,
        label_smoothing=smoothing,
    )


def logits_of(model):
    """(B, T, V) logits, teacher forced from BOS on."""
    previous = torch.tensor([[BOS, 5, 6], [BOS, 4, EOS]])
    return model.project(model(SOURCE, SOURCE_LENGTHS, previous))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_it_is_the_formula(smoothing):
    """(1 - ε) · -log p(y) + ε / V · Σ_v -log p(v), summed over the five real positions."""
    model = build()
    smoothed = likelihood = 0.0
    for row, ids in zip(logits_of(model).tolist(), [[5, 6, EOS], [4, EOS]], strict=True):
        for scores, true in zip(row, ids, strict=False):
            total = math.log(sum(math.exp(score) for score in scores))
            costs = [total - score for score in scores]
            likelihood += costs[true]
            smoothed += (1 - smoothing) * costs[true] + smoothing * sum(costs) / V
    loss = loss_of(model, smoothing=smoothing)
    assert loss.smoothed.item() == pytest.approx(smoothed, rel=1e-5)
    assert float(loss.negative_log_likelihood) == pytest.approx(likelihood, rel=1e-5)
    assert loss.tokens == 5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_pytorchs_cross_entropy_in_value_and_gradient(smoothing):
    model = build()
    expected = F.cross_entropy(
        logits_of(model).flatten(0, 1),
        TARGET.masked_fill(TARGET == PAD, -100).flatten(),
        label_smoothing=smoothing,
        reduction="sum",
    )
    loss = loss_of(model, smoothing=smoothing)
    torch.testing.assert_close(loss.smoothed, expected)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss.smoothed, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_without_smoothing_the_two_are_one_and_only_one_carries_gradients():
    loss = loss_of(build())
    assert loss.smoothed.item() == float(loss.negative_log_likelihood)
    assert loss.smoothed.requires_grad
    assert not loss.negative_log_likelihood.requires_grad


def test_padding_neither_counts_nor_matters():
    model = build()
    one = loss_of(model, smoothing=0.1)
    source, target = SOURCE.clone(), F.pad(TARGET, (0, 2))
    source[0, 3] = 6
    target[1, 2:] = 5
    target[0, 3:] = 4
    other = loss_of(model, source=source, target=target, smoothing=0.1)
    assert other.tokens == one.tokens == 5
    torch.testing.assert_close(other.smoothed, one.smoothed)


def test_a_pad_id_that_is_a_real_token_counts():
    """Lengths say what is real, not the ids."""
    assert loss_of(build(), target_lengths=torch.tensor([3, 3])).tokens == 6


def test_a_batch_is_the_sum_of_its_sentences():
    model = build()
    batch = loss_of(model, smoothing=0.2)
    single = [loss_of(model, smoothing=0.2, rows=slice(i, i + 1)) for i in range(2)]
    torch.testing.assert_close(batch.smoothed, single[0].smoothed + single[1].smoothed)
    assert batch.tokens == single[0].tokens + single[1].tokens


def test_it_is_summed_in_fp32_under_autocast():
    model = build(Cell.gru)  # a bf16 LSTM does not run on every CPU
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model, smoothing=0.1)
    assert loss.smoothed.dtype == torch.float32
    assert loss.smoothed.item() == pytest.approx(loss_of(model, smoothing=0.1).smoothed.item(), rel=0.05)
