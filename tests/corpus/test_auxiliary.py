"""Auxiliary tasks, and the word alignment that they need."""

import random

import pytest

from nmt.corpus.auxiliary import monotone_words, replaced_words, reversed_words
from nmt.corpus.reader import Pair
from nmt.corpus.word_links import WordLinks, split_line
from nmt.errors import CorpusError
from nmt.text.subwords import MARKS

WORDS = {"one": "eins", "dog": "Hund", "runs": "läuft", "here": "hier", "old": "alter", "sees": "sieht", "two": "zwei"}


@pytest.fixture(scope="module")
def links():
    """Of a language whose last word is the other's last but one."""
    draw, sources = random.Random(3), list(WORDS)
    pairs = []
    for _ in range(200):
        words = draw.sample(sources, 4)
        a, b, c, d = (WORDS[word] for word in words)
        pairs.append(Pair(" ".join(words), " ".join((a, b, d, c))))
    return WordLinks.learn(pairs)


def test_a_line_is_parted_into_words_or_characters():
    assert split_line(" a  b ") == (["a", "b"], " ")
    assert split_line("我爱") == (["我", "爱"], "")
    assert split_line("") == ([], " ")


def test_reversed_words():
    assert reversed_words(Pair("a b", "x y z.")) == Pair("a b", "z. y x")
    assert reversed_words(Pair("a", "我爱")) == Pair("a", "爱我")
    assert reversed_words(Pair("", "")) == Pair("", "")


def test_each_word_is_linked_to_what_it_translates(links):
    assert links.links(["old", "dog", "sees"], ["Hund", "sieht", "unbekannt", "alter"]) == [1, 2, None, 0]
    assert links.links([], ["Hund"]) == [None]
    assert set(links.entries) == set(map(Pair, WORDS, WORDS.values()))


def test_monotone_words_stand_in_the_order_of_the_source(links):
    pair = Pair("old dog sees two", "ja zwei , sieht alter Hund")
    assert monotone_words(pair, links) == Pair(pair.source, "ja alter Hund sieht zwei ,")


def test_words_are_replaced_with_their_translations(links):
    pair = Pair("old dog , sees one", "alter Hund ! eins sieht")
    changed = 0
    for seed in range(100):
        source, target = (side.split(" ") for side in replaced_words(pair, links, random.Random(seed).random))
        assert (source[2], target[2]) == (",", "!")
        assert sorted(WORDS[word] for word in source if word != ",") == sorted(word for word in target if word != "!")
        changed += sum(one != other for one, other in zip(source, pair.source.split(" "), strict=True))
    assert 130 < changed < 220  # half of 4 words, of which a seventh are replaced by themselves


def test_marks_for_protected_spans_replace_no_words():
    mark = MARKS[0]
    links = WordLinks.learn(3 * [Pair(f"dog {mark}", f"Hund {mark}"), Pair("dog", "Hund"), Pair(mark, mark)])
    assert links.entries == [Pair("dog", "Hund")]
    assert links.links(["dog", mark], ["Hund", mark]) == [0, 1]


def test_a_text_without_words_cannot_be_aligned():
    with pytest.raises(CorpusError):
        WordLinks.learn([Pair(" ", "x")])
