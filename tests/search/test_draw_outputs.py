"""Sampling as a user asks for it: under rules and prefixes, against probabilities worked out one by one."""

import itertools
import math

import numpy as np
import pytest

from nmt.errors import RunError
from nmt.search.decode import decode
from nmt.search.distribution import Sampling, probabilities
from nmt.search.interface import Constraints
from nmt.search.processors import ForcedPrefix
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram
from nmt.search.sampling import Draw, key_of, uniform_numbers
from nmt.search.stepper import Stepper

EOS = 0


def drawn(tables, model, starts, *, sampling, draws=None, limits=6, constraints=(), samples=1, rules=(), **options):
    """Outputs of sentences that start from these nodes."""
    source, lengths = model.batch(starts)
    limits = [limits] * len(starts) if isinstance(limits, int) else limits
    options = tables.options_for(
        model,
        sampling=sampling,
        beam_size=samples,
        n_best=samples,
        rules=rules,
        processors=[ForcedPrefix()],
        **options,
    )
    stepper = Stepper(model, source, lengths, max_lengths=limits, options=options, constraints=constraints)
    return decode(stepper, draws or [Draw(key) for key in range(len(starts))])


def exact(model, node, sampling, *, limit, forbidden=(), least=0):
    """The probability of everything that can be drawn, {(tokens, finished): p}, by the definition."""

    def spread(node, tokens, p):
        if len(tokens) == limit:
            yield (tokens, False), p
            return
        scores = np.array(model.log_probs(node))
        scores[list(forbidden)] = -np.inf
        if len(tokens) < least:
            scores[EOS] = -np.inf
        for token, share in enumerate(probabilities(scores[None, None], sampling)[0, 0]):
            if share and token == EOS:
                yield (tokens, True), p * share
            elif share:
                yield from spread(model.following[node, token], (*tokens, token), p * share)

    return dict(spread(node, (), 1.0))


