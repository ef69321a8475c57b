"""The CRF against brute force over all sequences: values and gradients."""

import itertools

import pytest
import torch

from nmt.model.crf import CRF


@pytest.fixture
def crf():
    torch.manual_seed(3)
    layer = CRF(3).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def score(crf, emissions, labels):
    """s(x, y) of one sentence (T, Y), written out."""
    total = crf.start[labels[0]] + crf.end[labels[-1]]
    total = total + sum(emissions[t, y] for t, y in enumerate(labels))
    return total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(labels))


def brute_force(crf, emissions, labels):
    """log p(y | x) of one sentence, by all Y^T sequences."""
    everything = [score(crf, emissions, other) for other in itertools.product(range(3), repeat=len(emissions))]
    return score(crf, emissions, labels) - torch.stack(everything).logsumexp(0)


LENGTHS = [4, 1, 2, 5]


@pytest.fixture
def batch():
    torch.manual_seed(5)
    emissions = torch.randn(4, 5, 3, dtype=torch.double, requires_grad=True)
    labels = torch.randint(0, 3, (4, 5))
    mask = torch.arange(5) < torch.tensor(LENGTHS).unsqueeze(1)
    return emissions, labels, mask


def test_the_log_likelihood_is_that_of_all_sequences(crf, batch):
    emissions, labels, mask = batch
    emissions = emissions.detach()
    found = crf.log_likelihood(emissions, labels, mask)
    for row, length in enumerate(LENGTHS):
        expected = brute_force(crf, emissions[row, :length], labels[row, :length].tolist())
        assert found[row].item() == pytest.approx(expected.item(), abs=1e-12)


def test_so_are_its_gradients(crf, batch):
    emissions, labels, mask = batch
    variables = [emissions, *crf.parameters()]
    found = torch.autograd.grad(crf.log_likelihood(emissions, labels, mask).sum(), variables)
    rows = [brute_force(crf, emissions[i, :n], labels[i, :n].tolist()) for i, n in enumerate(LENGTHS)]
    expected = torch.autograd.grad(torch.stack(rows).sum(), variables)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_probabilities_of_all_sequences_sum_to_one(crf):
    emissions = torch.randn(1, 3, 3, dtype=torch.double).expand(27, 3, 3)
    labels = torch.tensor(list(itertools.product(range(3), repeat=3)))
    probabilities = crf.log_likelihood(emissions, labels, torch.ones(27, 3, dtype=torch.bool)).exp()
    assert probabilities.sum().item() == pytest.approx(1)


def test_a_sentence_scores_the_same_whatever_its_batch(crf, batch):
    emissions, labels, mask = (part.detach().clone() for part in batch)
    crf = crf.float()
    emissions = emissions.float()
    together = crf.log_likelihood(emissions, labels, mask)
    for row, length in enumerate(LENGTHS):
        part = slice(row, row + 1)
        alone = crf.log_likelihood(emissions[part, :length], labels[part, :length], mask[part, :length])
        assert alone.item() == together[row].item()


def test_what_stands_at_padding_does_not_count(crf, batch):
    emissions, labels, mask = batch
    other = torch.where(mask.unsqueeze(2), emissions, torch.full_like(emissions, 7.0))
    changed = torch.where(mask, labels, 2 - labels)
    assert torch.equal(crf.log_likelihood(emissions, labels, mask), crf.log_likelihood(other, changed, mask))
