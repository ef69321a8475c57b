"""Rules: what they take away, that every decoder keeps to them, and that they leave log_prob alone."""

from __future__ import annotations

import numpy as np
import pytest

from nmt.errors import ConfigError
from nmt.search.arrays import to_host
from nmt.search.beam import beam_search
from nmt.search.candidates import Prefix
from nmt.search.greedy import greedy_search
from nmt.search.rules import forbid, minimum_length, no_repeat_ngram


def decode(model, starts, *, beam_size, rules, limit=12):
    """One list of hypotheses a sentence, from greedy search (beam_size 0) or from the beam."""
    source, lengths = model.batch(starts)
    options = {"max_lengths": [limit] * len(starts), "bos_id": model.bos, "eos_id": 0, "rules": rules}
    if not beam_size:
        return [[one] for one in greedy_search(model, source, lengths, **options)]
    return beam_search(model, source, lengths, beam_size=beam_size, n_best=beam_size, **options)


def excluded(rule, tokens, tables, kind, vocabulary=6):
    """The token ids that a rule takes from each place, after prefixes (B, K, T)."""
    tokens = np.array(tokens, dtype=np.int64)
    model = tables.random_model(0, kind=kind)
    log_probs = model.to_kind(np.zeros((*tokens.shape[:2], vocabulary), dtype=np.float32))
    prefix = Prefix(np.arange(len(tokens)), tokens.shape[2], lambda: tokens)
    return [[np.flatnonzero(place == -np.inf).tolist() for place in row] for row in to_host(rule(log_probs, prefix))]


def test_forbid(tables, kind):
    assert excluded(forbid([4, 1, 4]), [[[], []]], tables, kind) == [[[1, 4], [1, 4]]]
    assert excluded(forbid([]), [[[1]]], tables, kind) == [[[]]]


def test_minimum_length(tables, kind):
    rule = minimum_length(2, eos_id=3)
    assert excluded(rule, [[[]]], tables, kind) == [[[3]]]
    assert excluded(rule, [[[1]]], tables, kind) == [[[3]]]
    assert excluded(rule, [[[1, 1]]], tables, kind) == [[[]]]


def test_no_repeat_ngram(tables, kind):
    tokens = [[[1, 2, 1, 2, 1], [5, 4, 3, 2, 1]], [[1, 1, 1, 1, 1], [2, 1, 3, 4, 1]]]
    assert excluded(no_repeat_ngram(1), tokens, tables, kind) == [[[1, 2], [1, 2, 3, 4, 5]], [[1], [1, 2, 3, 4]]]
    assert excluded(no_repeat_ngram(2), tokens, tables, kind) == [[[2], []], [[1], [3]]]
    assert excluded(no_repeat_ngram(3), tokens, tables, kind) == [[[2], []], [[1], []]]
    assert excluded(no_repeat_ngram(5), tokens, tables, kind) == [[[], []], [[1], []]]
    assert excluded(no_repeat_ngram(6), tokens, tables, kind) == [[[], []], [[], []]]
    assert excluded(no_repeat_ngram(1), [[[]]], tables, kind) == [[[]]]


def test_no_repeat_ngram_of_nothing_is_an_error():
    with pytest.raises(ConfigError) as raised:
        no_repeat_ngram(0)
    assert str(raised.value) == "no_repeat_ngram is 0; give the n-grams 1 token or more, or leave the rule out"


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_every_decoder_keeps_to_the_rules(tables, kind, beam_size):
    broken = 0
    for seed in range(15):
        model = tables.random_model(seed, kind=kind, vocabulary=7)
        rules = [forbid([2, 6]), minimum_length(4, eos_id=0), no_repeat_ngram(2)]
        for rule_set in ([], rules):
            for start, hypotheses in enumerate(decode(model, range(5), beam_size=beam_size, rules=rule_set)):
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

    def watch(log_probs, prefix):
        assert prefix.tokens.shape == (*log_probs.shape[:2], prefix.length)
        seen.append((prefix.sentences.tolist(), prefix.tokens.tolist()))
        return log_probs

    model = tables.random_model(4, kind=kind, eos_bias=-1)
    found = decode(model, range(4), beam_size=beam_size, rules=[watch])
    assert seen[0][0] == [0, 1, 2, 3]
    for sentence, hypotheses in enumerate(found):
        for one in hypotheses:
            for length in range(len(one.tokens) + one.finished):
                sentences, prefixes = seen[length]
                assert one.tokens[:length] in prefixes[sentences.index(sentence)]


@pytest.mark.parametrize("beam_size", [0, 1, 3])
def test_rules_that_leave_nothing_cut_the_hypothesis(tables, kind, beam_size):
    model = tables.random_model(6, kind=kind, vocabulary=4)
    for hypotheses in decode(model, range(3), beam_size=beam_size, rules=[forbid(range(4))]):
        assert tables.plain(hypotheses) == [((), 0.0, 0.0, False)]
    # three tokens, each once and no end: after three steps nothing is left
    rules = [forbid([0]), no_repeat_ngram(1)]
    for start, hypotheses in enumerate(decode(model, range(3), beam_size=beam_size, rules=rules)):
        for one in hypotheses:
            assert (sorted(one.tokens), one.finished) == ([1, 2, 3], False)
            assert one.log_prob == pytest.approx(model.rescore(start, one.tokens, finished=False), abs=1e-5)


def test_a_rule_may_return_a_new_array(tables, kind):
    model = tables.random_model(7, kind=kind)
    bias = np.array([0, -np.inf, 0, 0, 0], dtype=np.float32)
    new = decode(model, range(5), beam_size=3, rules=[lambda log_probs, prefix: log_probs + model.to_kind(bias)])
    assert new == decode(model, range(5), beam_size=3, rules=[forbid([1])])
