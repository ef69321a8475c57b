"""The output layer with its loss: PyTorch's own in value and gradients, however many positions are made at once."""

import pytest
import torch
import torch.nn.functional as F

from nmt.model import cross_entropy
from nmt.model.cross_entropy import projected_cross_entropy
from nmt.model.lexicon import LexiconBias

N, E, V, U = 53, 6, 11, 4


@pytest.fixture
def inputs():
    """Features, matrix, bias and a lexicon's scores, which all want gradients."""
    torch.manual_seed(2)
    shapes = [(N, E), (V, E), (V,), (N, U)]
    return [torch.randn(shape).requires_grad_() for shape in shapes]


@pytest.fixture
def targets():
    return torch.randint(0, V, (N,), generator=torch.Generator().manual_seed(3))


@pytest.fixture
def words():
    """What the sentences are offered; some twice, whose scores add up."""
    return torch.randint(0, V, (N, U), generator=torch.Generator().manual_seed(4))


def expected_of(inputs, targets, words, smoothing):
    features, weight, bias, scores = inputs
    logits = (features @ weight.T + bias).scatter_add(-1, words, scores)
    likelihood = F.cross_entropy(logits, targets, reduction="sum")
    return F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing), likelihood.detach()


def found_of(inputs, targets, words, smoothing):
    features, weight, bias, scores = inputs
    lexicon_bias = LexiconBias(words, scores)
    return projected_cross_entropy(
        features, weight, bias, targets, label_smoothing=smoothing, lexicon_bias=lexicon_bias
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("cached", [1, 20 * V, 1000 * V], ids=["sixteen", "twenty", "all"])
def test_it_is_pytorchs_in_value_and_gradient(inputs, targets, words, smoothing, scale, cached, monkeypatch):
    """Also where the true word's probability is nothing in floating point, and where the last portion is smaller."""
    monkeypatch.setattr(cross_entropy, "_CACHED_LOGITS", cached)
    inputs[0] = (scale * inputs[0]).detach().requires_grad_()
    found, likelihood = found_of(inputs, targets, words, smoothing)
    expected, expected_likelihood = expected_of(inputs, targets, words, smoothing)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(likelihood, expected_likelihood)
    assert not likelihood.requires_grad
    for ours, theirs in zip(
        torch.autograd.grad(3 * found, inputs), torch.autograd.grad(3 * expected, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * scale, rtol=1e-4)


def test_it_comes_without_a_lexicon(inputs, targets):
    features, weight, bias, _ = inputs
    found, _ = projected_cross_entropy(features, weight, bias, targets, label_smoothing=0.1)
    expected = F.cross_entropy(features @ weight.T + bias, targets, reduction="sum", label_smoothing=0.1)
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs[:3]), torch.autograd.grad(expected, inputs[:3]), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", [16, 40, 512])
def test_nothing_is_kept_where_no_gradient_is_wanted(inputs, targets, words, rows, monkeypatch):
    monkeypatch.setattr(cross_entropy, "_CACHED_LOGITS", 1)
    monkeypatch.setattr(cross_entropy, "_LEAST_ROWS", rows)
    with torch.no_grad():
        found, likelihood = found_of(inputs, targets, words, 0.1)
    expected, expected_likelihood = expected_of(inputs, targets, words, 0.1)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(likelihood, expected_likelihood)
    assert not found.requires_grad


def test_features_in_bf16_have_gradients_in_bf16_and_weights_in_fp32(inputs, targets, words):
    """What the sums lose is what the products do: all else is of fp32."""
    rounded = inputs[0].detach().bfloat16().requires_grad_()
    found, likelihood = found_of([rounded, *inputs[1:]], targets, words, 0.1)
    assert found.dtype == likelihood.dtype == torch.float32
    torch.testing.assert_close(found, expected_of(inputs, targets, words, 0.1)[0], rtol=0.01, atol=0)
    gradients = torch.autograd.grad(found, [rounded, *inputs[1:]])
    assert [gradient.dtype for gradient in gradients] == [torch.bfloat16, *[torch.float32] * 3]
    exact = torch.autograd.grad(expected_of(inputs, targets, words, 0.1)[0], inputs)
    for ours, theirs in zip(gradients, exact, strict=True):
        assert (ours.float() - theirs).norm() < 0.02 * theirs.norm()
