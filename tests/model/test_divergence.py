"""The divergence in portions is the formula of all logits at once, in value and gradient."""

import pytest
import torch
import torch.nn.functional as F

from nmt.model import cross_entropy
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


def test_no_logits_of_all_positions_are_kept():
    """On a CPU the largest tensors are those of a portion, or of the output matrix."""
    rows, vocabulary = 4096, 1000
    features, others = torch.randn(2, rows, 4)
    weight, bias = torch.randn(vocabulary, 4, requires_grad=True), torch.zeros(vocabulary)
    with torch.profiler.profile(profile_memory=True, record_shapes=True) as profile:
        projected_divergence(features, others, weight, bias).backward()
    shapes = [shape for event in profile.events() for shape in event.input_shapes if len(shape) == 2]
    assert cross_entropy.portion_of(features, vocabulary) in {shape[0] for shape in shapes if shape[1] == vocabulary}
    assert max(shape[0] for shape in shapes if shape[1] == vocabulary) < rows / 4
