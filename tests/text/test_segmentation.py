"""The samplers against distributions worked out by hand and by brute force."""

import math
import random
from collections import Counter

import pytest

from nmt.text.segmentation import BpeSampler, Pieces, UnigramSampler

DRAWS = 20_000


def frequencies(sampler, words, alpha, seed=1):
    draw = random.Random(seed).random
    counts = Counter(tuple(sampler.sample(words, alpha, draw)) for _ in range(DRAWS))
    return {ids: count / DRAWS for ids, count in counts.items()}


def test_unigram_samples_follow_the_powered_distribution():
    # P(ab) = e^-1; P(a)·P(b) = e^-1.5·e^-2 = e^-3.5. Raised to 0.5: e^-0.5 and e^-1.75, so "ab" whole has the share
    # 1 / (1 + e^-1.25) = 0.7773.
    sampler = UnigramSampler(Pieces({"ab": (20, -1.0), "a": (21, -1.5), "b": (22, -2.0)}, 1, []))

    shares = frequencies(sampler, ["ab"], 0.5)
    assert set(shares) == {(20,), (21, 22)}
    assert shares[(20,)] == pytest.approx(1 / (1 + math.exp(-1.25)), abs=0.01)


def test_long_words_follow_the_distribution_over_all_segmentations():
    # "aaaaaaa" has 44 segmentations into a, aa and aaa: more than are listed, so the lattice is walked
    scores = {"a": (20, -1.0), "aa": (21, -1.7), "aaa": (22, -2.2)}
    alpha = 0.8
    weights = {}

    def extend(ids, length, score):
        if length == 7:
            weights[ids] = math.exp(alpha * score)
        for piece, (piece_id, piece_score) in scores.items():
            if length + len(piece) <= 7:
                extend((*ids, piece_id), length + len(piece), score + piece_score)

    extend((), 0, 0.0)
    assert len(weights) == 44
    shares = frequencies(UnigramSampler(Pieces(scores, 1, [])), ["a" * 7], alpha)
    for ids, weight in weights.items():
        assert shares.get(ids, 0) == pytest.approx(weight / sum(weights.values()), abs=0.01)


def test_words_are_independent():
    # two words of equal odds each: four outcomes of a quarter
    sampler = UnigramSampler(Pieces({"ab": (20, -2.0), "a": (21, -1.0), "b": (22, -1.0)}, 1, []))
    shares = frequencies(sampler, ["ab", "ab"], 1.0)
    assert set(shares) == {(20, 20), (20, 21, 22), (21, 22, 20), (21, 22, 21, 22)}
    assert all(share == pytest.approx(0.25, abs=0.02) for share in shares.values())


@pytest.mark.parametrize("sampler", [UnigramSampler, BpeSampler])
def test_unknown_characters_are_one_unk_a_run_or_their_bytes(sampler):
    table = {"a": (20, -1.0)}
    draw = random.Random(1).random
    assert sampler(Pieces(table, 1, [])).sample(["aüüa"], 0.5, draw) == [20, 1, 20]
    # "ü" is C3 BC
    assert sampler(Pieces(table, 1, range(100, 356))).sample(["aü"], 0.5, draw) == [20, 100 + 0xC3, 100 + 0xBC]


def test_dropped_merges():
    # abc: the merge ab is tried first, then (ab)c; where ab was dropped, bc is tried, then a(bc); each drops with 0.3.
    # P(abc) = 0.7·0.7 + 0.3·0.7·0.7, P(ab c) = 0.7·0.3, P(a bc) = 0.3·0.7·0.3, P(a b c) = 0.3·0.3
    table = {"ab": (20, 0.0), "bc": (21, -1.0), "abc": (22, -2.0), "a": (23, -3.0), "b": (24, -4.0), "c": (25, -5.0)}
    shares = frequencies(BpeSampler(Pieces(table, 1, [])), ["abc"], 0.3)
    assert shares[(22,)] == pytest.approx(0.7 * 0.7 + 0.3 * 0.7 * 0.7, abs=0.01)
    assert shares[(20, 25)] == pytest.approx(0.7 * 0.3, abs=0.01)
    assert shares[(23, 21)] == pytest.approx(0.3 * 0.7 * 0.3, abs=0.01)
    assert shares[(23, 24, 25)] == pytest.approx(0.3 * 0.3, abs=0.01)


def test_another_alpha_is_not_answered_from_the_cache():
    sampler = UnigramSampler(Pieces({"ab": (20, -1.0), "a": (21, -1.5), "b": (22, -2.0)}, 1, []))
    frequencies(sampler, ["ab"], 5.0)
    assert frequencies(sampler, ["ab"], 0.5)[(20,)] == pytest.approx(0.7773, abs=0.01)
