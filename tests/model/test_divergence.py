"""The divergence in portions is the formula of all logits at once, in value and gradient."""

import pytest
import torch
import torch.nn.functional as F

from nmt.model import divergence
from nmt.model.cross_entropy import portion_of
from nmt.model.divergence import projected_divergence
from nmt.model.lexicon import LexiconBias

N, V, E, U = 37, 11, 5, 3


@pytest.fixture
def inputs():
    torch.manual_seed(5)
    shapes = ((N, E), (N, E), (V, E), (V,), (N, U), (N, U))
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def naive(features, others, weight, bias, *scores, words=None):
    """KL from whole tables of log-probabilities."""
    logits = [F.linear(side, weight, bias) for side in (features, others)]
    if words is not None:
        logits = [each.scatter_add(1, words, own) for each, own in zip(logits, scores, strict=True)]
    log_p, log_q = (each.log_softmax(-1) for each in logits)
    return F.kl_div(log_q, log_p, reduction="sum", log_target=True)


@pytest.mark.parametrize("with_lexicon", [False, True])
@pytest.mark.parametrize("portion", [16, 37, 5])
def test_it_is_the_formula_in_value_and_gradient(inputs, monkeypatch, portion, with_lexicon):
    monkeypatch.setattr("nmt.model.divergence.portion_of", lambda features, vocabulary: portion)
    words = torch.stack([torch.randperm(V)[:U] for _ in range(N)]) if with_lexicon else None
    biases = tuple(LexiconBias(words, scores) for scores in inputs[4:]) if with_lexicon else (None, None)
    used = inputs if with_lexicon else inputs[:4]
    found, expected = projected_divergence(*inputs[:4], lexicon_biases=biases), naive(*inputs, words=words)
    torch.testing.assert_close(found, expected)
    assert found > 1
    for one, other in zip(torch.autograd.grad(3 * found, used), torch.autograd.grad(3 * expected, used), strict=True):
        torch.testing.assert_close(one, other)


def test_equal_predictions_have_no_divergence_and_no_gradient(inputs):
    features, _, weight, bias = inputs[:4]
    found = projected_divergence(features, features.detach().clone(), weight, bias)
    assert found.item() == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(found, (features, weight, bias)))


def test_no_logits_of_all_positions_are_made_at_once(monkeypatch):
    rows, vocabulary, shapes = 4096, 1000, []

    def scored(*logits):
        shapes.extend(each.shape for each in logits)
        return score(*logits)

    score = divergence._score
    monkeypatch.setattr(divergence, "_score", scored)
    features, others = torch.randn(2, rows, 4)
    projected_divergence(features, others, torch.randn(vocabulary, 4, requires_grad=True), torch.zeros(vocabulary))
    assert {shape[1] for shape in shapes} == {vocabulary}
    assert max(shape[0] for shape in shapes) == portion_of(features, vocabulary) < rows / 4
    assert sum(shape[0] for shape in shapes) == 2 * rows
