"""Which pairs are held out for validation: as many as asked, by their text alone."""

import random
from collections import Counter

import pytest

from nmt.corpus.filters import hold_out_threshold, is_held_out
from nmt.corpus.reader import Pair, read_pairs

from .conftest import error, write


def numbered(tmp_path, numbers, name="train"):
    return write(tmp_path, *("".join(f"{side} {n}\n" for n in numbers).encode() for side in ("s", "t")), name=name)


def held(paths, pairs):
    threshold = hold_out_threshold(paths, pairs)
    return [pair for pair in read_pairs(paths) if is_held_out(pair, threshold)]


@pytest.mark.parametrize(("wanted", "count"), [(30, 30), (1, 1), (5000, 100)])
def test_hold_out_takes_as_many_as_asked_up_to_a_tenth(tmp_path, wanted, count):
    assert len(held(numbered(tmp_path, range(1000)), wanted)) == count


def test_hold_out_depends_on_the_text_not_on_its_order(tmp_path):
    numbers = list(range(500))
    first = held(numbered(tmp_path, numbers), 40)
    random.Random(1).shuffle(numbers)
    assert sorted(held(numbered(tmp_path, numbers, "shuffled"), 40)) == sorted(first)


def test_equal_sources_are_held_out_together(tmp_path):
    sources = [n // 4 for n in range(800)]
    paths = write(
        tmp_path, "".join(f"s {n}\n" for n in sources).encode(), "".join(f"t {n}\n" for n in range(800)).encode()
    )
    counts = Counter(pair.source for pair in held(paths, 50))
    assert set(counts.values()) == {4}
    assert 40 <= sum(counts.values()) <= 50


def test_hold_out_leaves_half_pairs_alone(tmp_path):
    paths = write(tmp_path, b"one\n \ntwo\n" + b"x\n" * 20, b"eins\nzwei\n\n" + b"y\n" * 20)
    threshold = 1 << 64
    assert [is_held_out(pair, threshold) for pair in read_pairs(paths)][:4] == [True, False, False, True]
    assert not is_held_out(Pair("one", "eins"), 0)


def test_hold_out_needs_two_different_sentences(tmp_path):
    assert error(lambda: [hold_out_threshold(write(tmp_path, b"one\n" * 9, b"eins\n" * 9), 1)]) == (
        f"corpus.train={tmp_path}/train: too few different sentences (1) to hold some out for validation; "
        f"name a validation corpus in corpus.valid"
    )
    assert len(held(write(tmp_path, b"one\ntwo\n", b"eins\nzwei\n"), 1)) == 1
