"""Rules: what they take away, that every decoder keeps to them, and that they leave log_prob alone."""

from __future__ import annotations

import numpy as np
import pytest

from nmt.search.arrays import Continuations, TorchOperations
from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.interface import Constraints
from nmt.search.rules import Forbidden, MinimumLength, NoRepeatNgram, OwnMarks, Prefix


def decode(tables, model, starts, *, beam_size, rules, limit=12):
    """One list of hypotheses a sentence, from greedy search (beam_size 0) or from the beam."""
    if not beam_size:
        return tables.search(greedy_search, model, starts, limits=limit, rules=rules)
    return tables.search(beam_search, model, starts, limits=limit, rules=rules, beam_size=beam_size, n_best=beam_size)


def excluded(rule, tokens, vocabulary=6, constraints=()):
    """The token ids that a rule takes from each place, after prefixes (B, K, T)."""
    tokens = np.array(tokens, dtype=np.int64)
    sentences, places, ids = (array.ravel() for array in np.indices((*tokens.shape[:2], vocabulary)))
    prefix = Prefix(np.arange(len(tokens)), tokens.shape[2], lambda: tokens, constraints)
    allowed = rule.allowed(Continuations(sentences, places, ids, np.zeros(len(ids))), prefix)
    if allowed is None:
        allowed = np.ones(len(ids), dtype=np.bool_)
    assert allowed.dtype == np.bool_
    allowed = allowed.reshape(*tokens.shape[:2], vocabulary)
    return [[np.flatnonzero(~place).tolist() for place in row] for row in allowed]


def test_forbid():
    assert excluded(Forbidden([4, 1, 4]), [[[], []]]) == [[[1, 4], [1, 4]]]
    assert excluded(Forbidden([]), [[[1]]]) == [[[]]]


def test_minimum_length():
    rule = MinimumLength(2, eos_id=3)
    assert excluded(rule, [[[]]]) == [[[3]]]
    assert excluded(rule, [[[1]]]) == [[[3]]]
    assert excluded(rule, [[[1, 1]]]) == [[[]]]


def test_no_repeat_ngram():
    tokens = [[[1, 2, 1, 2, 1], [5, 4, 3, 2, 1]], [[1, 1, 1, 1, 1], [2, 1, 3, 4, 1]]]
    assert excluded(NoRepeatNgram(1), tokens) == [[[1, 2], [1, 2, 3, 4, 5]], [[1], [1, 2, 3, 4]]]
    assert excluded(NoRepeatNgram(2), tokens) == [[[2], []], [[1], [3]]]
    assert excluded(NoRepeatNgram(3), tokens) == [[[2], []], [[1], []]]
    assert excluded(NoRepeatNgram(5), tokens) == [[[], []], [[1], []]]
    assert excluded(NoRepeatNgram(6), tokens) == [[[], []], [[], []]]
    assert excluded(NoRepeatNgram(1), [[[]]]) == [[[]]]


def test_marks_come_from_the_source_and_once():
    rule, own = OwnMarks(range(2, 5)), [Constraints(marks=(2, 4)), Constraints()]
    assert excluded(rule, [[[]], [[]]]) == [[[2, 3, 4]], [[2, 3, 4]]]
    assert excluded(rule, [[[]], [[]]], constraints=own) == [[[3]], [[2, 3, 4]]]
    assert excluded(rule, [[[1, 2], [4, 2]], [[5, 5], [0, 1]]], constraints=own) == [
        [[2, 3], [2, 3, 4]],
        [[2, 3, 4]] * 2,
    ]
    assert excluded(OwnMarks(range(2, 2)), [[[1]]]) == [[[]]]
    for tokens, expected in (([[5, 1]], True), ([[5, 4]], False), ([[5, 6]], True)):
        assert rule.allows_all(np.array([tokens]), 3) is expected


def test_forbidding_says_at_once_that_everything_is_allowed():
    """Most steps end there: special symbols have low ids, and seldom are among the best."""
    rule, prefix = Forbidden([0, 1, 4]), Prefix(np.arange(1), 0, lambda: np.zeros((1, 1, 0), dtype=np.int64))
    for tokens, allowed in (([5, 9], None), ([9, 3, 4], [True, True, False]), ([], None)):
        ids = np.array(tokens, dtype=np.int64)
        found = rule.allowed(Continuations(np.zeros_like(ids), np.zeros_like(ids), ids, np.zeros(len(ids))), prefix)
        assert found is None if allowed is None else found.tolist() == allowed


def test_a_rule_that_has_nothing_against_many_positions_says_so():
    random = np.random.default_rng(1)
    rules = [Forbidden([0, 2]), Forbidden([]), MinimumLength(3, eos_id=1), NoRepeatNgram(2)]
    seen = set()
    for _ in range(200):
        tokens = random.choice(9, size=(4, 2, 3), p=[0.005, 0.05, 0.005, *[0.94 / 6] * 6])
        length = int(random.integers(4))
        sure = [rule.allows_all(tokens, length) for rule in rules]
        forbidden = [(tokens == 0) | (tokens == 2), (tokens == 1) & (np.arange(4)[:, None, None] + length < 3)]
        assert sure == [not forbidden[0].any(), True, not forbidden[1].any(), False]
        seen.add(tuple(sure))
    assert len(seen) == 4


