"""Viterbi against brute force, and against a table worked out by hand."""

import itertools
import math

import numpy as np
import pytest
import torch

from nmt.model.crf import CRF
from nmt.search.viterbi import Transitions, viterbi

LENGTHS = np.array([5, 1, 3, 2])


@pytest.fixture
def emissions():
    return np.random.default_rng(1).normal(size=(4, 5, 3))


@pytest.fixture
def transitions():
    draw = np.random.default_rng(2)
    return Transitions(draw.normal(size=(3, 3)), draw.normal(size=3), draw.normal(size=3))


def score(emissions, transitions, labels):
    total = transitions.start[labels[0]] + transitions.end[labels[-1]]
    total += sum(emissions[t, y] for t, y in enumerate(labels))
    return total + sum(transitions.between[a, b] for a, b in itertools.pairwise(labels))


def test_the_best_sequence_is_that_of_brute_force(emissions, transitions):
    paths = viterbi(emissions, LENGTHS, transitions)
    for rows, length, path in zip(emissions, LENGTHS, paths, strict=True):
        scores = {y: score(rows, transitions, y) for y in itertools.product(range(3), repeat=int(length))}
        best = max(scores, key=scores.__getitem__)
        assert path.labels == list(best)
        assert path.score == pytest.approx(scores[best])
        log_z = math.log(sum(map(math.exp, scores.values())))
        assert path.log_prob == pytest.approx(scores[best] - log_z)


def test_a_transition_may_overrule_the_emissions():
    # The best labels one by one are 0, 1: 1 + 1 - 3 = -1; staying at 0 has 1 + 0.5 + 0 = 1.5.
    transitions = Transitions(np.array([[0.0, -3.0], [0.0, 0.0]]), np.zeros(2), np.zeros(2))
    [path] = viterbi(np.array([[[1.0, 0.0], [0.5, 1.0]]]), np.array([2]), transitions)
    assert (path.labels, path.score) == ([0, 0], 1.5)


def test_what_is_forbidden_is_never_chosen_nor_counted(emissions, transitions):
    forbidden = Transitions(np.where(np.eye(3, dtype=bool), -np.inf, 0.0), np.array([-np.inf, 0, 0]), np.zeros(3))
    for rows, length, path in zip(
        emissions, LENGTHS, viterbi(emissions, LENGTHS, transitions.plus(forbidden)), strict=True
    ):
        allowed = [
            y
            for y in itertools.product(range(3), repeat=int(length))
            if y[0] and all(a != b for a, b in itertools.pairwise(y))
        ]
        scores = {y: score(rows, transitions, y) for y in allowed}
        best = max(scores, key=scores.__getitem__)
        assert path.labels == list(best)
        assert path.log_prob == pytest.approx(scores[best] - math.log(sum(map(math.exp, scores.values()))))


def test_a_sentence_has_the_same_labels_whatever_its_batch(emissions, transitions):
    paths = viterbi(emissions, LENGTHS, transitions)
    alone = [viterbi(emissions[i : i + 1, :n], LENGTHS[i : i + 1], transitions)[0] for i, n in enumerate(LENGTHS)]
    assert paths == alone


def test_its_log_probability_is_the_crfs(emissions, transitions):
    crf = CRF(3).double()
    with torch.no_grad():
        for parameter, values in zip((crf.transitions, crf.start, crf.end), transitions, strict=True):
            parameter.copy_(torch.from_numpy(values))
    paths = viterbi(emissions, LENGTHS, transitions)
    labels = torch.zeros(4, 5, dtype=torch.long)
    for row, path in enumerate(paths):
        labels[row, : len(path.labels)] = torch.tensor(path.labels)
    mask = torch.arange(5) < torch.from_numpy(LENGTHS).unsqueeze(1)
    found = crf.log_likelihood(torch.from_numpy(emissions), labels, mask)
    assert found.tolist() == pytest.approx([path.log_prob for path in paths])
