"""Sampled softmax: which words are drawn, what they stand for, and the loss that they make."""

import itertools
import math

import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.model.decoder import DecoderOutput
from nmt.model.loss import output_loss
from nmt.model.sampled_words import Words, draw_words
from nmt.model.seq2seq import build_model

V, F = 9, 4


def drawn(seed, contained=((3, 7), (3, 0)), vocabulary=30, count=8):
    generator = torch.Generator().manual_seed(seed)
    return draw_words(torch.tensor(contained), vocabulary=vocabulary, count=count, generator=generator)


def test_the_batchs_own_words_stand_for_themselves_and_the_others_for_all_the_rest():
    words = drawn(1)
    assert words.ids.tolist() == sorted(set(words.ids.tolist()))
    shares = dict(zip(words.ids.tolist(), words.shares.tolist(), strict=True))
    assert len(shares) == 3 + 8
    assert [shares.pop(own) for own in (0, 3, 7)] == [1.0, 1.0, 1.0]
    assert set(shares.values()) == {27 / 8}
    assert float(words.shares.sum()) == pytest.approx(30)
    assert words.ids[words.places(torch.tensor([[3, 7], [0, 3]]))].tolist() == [[3, 7], [0, 3]]


def test_the_same_generator_draws_the_same_and_every_other_word_as_often():
    assert torch.equal(drawn(1).ids, drawn(1).ids)
    counts = torch.zeros(30)
    for seed in range(900):
        counts[drawn(seed).ids] += 1
    assert counts[[0, 3, 7]].tolist() == [900] * 3
    others = counts[[id_ for id_ in range(30) if id_ not in (0, 3, 7)]]
    assert (others - 900 * 8 / 27).abs().max() < 5 * math.sqrt(900 * 8 / 27)


@pytest.mark.parametrize("count", [27, 28, 1000])
def test_nothing_is_drawn_where_that_would_be_everything(count):
    assert drawn(1, count=count) is None
    assert len(drawn(1, count=26).ids) == 29


@pytest.fixture(params=[F, F + 3], ids=["plain", "projected"])
def model(request):
    torch.manual_seed(2)
    sizes = {"embedding_size": request.param, "encoder_hidden_size": 3, "decoder_hidden_size": 5, "dropout": 0.0}
    sizes["attentional_size"] = F
    built = build_model(ModelConfig(**sizes), source_vocabulary=V, target_vocabulary=V)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    return built


ATTENTIONAL = torch.randn(3, F, generator=torch.Generator().manual_seed(3))
TARGETS = torch.tensor([5, 2, 5])


def loss_and_gradients(model, smoothing, words):
    model.zero_grad()
    attentional = ATTENTIONAL.clone().requires_grad_()
    smoothed, likelihood = output_loss(
        model, DecoderOutput(attentional), TARGETS, label_smoothing=smoothing, words=words
    )
    smoothed.backward()
    gradients = [attentional.grad, *(p.grad.clone() for p in model.output_parameters())]
    return smoothed.detach(), likelihood, gradients


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_all_words_make_the_whole_softmax(model, smoothing):
    everything = Words(torch.arange(V), torch.ones(V))
    found, expected = (loss_and_gradients(model, smoothing, words) for words in (everything, None))
    torch.testing.assert_close(found[:2], expected[:2])
    torch.testing.assert_close(found[2], expected[2])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_its_formula(model, smoothing):
    """Z is the sum of the shares' exponentials, and the uniform distribution gives a word its share of V."""
    words = Words(torch.tensor([1, 2, 5, 8]), torch.tensor([3.5, 1.0, 1.0, 3.5]))
    smoothed, likelihood, gradients = loss_and_gradients(model, smoothing, words)
    model.zero_grad()
    attentional = ATTENTIONAL.clone().requires_grad_()
    scores = model.project(DecoderOutput(attentional))[:, words.ids]
    log_normalizer = (words.shares * scores.exp()).sum(-1).log()
    true = log_normalizer - scores[range(3), [2, 1, 2]]
    uniform = log_normalizer - (scores * words.shares).sum(-1) / V
    expected = ((1 - smoothing) * true + smoothing * uniform).sum()
    expected.backward()
    torch.testing.assert_close(smoothed, expected.detach())
    torch.testing.assert_close(likelihood, true.sum().detach())
    torch.testing.assert_close(gradients, [attentional.grad, *(p.grad for p in model.output_parameters())])


def test_bf16_is_near_fp32(model):
    words = Words(torch.tensor([1, 2, 5, 8]), torch.tensor([3.5, 1.0, 1.0, 3.5]))
    expected = loss_and_gradients(model, 0.1, words)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss_and_gradients(model, 0.1, words)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=0.02)
    for here, there in zip(found[2], expected[2], strict=True):
        torch.testing.assert_close(here, there, rtol=0.05, atol=0.02)


def test_the_normalizer_that_is_estimated_is_right_on_average(model):
    """Over all that may be drawn, as likely as each other."""
    scores = model.project(DecoderOutput(ATTENTIONAL)).detach()
    own, others = [2, 5], [0, 1, 3, 4, 6, 7, 8]
    estimates = []
    for some in itertools.combinations(others, 3):
        ids = torch.tensor(sorted((*own, *some)))
        shares = torch.tensor([1.0 if id_ in own else len(others) / 3 for id_ in ids.tolist()])
        first, words = DecoderOutput(ATTENTIONAL[:1]), Words(ids, shares)
        _, likelihood = output_loss(model, first, TARGETS[:1], label_smoothing=0.0, words=words)
        estimates.append(math.exp(float(likelihood) + float(scores[0, 5])))
    assert sum(estimates) / len(estimates) == pytest.approx(float(scores[0].exp().sum()), rel=1e-5)
    assert max(estimates) > 1.02 * min(estimates)
