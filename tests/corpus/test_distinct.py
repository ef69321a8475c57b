"""Repeated pairs: found across chunks, counted, read once in training, hold-out and subwords."""

import random

import numpy as np
import pytest

from nmt.corpus import distinct, encoding
from nmt.corpus.distinct import SeenPairs, distinct_pairs
from nmt.corpus.encoding import Encoder
from nmt.corpus.filters import hold_out_threshold, is_held_out
from nmt.corpus.reader import Pair, resolve


def drawn(count, kinds, seed=3):
    draw = random.Random(seed)
    return [Pair(f"s{draw.randrange(kinds)}", f"t{draw.randrange(3)}") for _ in range(count)]


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_each_pair_is_repeated_exactly_when_it_stood_before_whatever_the_chunks(size):
    pairs, seen, found = drawn(5000, 400), SeenPairs(), []
    for start in range(0, len(pairs), size):
        found += seen.add(pairs[start : start + size]).tolist()
    expected = [pair in pairs[:i] for i, pair in enumerate(pairs)]
    assert found == expected
    assert len(seen) == len(set(pairs))


def test_few_sorted_arrays_hold_many_pairs():
    seen = SeenPairs()
    for start in range(0, 20_000, 100):
        seen.add([Pair(str(i), "t") for i in range(start, start + 100)])
    assert len(seen) == 20_000
    assert len(seen._sorted) <= 9
    assert all(np.all(np.diff(part) > 0) for part in seen._sorted)


def test_a_pair_is_both_texts_without_the_space_around_them():
    pairs = [Pair("a b", "c"), Pair(" a b\t", "c "), Pair("a", "b c"), Pair("a b", "C"), Pair("a  b", "c")]
    pairs += [Pair("a b\u2028c", ""), Pair("a b", "c\u2028c"), Pair("\0", "x"), Pair("", "\0x")]
    assert list(distinct_pairs(pairs)) == [pairs[0], *pairs[2:]]
    assert not SeenPairs().add([]).size


def test_first_occurrences_stay_in_their_order(monkeypatch):
    monkeypatch.setattr(distinct, "_CHUNK_PAIRS", 13)
    pairs = drawn(500, 60)
    assert list(distinct_pairs(iter(pairs))) == list(dict.fromkeys(pairs))


def test_a_corpus_has_each_pair_once_at_its_first_line(pairs, subwords, monkeypatch):
    monkeypatch.setattr(encoding, "_CHUNK_PAIRS", 50)
    some = [*pairs[:80], *pairs[:30], Pair("", ""), Pair("", ""), *pairs[70:90]]
    once = Encoder(subwords, subwords, deduplicate=True).encode(some)
    every = Encoder(subwords, subwords).encode(some)
    first = Encoder(subwords, subwords).encode(dict.fromkeys(some))
    assert (once.counts.kept, once.counts.repeated, once.counts.empty) == (90, 40, 2)
    assert (every.counts.repeated, len(every)) == (0, 130)
    assert once.lines.tolist() == [*range(80), *range(122, 132)]
    assert once.source.ids.tolist() == first.source.ids.tolist()
    assert once.counts.summary().endswith(", 40 that stand there before: each pair counts once")
    assert "stand" not in every.counts.summary()


def test_held_out_pairs_count_once_too(pairs, subwords, tmp_path):
    some = pairs[:200] * 3
    for side, column in zip(("a", "b"), zip(*some, strict=True), strict=True):
        (tmp_path / f"text.{side}").write_text("".join(f"{line}\n" for line in column), encoding="utf-8")
    paths = resolve(str(tmp_path / "text"), source="a", target="b", key="corpus.train")
    threshold = hold_out_threshold(paths, 20, deduplicate=True)
    corpus = Encoder(subwords, subwords, hold_out=threshold, deduplicate=True).encode(some)
    held = list(map(Pair, *corpus.held_out))
    assert held == [pair for pair in dict.fromkeys(some) if is_held_out(pair, threshold)]
    assert 10 <= len(held) <= 20
    assert len(corpus) + len(held) == len(set(some))