class Watch:
    """A rule that is a function, and doubts all that was taken at once."""

    def __init__(self, allowed):
        self.allowed = allowed

    def allows_all(self, tokens, length):
        return False

    def ids_at_risk(self, prefix):
        return None


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_what_is_beyond_question_is_not_asked(tables, search):
    class Counted:
        asked = 0

        def __init__(self, *, allows_all):
            self.allows_all = lambda tokens, length: allows_all

        def allowed(self, found, prefix):
            self.asked += 1

    model = tables.random_model(3, kind="numpy", vocabulary=9, make=tables.MultiStepModel)
    sure, unsure = Counted(allows_all=True), Counted(allows_all=False)
    tables.search(search, model, [0], limits=9, rules=[sure, unsure])
    assert unsure.asked - sure.asked == sum(model.looks) > 0


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_every_decoder_keeps_to_the_rules(tables, kind, beam_size):
    broken = 0
    for seed in range(15):
        model = tables.random_model(seed, kind=kind, vocabulary=7)
        rules = [Forbidden([2, 6]), MinimumLength(4, eos_id=0), NoRepeatNgram(2)]
        for rule_set in ([], rules):
            for start, hypotheses in enumerate(decode(tables, model, range(5), beam_size=beam_size, rules=rule_set)):
                for one in hypotheses:
                    bigrams = list(zip(one.tokens, one.tokens[1:], strict=False))
                    kept = not {2, 6} & set(one.tokens) and len(one.tokens) >= 4 and len(set(bigrams)) == len(bigrams)
                    broken += not kept and not rule_set
                    assert kept or not rule_set
                    # the model's own probability, as if there were no rules
                    rescored = model.rescore(start, one.tokens, one.finished)
                    assert one.log_prob == pytest.approx(rescored, abs=1e-5)
    assert broken > 20  # without the rules, they would not have been kept


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_the_prefix_is_what_was_emitted(tables, kind, beam_size):
    seen = []

    def watch(found, prefix):
        assert prefix.tokens.shape[2] == prefix.length
        assert found.sentences.max() < len(prefix.sentences) == len(prefix.tokens)
        assert found.places.max() < prefix.tokens.shape[1]
        seen.append((prefix.sentences.tolist(), prefix.tokens.tolist()))
        return found.tokens >= 0

    model = tables.random_model(4, kind=kind, eos_bias=-1)
    found = decode(tables, model, range(4), beam_size=beam_size, rules=[Watch(watch)])
    assert seen[0][0] == [0, 1, 2, 3]
    for sentence, hypotheses in enumerate(found):
        for one in hypotheses:
            for length in range(len(one.tokens) + one.finished):
                sentences, prefixes = seen[length]
                assert one.tokens[:length] in prefixes[sentences.index(sentence)]


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_rules_that_leave_nothing_cut_the_hypothesis(tables, kind, beam_size):
    model = tables.random_model(6, kind=kind, vocabulary=4)
    for hypotheses in decode(tables, model, range(3), beam_size=beam_size, rules=[Forbidden(range(4))]):
        assert tables.plain(hypotheses) == [((), 0.0, 0.0, False)]
    # three tokens, each once and no end: after three steps nothing is left
    rules = [Forbidden([0]), NoRepeatNgram(1)]
    for start, hypotheses in enumerate(decode(tables, model, range(3), beam_size=beam_size, rules=rules)):
        for one in hypotheses:
            assert (sorted(one.tokens), one.finished) == ([1, 2, 3], False)
            assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, finished=False), abs=1e-5)


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_what_rules_take_away_need_not_be_among_the_worst(tables, kind, beam_size):
    # All but the last three ids are forbidden and yet better than these: the search has to look far down.
    model = tables.random_model(8, kind=kind, vocabulary=700, nodes=20)
    model.logits[:, :697] += 20.0
    few = tables.TableModel(np.full_like(model.logits, -np.inf), model.following, kind)
    few.logits[:, 697:] = model.logits[:, 697:]
    forbidden = decode(tables, model, range(5), beam_size=beam_size, rules=[Forbidden(range(697))], limit=4)
    impossible = decode(tables, few, range(5), beam_size=beam_size, rules=[], limit=4)
    for start, (found, expected) in enumerate(zip(forbidden, impossible, strict=True)):
        assert all(len(one.tokens) == 4 and min(one.tokens) >= 697 for one in found)
        assert [one.log_prob for one in found] == sorted((one.log_prob for one in found), reverse=True)
        assert len(found) == len(expected)
        for one in found:
            assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, one.finished), abs=1e-4)
    if beam_size < 3:  # a wider beam weighs places by what the forbidden ids left them
        assert [[one.tokens for one in found] for found in forbidden] == [
            [one.tokens for one in found] for found in impossible
        ]


def test_only_the_sentences_that_lack_are_looked_at_again(tables, kind):
    model = tables.random_model(9, kind=kind, vocabulary=600)
    model.logits[3, 5] = 30.0  # forbidden, and the best of all where sentence 3 starts
    seen = []

    def watch(found, prefix):
        seen.append(sorted(set(found.sentences.tolist())))
        return found.tokens != 5

    decode(tables, model, [1, 2, 3, 4], beam_size=2, rules=[Watch(watch)], limit=1)
    assert seen == [[0, 1, 2, 3], [2]]


def test_a_device_finds_what_rules_leave_too(tables, monkeypatch):
    """A place lists its best continuations only: where a rule takes one away, the next of that place counts."""

    def on_device(self, logits, log_probs, count, *, normalized=False):
        return self.continuations_on_device(logits.log_softmax(-1), log_probs, count)

    def found():
        for seed in range(12):
            model = tables.random_model(seed, kind="torch", vocabulary=7, eos_bias=1.0)
            for rules in ([], [Forbidden([1]), MinimumLength(2, eos_id=0)], [NoRepeatNgram(2)]):
                hypotheses = decode(tables, model, range(9), beam_size=3, rules=rules, limit=9)
                yield [[tables.plain(each) for each in hypotheses]]

    expected = list(found())
    monkeypatch.setattr(TorchOperations, "continuations", on_device)
    assert list(found()) == expected
