"""Processors: search ranks by what they make of the scores, and log_prob stays the model's own."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints
from nmt.search.processors import ForcedPrefix, RequiredMarks
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram, OwnMarks


class Bonus:
    """Adds to the log-probability of one token, wherever it stands, in the sentences that are constrained."""

    def __init__(self, token, gain, *, bounded=True):
        self.token, self.gain, self.bounded = token, gain, bounded

    def is_active(self, constraints, length):
        return True

    def process(self, scores, ids, prefix, constraints):
        scores[:, :, self.token] += self.gain
        return scores

    def most_added(self, constraints, length):
        # A hypothesis may take the token at every position that is left, 12 at most in these tests.
        most = max(0.0, self.gain) * (12 - length) if self.bounded else math.inf
        return np.full(len(constraints), most)


def constrained(count, *prefixes):
    return [Constraints(tuple(prefix)) for prefix in itertools.islice(itertools.cycle(prefixes or [()]), count)]


@pytest.mark.parametrize(("search", "places"), [(greedy_search, {}), (beam_search, {"beam_size": 4, "n_best": 4})])
def test_every_hypothesis_begins_with_its_prefix(tables, kind, search, places):
    processors = [ForcedPrefix()]
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, vocabulary=9, eos_bias=1.0, make=tables.MultiStepModel)
        constraints = constrained(6, [3, 1, 4], [], [5], [8, 8, 8, 8])
        found = tables.search(
            search, model, range(6), limits=12, processors=processors, constraints=constraints, **places
        )
        for start, (hypotheses, each) in enumerate(zip(found, constraints, strict=True)):
            for one in hypotheses:
                assert one.tokens[: len(each.prefix)] == list(each.prefix)
                assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, one.finished), abs=1e-5)
        # What nobody constrains is found as without processors, and a batch as its sentences alone.
        [free] = tables.search(search, tables.Stepping(model), [1], limits=12, **places)
        assert tables.plain(found[1]) == [
            (tokens, pytest.approx(log_prob), pytest.approx(score), finished)
            for tokens, log_prob, score, finished in tables.plain(free)
        ]
        for start in range(6):
            own = {"processors": processors, "constraints": constraints[start : start + 1]}
            [alone] = tables.search(search, model, [start], limits=12, **own, **places)
            assert [one.tokens for one in alone] == [one.tokens for one in found[start]]


def test_a_beam_behind_a_prefix_is_the_beam_of_what_is_left(tables, kind):
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, vocabulary=6)
        options = {"beam_size": 3, "n_best": 3, "length_penalty": 0}
        [found] = tables.search(
            beam_search,
            model,
            [2],
            limits=10,
            processors=[ForcedPrefix()],
            constraints=constrained(1, [4, 1]),
            **options,
        )
        expected = tables.reference_beam(
            model, model.node_after(2, [4, 1]), limit=8, penalty=0, normalization="average", beam_size=3, n_best=3
        )
        before = model.rescore(2, [4, 1], finished=False)
        assert [(tuple(one.tokens[2:]), one.finished) for one in found] == [(row[0], row[3]) for row in expected]
        for one, row in zip(found, expected, strict=True):
            assert one.log_prob == pytest.approx(before + row[1], abs=1e-5)


def test_the_best_behind_a_prefix_is_that_of_brute_force(tables, kind):
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=4)
        options = {"limits": 5, "processors": [ForcedPrefix()], "constraints": constrained(1, [3, 1])}
        [found] = tables.search(beam_search, model, [2], beam_size=100, n_best=100, length_penalty=0, **options)
        endings = tables.every_ending(model, model.node_after(2, [3, 1]), limit=3)
        before = model.rescore(2, [3, 1], finished=False)
        expected = tables.ranked([((3, 1, *one), before + p, end) for one, p, end in endings], 0, "average")
        tables.assert_same(tables.plain(found), expected)
        # Greedy search takes the best at each position behind it.
        [[greedy]] = tables.search(greedy_search, model, [2], **options)
        node, tokens = model.node_after(2, [3, 1]), [3, 1]
        while len(tokens) < 5 and (best := int(np.argmax(model.logits[node]))) != tables.EOS:
            node, tokens = model.following[node, best], [*tokens, best]
        assert greedy.tokens == tokens


def test_no_rule_is_asked_about_what_is_forced(tables, kind):
    model = tables.random_model(3, kind=kind, vocabulary=9)
    rules = [Forbidden([7]), MinimumLength(6, eos_id=0), NoRepeatNgram(1)]
    for beam_size in (1, 3):
        [[one]] = tables.search(
            greedy_search if beam_size == 1 else beam_search,
            model,
            [0],
            limits=12,
            beam_size=beam_size,
            rules=rules,
            processors=[ForcedPrefix()],
            constraints=constrained(1, [7, 7, 7]),
        )
        assert one.tokens[:3] == [7, 7, 7]
        rest = one.tokens[3:]
        assert 7 not in rest
        assert len(set(rest)) == len(rest) >= 3


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("gain", [3.0, -3.0])
def test_search_ranks_by_the_processed_score(tables, kind, gain, bounded):
    """The same as a model whose logits have the gain after normalisation: found by its definition on lists."""
    changed = 0
    for seed in range(20):
        model = tables.random_model(seed, kind=kind, vocabulary=5)

        class Processed:
            following = model.following

            @staticmethod
            def log_probs(node, model=model):
                own = model.log_probs(node)
                own[2] += gain
                return own

        options = {"beam_size": 4, "n_best": 2}
        [found] = tables.search(
            beam_search,
            model,
            [1],
            limits=12,
            processors=[Bonus(2, gain, bounded=bounded)],
            constraints=constrained(1),
            **options,
        )
        expected = tables.reference_beam(Processed, 1, limit=12, penalty=1.0, normalization="average", **options)
        assert [tuple(one.tokens) for one in found] == [row[0] for row in expected]
        for one, (tokens, total, score, finished) in zip(found, expected, strict=True):
            own = model.rescore(1, tokens, finished)
            assert one.log_prob == pytest.approx(own, abs=1e-5)
            assert one.score == pytest.approx(score, abs=1e-5)
            changed += not math.isclose(own, total)
        [greedy] = tables.search(
            greedy_search, model, [1], limits=12, processors=[Bonus(2, gain)], constraints=constrained(1)
        )
        [beam] = tables.search(
            beam_search, model, [1], limits=12, processors=[Bonus(2, gain)], constraints=constrained(1), beam_size=1
        )
        assert greedy == beam
    assert changed


def test_what_was_added_stays_when_a_processor_has_ended(tables, kind):
    class Early(Bonus):
        def is_active(self, constraints, length):
            return length < 2

        def most_added(self, constraints, length):
            return np.full(len(constraints), self.gain * max(0, 2 - length))

    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=5, eos_bias=-2)
        options = {"processors": [Early(2, 2.0)], "constraints": constrained(3)}
        for hypotheses in tables.search(beam_search, model, range(3), limits=9, beam_size=3, n_best=3, **options):
            for one in hypotheses:
                gain = 2.0 * one.tokens[:2].count(2)
                assert one.score == pytest.approx((one.log_prob + gain) / (len(one.tokens) + one.finished))


def test_without_constraints_processors_are_not_asked(tables, kind):
    class Never(Bonus):
        def is_active(self, constraints, length):
            raise AssertionError

    model = tables.random_model(1, kind=kind, make=tables.MultiStepModel)
    expected = tables.search(greedy_search, model, [0, 1], limits=9)
    assert tables.search(greedy_search, model, [0, 1], limits=9, processors=[Never(1, 1.0)]) == expected
    assert len(model.looks) > 0


def test_many_positions_are_taken_once_the_prefixes_have_ended(tables, kind):
    model = tables.random_model(5, kind=kind, vocabulary=9, eos_bias=-3, make=tables.MultiStepModel)
    options = {"processors": [ForcedPrefix()], "constraints": constrained(2, [3], [4, 5])}
    tables.search(greedy_search, model, [0, 1], limits=12, **options)
    assert model.shapes == [(2, 1), (2, 1)]
    assert sum(model.looks) == 10


def test_the_best_with_all_its_marks_is_that_of_brute_force(tables, kind):
    marks, options = Constraints(marks=(2, 3), requires_marks=True), {"limits": 5, "length_penalty": 0}
    lost = 0
    for seed in range(10):
        model = tables.random_model(seed, kind=kind, vocabulary=5)
        found, free = (
            tables.search(
                beam_search,
                model,
                [2],
                beam_size=600,
                n_best=600,
                rules=[OwnMarks(range(2, 5))],
                processors=[RequiredMarks(eos_id=tables.EOS)],
                constraints=[each],
                **options,
            )[0]
            for each in (marks, Constraints(marks=(2, 3)))
        )
        endings = [
            each
            for each in tables.every_ending(model, model.node_after(2, []), limit=5)
            if 4 not in each[0] and each[0].count(2) < 2 and each[0].count(3) < 2
        ]
        tables.assert_same(tables.plain(free), tables.ranked(endings, 0, "average"))
        whole = [each for each in endings if {2, 3} <= {*each[0]} or not each[2]]
        tables.assert_same(tables.plain(found), tables.ranked(whole, 0, "average"))
        lost += not {2, 3} <= {*free[0].tokens}
    assert lost
