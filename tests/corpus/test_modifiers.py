"""Lines written otherwise: each change does what it says and no more."""

import random
import string

import pytest

from nmt.corpus.modifiers import (
    capitals,
    has_case,
    noise_characters,
    noise_line,
    titled,
    with_merged_words,
    with_split_words,
    with_typos,
)
from nmt.text.subwords import MARKS

LINE = f"The old farmer's dog, (Anna) saw 1847 {MARKS[0]} of them."
ODD = ["", " ", "a", "  two  spaces ", "\u2028", "\0", "我爱北京天安门。", "x" * 5000, "...", "ß İ ŉ"]


def draws(seed):
    return random.Random(seed).random


def test_capitals_are_those_that_the_subwords_spell():
    table = capitals(frozenset("aäbAB"))
    assert "aäb ßc".translate(table) == "AäB ßc"
    assert "aäß ÿ ж".translate(capitals(None)) == "AÄSS Ÿ Ж"


def test_most_letters_have_case_or_have_none():
    assert list(map(has_case, ("OK!", "é", "我爱 NBA"))) == [True] * 3
    assert not any(map(has_case, ("我爱 NBA 的", "", "123", "我a")))


def test_titles_begin_words_with_capitals_and_leave_the_rest():
    assert titled("the farmer's dog-show «in» 3d, o’clock", capitals(None)) == "The Farmer's Dog-Show «In» 3d, O’clock"


def distance(one, other):
    """Edits between two words, where neighbours that change places are one (Damerau 1964), by recursion."""
    if not one or not other:
        return len(one) + len(other)
    best = min(
        distance(one[1:], other) + 1, distance(one, other[1:]) + 1, distance(one[1:], other[1:]) + (one[0] != other[0])
    )
    if len(one) > 1 and one[:2] == other[1::-1]:
        best = min(best, distance(one[2:], other[2:]) + 1)
    return best


def test_a_typing_error_is_one_edit_of_a_word_of_letters():
    kinds = set()
    for seed in range(300):
        before, after = LINE.split(" "), with_typos(LINE, draws(seed)).split(" ")
        assert len(before) == len(after)
        changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        for one, other in changed:
            assert one.strip(string.punctuation) in ("The", "old", "farmer's", "dog", "Anna", "saw", "them")
            assert distance(one, other) == 1
            kinds.add((len(other) - len(one), sorted(one) == sorted(other)))
    # left out, doubled, mistaken, swapped
    assert kinds == {(-1, False), (1, False), (0, False), (0, True)}


def test_mistaken_keys_are_neighbours_in_the_same_case():
    words = {with_typos("AAA", draws(seed)) for seed in range(100)}
    assert words <= {"AAA", "AA", "AAAA", "SAA", "ASA", "AAS"}
    assert {"AAAA", "ASA"} <= words


def test_words_of_a_script_without_spaces_have_typing_errors_too():
    texts = {with_typos("我爱北京天安门。", draws(seed)) for seed in range(30)}
    assert {"我爱北京天安。", "我爱京北天安门。"} <= texts


def test_some_spaces_go_and_some_come():
    for seed in range(100):
        merged, split = with_merged_words(LINE, draws(seed)), with_split_words(LINE, draws(seed))
        for text in (merged, split):
            assert text.replace(" ", "") == LINE.replace(" ", "")
        assert merged.count(" ") < LINE.count(" ") < split.count(" ")
        assert {"1847", MARKS[0], "of"} <= set(split.split(" "))


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("change", [with_typos, with_merged_words, with_split_words])
def test_odd_lines_are_changed_or_left(change, text):
    for seed in range(20):
        changed = change(text, draws(seed))
        assert abs(len(changed) - len(text)) <= max(2, len(text))
    assert titled(text, capitals(None)).casefold() == text.casefold()


def test_noise_has_the_characters_that_both_sides_spell():
    assert noise_characters(frozenset("aé1 "), frozenset("a1%é")) == ["a", "1"]
    assert len(noise_characters(None, None)) == 94
    lines = {noise_line(["a", "1"], draws(seed)) for seed in range(50)}
    assert len(lines) > 40
    assert all(set(word) <= {"a", "1"} and 1 <= len(word) <= 10 for line in lines for word in line.split(" "))
    assert {line.count(" ") for line in lines} == set(range(6))
