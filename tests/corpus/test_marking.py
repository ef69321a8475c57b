"""Marks that training pairs get at random."""

import random
import re

import pytest

from nmt.corpus.marking import marked_pair
from nmt.text.subwords import MARKS

PAIRS = [
    ("Anna sees 1847 old dogs, in Berlin.", "Anna sieht in Berlin 1847 alte Hunde."),
    ("A dog runs.", "Ein Hund läuft."),
    ("Hi", "Hallo"),
    ("我爱北京天安门。", "I love Tiananmen in Beijing."),
    ("看", "look"),
]
MARK = re.compile(f"[{MARKS[0]}-{MARKS[63]}]")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_each_mark_stands_on_both_sides_once(source, target):
    draw, marks = random.Random(1).random, "".join(MARKS[:4])
    seen, counts = set(), set()
    for _ in range(300):
        marked = marked_pair(source, target, marks=marks, draw=draw)
        own = [MARK.findall(side) for side in marked]
        assert sorted(own[0]) == sorted(own[1])
        assert len(set(own[0])) == len(own[0])
        counts.add(len(own[0]))
        seen |= set(own[0])
        for before, after in zip((source, target), marked, strict=True):
            # What is left is the line, perhaps without names that both sides have.
            left = MARK.sub("", after).replace(" ", "")
            names = [name for name in ("Anna", "1847", "Berlin") if name in before]
            assert left in {
                re.sub("|".join(gone) or "$", "", before).replace(" ", "")
                for gone in [[name for i, name in enumerate(names) if bits >> i & 1] for bits in range(2 ** len(names))]
            }
    assert counts == {1, 2, 3}
    assert seen == set(marks)


def test_a_name_of_both_sides_is_replaced_on_both():
    draw = random.Random(2).random
    pairs = {marked_pair(*PAIRS[0], marks=MARKS[0], draw=draw) for _ in range(200)}
    assert (PAIRS[0][0].replace("Berlin", MARKS[0]), PAIRS[0][1].replace("Berlin", MARKS[0])) in pairs
    assert (PAIRS[0][0].replace("1847", MARKS[0]), PAIRS[0][1].replace("1847", MARKS[0])) in pairs


def test_marks_that_a_pair_has_are_not_given_again():
    source, target = (f"{side} {MARKS[0]}" for side in PAIRS[1])
    for seed in range(30):
        marked = marked_pair(source, target, marks=MARKS[0] + MARKS[1], draw=random.Random(seed).random)
        assert [side.count(MARKS[0]) for side in marked] == [1, 1]
        assert [side.count(MARKS[1]) for side in marked] == [1, 1]
    assert marked_pair(source, target, marks=MARKS[0], draw=random.Random(1).random) == (source, target)
