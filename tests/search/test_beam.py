"""Beam search against a pencil, against its definition on lists, and against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nmt.search.beam import beam_search

PENALTIES = [(0.0, "gnmt"), (0.6, "gnmt"), (1.0, "gnmt"), (0.6, "average"), (1.0, "average"), (-0.5, "gnmt")]

# Five symbols: 0 EOS, 1 A, 2 B, 3 C, 4 D.
A, B, C, D = 1, 2, 3, 4
PENCIL = {
    #             EOS   A    B    C    D
    (): [0.10, 0.50, 0.35, 0.05, 0.0],
    (A,): [0.10, 0.20, 0.30, 0.25, 0.15],
    (B,): [0.05, 0.90, 0.05, 0.0, 0.0],
    (A, B): [0.60, 0.10, 0.10, 0.10, 0.10],
    (A, C): [0.40, 0.30, 0.10, 0.10, 0.10],
    (B, A): [0.50, 0.10, 0.20, 0.10, 0.10],
    (B, A, B): [0.90, 0.05, 0.05, 0.0, 0.0],
}


def pencil(tables, kind, **options):
    """Search the pencil table; probabilities instead of their logarithms."""
    model = tables.tree_model(PENCIL, kind=kind, vocabulary=5)
    [hypotheses] = tables.search(beam_search, model, [0], limits=4, **options)
    return [(one.tokens, pytest.approx(math.exp(one.log_prob)), one.score, one.finished) for one in hypotheses]


def test_pencil_beam_1(tables, kind):
    # A 0.5, A B 0.5·0.3 = 0.15, A B EOS 0.15·0.6 = 0.09
    [(tokens, probability, score, finished)] = pencil(tables, kind, beam_size=1, length_penalty=0)
    assert (tokens, finished) == ([A, B], True)
    assert probability == 0.5 * 0.3 * 0.6
    assert score == pytest.approx(math.log(0.09))


@pytest.mark.parametrize(("penalty", "normalization"), [(0.0, "gnmt"), (0.6, "gnmt"), (1.0, "average")])
def test_pencil_beam_2(tables, kind, penalty, normalization):
    # step 1: A 0.5, B 0.35 (EOS, 0.1, is third of two places: no end)
    # step 2: B A 0.35·0.9 = 0.315, A B 0.5·0.3 = 0.15 (A C 0.125)
    # step 3: B A EOS 0.315·0.5 = 0.1575 ends; A B EOS 0.15·0.6 = 0.09 ends (B A B 0.315·0.2 = 0.063 is third)
    found = pencil(tables, kind, beam_size=2, n_best=2, length_penalty=penalty, normalization=normalization)
    divisor = {"gnmt": (8 / 6) ** penalty, "average": 3**penalty}[normalization]
    assert found == [
        ([B, A], 0.35 * 0.9 * 0.5, pytest.approx(math.log(0.1575) / divisor), True),
        ([A, B], 0.5 * 0.3 * 0.6, pytest.approx(math.log(0.09) / divisor), True),
    ]


@pytest.mark.parametrize("normalization", ["gnmt", "average"])
def test_pencil_beam_3(tables, kind, normalization):
    # step 1: A 0.5, B 0.35, EOS 0.1 ends: two places are left
    # steps 2 and 3: as with beam 2
    def tokens(penalty):
        found = pencil(tables, kind, beam_size=3, n_best=3, length_penalty=penalty, normalization=normalization)
        return [one[0] for one in found]

    # 0: ln 0.1575 = -1.848, ln 0.1 = -2.303, ln 0.09 = -2.408
    assert tokens(0) == [[B, A], [], [A, B]]
    # 0.6: gnmt ÷ (8/6)^0.6 = 1.188: -1.555, -2.303 (÷ 1), -2.026; average ÷ 3^0.6 = 1.933: -0.956, -2.303, -1.246
    assert tokens(0.6) == [[B, A], [A, B], []]
    assert tokens(1) == [[B, A], [A, B], []]


def test_pencil_length_penalty_chooses_the_longer(tables, kind):
    # a: EOS 0.5 ends at once, ln 0.5 = -0.693; else A 0.5, A A 0.5·0.9, A A EOS 0.5·0.9·0.9 = 0.405, ln = -0.904
    tree = {(): [0.5, 0.5, 0.0], (A,): [0.05, 0.9, 0.05], (A, A): [0.9, 0.05, 0.05]}
    model = tables.tree_model(tree, kind=kind, vocabulary=3)

    def best(penalty, normalization):
        [[one]] = tables.search(
            beam_search, model, [0], limits=3, beam_size=2, length_penalty=penalty, normalization=normalization
        )
        return one.tokens, one.score

    assert best(0, "gnmt") == ([], pytest.approx(math.log(0.5)))
    # gnmt 0.6: -0.904 ÷ (8/6)^0.6 = -0.761 < -0.693; 1: -0.904 ÷ 8/6 = -0.678 > -0.693
    assert best(0.6, "gnmt") == ([], pytest.approx(math.log(0.5)))
    assert best(1, "gnmt") == ([A, A], pytest.approx(math.log(0.405) / (8 / 6)))
    assert best(1, "average") == ([A, A], pytest.approx(math.log(0.405) / 3))


def test_a_hypothesis_that_ends_keeps_its_place(tables, kind):
    # step 1: EOS 0.6 ends, B 0.3 is live, A 0.1 falls out of two places.
    # step 2, one place: B B 0.3·0.5; B EOS 0.3·0.4 is second of one place: no end, though it would rank second.
    # step 3: B B EOS 0.3·0.5·1.0
    tree = {(): [0.6, 0.1, 0.3], (B,): [0.4, 0.1, 0.5], (B, B): [1.0, 0.0, 0.0]}
    model = tables.tree_model(tree, kind=kind, vocabulary=3)
    [found] = tables.search(beam_search, model, [0], limits=5, beam_size=2, n_best=2, length_penalty=0)
    assert [(one.tokens, one.finished) for one in found] == [([], True), ([B, B], True)]
    assert math.exp(found[1].log_prob) == pytest.approx(0.15)


@pytest.mark.parametrize(("penalty", "normalization"), PENALTIES)
@pytest.mark.parametrize("beam_size", [1, 2, 3, 5, 8])
def test_equals_the_definition_without_early_stop(tables, kind, beam_size, penalty, normalization):
    for seed in range(12):
        model = tables.random_model(seed, kind=kind, eos_bias=seed % 3 - 1.0)
        starts, limits = list(range(8)), [1, 2, 3, 5, 8, 13, 9, 4]
        for n_best in {1, (beam_size + 1) // 2, beam_size}:
            options = {"beam_size": beam_size, "n_best": n_best, "normalization": normalization}
            found = tables.search(beam_search, model, starts, limits=limits, length_penalty=penalty, **options)
            for start, limit, hypotheses in zip(starts, limits, found, strict=True):
                expected = tables.reference_beam(model, start, limit=limit, penalty=penalty, **options)
                tables.assert_same(tables.plain(hypotheses), expected)


@pytest.mark.parametrize(("penalty", "normalization"), PENALTIES)
def test_a_beam_as_wide_as_the_tree_finds_everything(tables, kind, penalty, normalization):
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=4)
        every = tables.every_ending(model, 3, limit=4)  # 1 + 3 + 9 + 27 ends, 81 cut
        assert len(every) == 121
        [found] = tables.search(
            beam_search,
            model,
            [3],
            limits=4,
            beam_size=121,
            n_best=121,
            length_penalty=penalty,
            normalization=normalization,
        )
        tables.assert_same(tables.plain(found), tables.ranked(every, penalty, normalization))
        [[best]] = tables.search(
            beam_search, model, [3], limits=4, beam_size=121, length_penalty=penalty, normalization=normalization
        )
        assert best == found[0]


def test_log_prob_is_the_rescoring(tables, kind):
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, vocabulary=11)
        for start, hypotheses in enumerate(
            tables.search(beam_search, model, range(6), limits=12, beam_size=4, n_best=4)
        ):
            for one in hypotheses:
                rescored = model.rescore(start, one.tokens, one.finished)
                assert one.log_prob == pytest.approx(rescored, abs=1e-5)
                assert one.score == one.log_prob / (len(one.tokens) + one.finished)


def test_a_batch_gives_what_its_sentences_give_alone(tables, kind):
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=7)
        starts, limits, lengths = [5, 3, 8, 1, 9], [4, 1, 9, 6, 0], [2, 4, 1, 3, 2]
        options = {"beam_size": 4, "n_best": 3, "with_weights": True}
        together = tables.search(beam_search, model, starts, limits=limits, lengths=lengths, **options)
        for start, limit, length, found in zip(starts, limits, lengths, together, strict=True):
            [alone] = tables.search(beam_search, model, [start], limits=[limit], lengths=[length], **options)
            assert found == alone
            for one, other in zip(found, alone, strict=True):
                assert one.weights.shape == (len(one.tokens), length)
                assert np.allclose(one.weights, other.weights)


def test_both_kinds_of_array_give_the_same(tables):
    for seed in range(10):
        found = [
            tables.search(beam_search, tables.random_model(seed, kind=kind), range(6), limits=9, beam_size=4, n_best=4)
            for kind in ("numpy", "torch")
        ]
        for numpy_hypotheses, torch_hypotheses in zip(*found, strict=True):
            tables.assert_same(tables.plain(numpy_hypotheses), tables.plain(torch_hypotheses), tolerance=1e-6)


def test_no_hypothesis_comes_twice(tables, kind):
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, spread=0.3)
        for found in tables.search(beam_search, model, range(5), limits=6, beam_size=10, n_best=10):
            said = [(tuple(one.tokens), one.finished) for one in found]
            assert len(set(said)) == len(said)


def test_equal_candidates_come_in_order_of_place_and_id(tables, kind):
    tree = {(): [0.1, 0.225, 0.225, 0.225, 0.225], (A,): [0.2] * 5, (B,): [0.2] * 5}
    model = tables.tree_model(tree, kind=kind, vocabulary=5)
    [found] = tables.search(beam_search, model, [0], limits=2, beam_size=2, n_best=2)
    # step 1: A and B of the four equals; step 2: ten equals, of which A EOS comes first, A A second
    assert [(one.tokens, one.finished) for one in found] == [([A], True), ([A, A], False)]


def test_finished_sentences_leave_and_memory_is_never_copied(tables, kind):
    # From node n the model counts down n, n - 1, … and ends: sentence n takes n + 1 steps.
    nodes = 6
    logits = np.full((nodes, 3), -20.0)
    logits[:, 1] = 0.0
    logits[0] = [0.0, -20.0, -20.0]
    following = np.maximum(np.arange(nodes) - 1, 0)[:, None].repeat(3, 1)
    model = tables.TableModel(logits, following, kind)
    starts = [2, 5, 0, 3, 3]
    found = tables.search(beam_search, model, starts, limits=10, lengths=[3, 1, 4, 2, 2], beam_size=2)
    assert [one.tokens for [one] in found] == [[1] * start for start in starts]
    # steps 1…6 are taken by the sentences that start at or above 0…5
    assert model.shapes[0] == (5, 1)
    assert [shape[0] for shape in model.shapes] == [5, 4, 4, 3, 1, 1]
    assert all(1 <= shape[1] <= 2 for shape in model.shapes)
    assert [len(memory) for memory in model.memories] == [5, 4, 4, 3, 1, 1]
    # The very same memory is passed on as long as no sentence leaves, whatever happens to the places.
    assert model.memories[1] is model.memories[2]
    assert model.memories[0].shape == (5, 4)


def test_places_never_exceed_the_live_width(tables, kind):
    tree = {(): [0.4, 0.3, 0.3], (A,): [0.4, 0.3, 0.3], (B,): [0.4, 0.3, 0.3]}
    model = tables.tree_model(tree, kind=kind, vocabulary=3)
    tables.search(beam_search, model, [0], limits=6, beam_size=3, n_best=3, length_penalty=0)
    # one place at first; EOS ends at step 1, A EOS and B EOS (0.3·0.4 each) at step 2: nothing is live
    assert model.shapes == [(1, 1), (1, 3)]


def test_a_vocabulary_smaller_than_the_beam(tables, kind):
    model = tables.random_model(1, kind=kind, vocabulary=2, eos_bias=-1)
    [found] = tables.search(beam_search, model, [0], limits=4, beam_size=9, n_best=9, length_penalty=0)
    expected = tables.ranked(tables.every_ending(model, 0, limit=4), 0, "gnmt")
    assert len(expected) == 5
    tables.assert_same(tables.plain(found), expected)


def test_a_hypothesis_cut_at_its_limit_is_unfinished(tables, kind):
    model = tables.random_model(2, kind=kind, eos_bias=-50)
    limits = [0, 1, 3, 7]
    found = tables.search(beam_search, model, [1, 2, 3, 4], limits=limits, beam_size=3, n_best=3)
    for start, limit, hypotheses in zip([1, 2, 3, 4], limits, found, strict=True):
        assert len(hypotheses) == (3 if limit else 1)
        for one in hypotheses:
            assert not one.finished
            assert len(one.tokens) == limit
            assert 0 not in one.tokens
            assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, finished=False), abs=1e-5)


def test_the_limit_counts_eos(tables, kind):
    # A EOS takes two positions: with a limit of 1 it is cut.
    model = tables.tree_model({(): [0.1, 0.9], (A,): [0.9, 0.1]}, kind=kind, vocabulary=2)
    found = [tables.search(beam_search, model, [0], limits=limit, beam_size=1)[0][0] for limit in (1, 2)]
    assert [(one.tokens, one.finished) for one in found] == [([A], False), ([A], True)]


def test_finished_hypotheses_come_before_cut_ones(tables, kind):
    # EOS at once is a poor 0.06, the cut A A a rich 0.81, yet only one of them is a translation.
    model = tables.tree_model({(): [0.06, 0.9, 0.04], (A,): [0.06, 0.9, 0.04]}, kind=kind, vocabulary=3)
    [found] = tables.search(beam_search, model, [0], limits=2, beam_size=2, n_best=2, length_penalty=0)
    assert [(one.tokens, one.finished) for one in found] == [([], True), ([A, A], False)]
    assert found[0].score < found[1].score


def test_the_search_stops_as_soon_as_nothing_can_improve(tables, kind):
    # EOS 0.9 at once; A 0.1 is live, and whatever follows is sure.
    tree = {(): [0.9, 0.1], (A,): [0.0, 1.0]}
    tree |= {(A,) * n: [0.0, 1.0] for n in range(2, 30)}

    def steps(n_best, penalty, normalization):
        model = tables.tree_model(tree, kind=kind, vocabulary=2)
        options = {"beam_size": 2, "n_best": n_best, "length_penalty": penalty, "normalization": normalization}
        assert tables.search(beam_search, model, [0], limits=25, **options)[0][0].tokens == []
        return len(model.shapes)

    # ln 0.9 = -0.105, ln 0.1 = -2.303; after 25 positions gnmt divides it by 5, average by 25: -0.461, -0.092
    assert steps(1, 0.0, "gnmt") == 1
    assert steps(1, 1.0, "gnmt") == 1
    assert steps(1, 1.0, "average") == 25
    assert steps(2, 0.0, "gnmt") == 25  # a second hypothesis is wanted


def test_attention_follows_the_places(tables, kind):
    swapped = 0
    for seed in range(10):
        model = tables.random_model(seed, kind=kind)
        starts, lengths = [4, 7, 2], [3, 5, 1]
        found = tables.search(
            beam_search, model, starts, limits=6, lengths=lengths, beam_size=4, n_best=4, with_weights=True
        )
        swapped += any(row != sorted(row) for step in model.reorders for row in step)
        for start, length, hypotheses in zip(starts, lengths, found, strict=True):
            for one in hypotheses:
                assert one.weights.shape == (len(one.tokens), length)
                for position, row in enumerate(one.weights):
                    node = model.node_after(start, one.tokens[:position])
                    energies = np.exp(np.cos(float(node) * np.arange(1, length + 1)))
                    assert np.allclose(row, energies / energies.sum(), atol=1e-6)
    assert swapped  # places did change places


def test_attention_is_left_out_where_there_is_none(tables, kind):
    model = tables.random_model(0, kind=kind)
    assert tables.search(beam_search, model, [1], limits=3)[0][0].weights is None
    model.attends = False
    assert tables.search(beam_search, model, [1], limits=3, with_weights=True)[0][0].weights is None