@pytest.mark.parametrize(
    "sampling",
    [Sampling(seed=3), Sampling(0.6, seed=4), Sampling(top_k=2, seed=5), Sampling(1.3, 3, 0.7, seed=6)],
    ids=["plain", "temperature", "top-k", "all"],
)
def test_outputs_come_as_often_as_they_should(tables, kind, sampling):
    """A chi-square of all outputs, and its 0.999 quantile by Wilson and Hilferty; seeds are fixed."""
    model = tables.random_model(11, kind=kind, vocabulary=5, spread=1.0)
    expected = exact(model, 2, sampling, limit=3, forbidden=[4], least=1)
    rules = [Forbidden([4]), MinimumLength(1, eos_id=EOS)]
    count = 4000
    found = drawn(tables, model, [2] * 40, sampling=sampling, samples=count // 40, limits=3, rules=rules)
    counts = dict.fromkeys(expected, 0)
    for one in itertools.chain.from_iterable(found):
        counts[tuple(one.tokens), one.finished] += 1
        assert one.log_prob == pytest.approx(model.rescore(2, one.tokens, one.finished), abs=1e-5)
    # What is too rare for the approximation is one class.
    rare = [output for output, p in expected.items() if p * count < 5]
    classes = [(p * count, counts[output]) for output, p in expected.items() if output not in rare]
    if rare:
        classes.append((sum(expected[each] for each in rare) * count, sum(counts[each] for each in rare)))
    statistic = sum((seen - mean) ** 2 / mean for mean, seen in classes)
    degrees = len(classes) - 1
    assert degrees >= 3
    quantile = degrees * (1 - 2 / (9 * degrees) + 3.09 * math.sqrt(2 / (9 * degrees))) ** 3
    assert statistic < quantile


def test_an_output_depends_on_its_seed_its_key_and_its_number_alone(tables, kind):
    model = tables.random_model(5, kind=kind, vocabulary=8, eos_bias=0.5)
    starts, draws = [3, 1, 7, 1, 4], [Draw(90 + i) for i in range(5)]
    sampling = Sampling(0.9, 6, 0.95, seed=8)
    together = drawn(tables, model, starts, sampling=sampling, draws=draws, samples=4, limits=9)
    assert [len(each) for each in together] == [4] * 5
    order = [4, 2, 0, 3, 1]
    shuffled = drawn(
        tables,
        model,
        [starts[i] for i in order],
        sampling=sampling,
        draws=[draws[i] for i in order],
        samples=4,
        limits=9,
    )
    for place, row in enumerate(order):
        tables.assert_same(tables.plain(shuffled[place]), tables.plain(together[row]))
    for row, (start, each) in enumerate(zip(starts, draws, strict=True)):
        for number in range(4):
            own = each._replace(first=1 + number)
            [[alone]] = drawn(tables, model, [start], sampling=sampling, draws=[own], limits=9)
            tables.assert_same(tables.plain([alone]), tables.plain(together[row][number : number + 1]))
    other = drawn(tables, model, starts, sampling=Sampling(0.9, 6, 0.95, seed=9), draws=draws, samples=4, limits=9)
    assert [[one.tokens for one in each] for each in other] != [[one.tokens for one in each] for each in together]


def test_a_prefix_is_forced_and_what_follows_is_drawn_as_behind_it(tables, kind):
    model = tables.random_model(6, kind=kind, vocabulary=6)
    sampling, prefix = Sampling(seed=2), (4, 1)
    constraints = [Constraints(prefix), Constraints(), Constraints((5,) * 6)]
    found = drawn(tables, model, [2, 2, 2], sampling=sampling, samples=300, limits=[4, 4, 6], constraints=constraints)
    assert all(tuple(one.tokens[:2]) == prefix for one in found[0])
    assert {tuple(one.tokens) for one in found[2]} == {(5,) * 6}
    assert not any(one.finished for one in found[2])
    for hypotheses in found:
        for one in hypotheses:
            assert one.log_prob == pytest.approx(model.rescore(2, one.tokens, one.finished), abs=1e-5)
    expected = exact(model, model.node_after(2, prefix), sampling, limit=2)
    for output, p in expected.items():
        seen = sum((tuple(one.tokens[2:]), one.finished) == output for one in found[0])
        assert abs(seen - 300 * p) < 4 * math.sqrt(300 * p * (1 - p)) + 1


def test_no_rule_is_asked_about_what_is_forced(tables, kind):
    model = tables.random_model(3, kind=kind, vocabulary=6)
    rules = [Forbidden([5]), NoRepeatNgram(1)]
    [found] = drawn(tables, model, [1], sampling=Sampling(), samples=50, constraints=[Constraints((5, 5))], rules=rules)
    for one in found:
        assert one.tokens[:2] == [5, 5]
        assert 5 not in one.tokens[2:]
        assert len(set(one.tokens[2:])) == len(one.tokens[2:])


def test_a_temperature_near_zero_is_greedy_search(tables, kind):
    from nmt.search.greedy import greedy_search

    model = tables.random_model(8, kind=kind, vocabulary=7)
    greedy = tables.search(greedy_search, model, range(6), limits=8)
    for sampling in (Sampling(1e-3), Sampling(top_k=1), Sampling(top_p=1e-9)):
        found = drawn(tables, model, range(6), sampling=sampling, limits=8)
        for one, other in zip(found, greedy, strict=True):
            tables.assert_same(tables.plain(one), tables.plain(other))


def test_a_sample_to_which_the_rules_leave_nothing_is_cut_as_it_was(tables, kind):
    # Node 0: a (1) or b (2). After a nothing but a, which may not come twice; after b the end.
    with np.errstate(divide="ignore"):
        table = np.log(np.array([[0, 0.5, 0.5], [0, 1, 0], [1, 0, 0]]))
    model = tables.TableModel(table, np.array([[0, 1, 2], [1, 1, 1], [2, 2, 2]]), kind)
    [found] = drawn(tables, model, [0], sampling=Sampling(), samples=20, rules=[NoRepeatNgram(1)])
    assert len(found) == 20
    assert {(tuple(one.tokens), one.finished) for one in found} == {((1,), False), ((2,), True)}


def test_attention_comes_with_samples_too(tables, kind):
    model = tables.random_model(4, kind=kind, vocabulary=6)
    [found] = drawn(tables, model, [1], sampling=Sampling(), samples=3, with_weights=True)
    assert [one.weights.shape for one in found] == [(len(one.tokens), 1) for one in found]


def test_scores_that_are_no_numbers_end_the_run(tables, kind):
    model = tables.TableModel(np.array([[np.nan, 0.0]]), np.zeros((1, 2), dtype=int), kind)
    with pytest.raises(RunError, match="scores at target position 1 are not numbers"):
        drawn(tables, model, [0], sampling=Sampling())


def test_keys_tell_rows_apart_and_streams_begin_where_they_are_told():
    assert len({key_of((1, 2)), key_of((1,), (2,)), key_of((2, 1)), key_of((), (1, 2)), key_of()}) == 5
    assert key_of([1, 2]) == key_of((1, 2)) == 18184059676885706946
    whole = uniform_numbers((3,), keys=[5, 6], streams=4, positions=3)
    later = uniform_numbers((3,), keys=[5, 6], streams=2, positions=3, first=[3, 1])
    assert np.array_equal(later[0], whole[0, 2:])
    assert np.array_equal(later[1], whole[1, :2])
