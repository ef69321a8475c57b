"""Vocabularies of words and labels."""

import numpy as np
import pytest

from nmt.errors import ConfigError, CorpusError, SubwordError
from nmt.text.vocabulary import read_vocabulary, subwords_of
from nmt.text.words import ClassVocabulary, LabelVocabulary, WordVocabulary, is_bio, may_follow, split_tokens


@pytest.fixture
def words():
    return WordVocabulary.train(["b a ab", "a b", "a c"], size=100)


def test_a_row_is_each_word_with_its_characters_behind_it(words):
    # Characters by frequency: a 4, b 3, c 1 → ids 5, 6, 7; words a, b, then those seen once: ab, c → 8, 9, 10, 11.
    assert (words.characters, words.words, words.rare, words.first_word, words.vocabulary_size) == (3, 4, 2, 8, 12)
    assert words.encode("a ab  cx") == [8, 5, 10, 5, 6, words.unknown_word, 7, words.unk_id]
    assert words.encode("") == []


def test_the_rarest_words_go_where_there_is_no_room(words):
    small = WordVocabulary.train(["b a ab", "a b", "a c"], size=10)
    assert (small.words, small.rare) == (2, 0)
    assert small.encode("ab") == [small.unknown_word, 5, 6]
    with pytest.raises(SubwordError, match=r"subwords.vocabulary_size=8 is too small: .* are 8; raise it"):
        WordVocabulary.train(["b a ab", "a c"], size=8)


def test_a_vocabulary_comes_back_as_it_was(words):
    labels = LabelVocabulary.train(["O B-X I-X", "O"])
    for each in (words, labels, ClassVocabulary(["a b", "c"]), WordVocabulary.train(["A a"], size=9, ignore_case=True)):
        again = read_vocabulary(each.to_bytes(), origin="here")
        assert type(again) is type(each)
        assert (again.digest, again.vocabulary_size) == (each.digest, each.vocabulary_size)
        assert vars(again) == vars(each)


def test_case_is_ignored_where_it_is_asked_for_and_characters_keep_it():
    both = WordVocabulary.train(["Who who a", "WHO"], size=100, ignore_case=True)
    assert (both.words, both.rare) == (2, 1)
    rows = [both.encode(word) for word in ("who", "Who", "wHo")]
    assert len({row[0] for row in rows}) == 1
    assert len({tuple(row[1:]) for row in rows}) == 3
    assert both.encode("A")[0] == both.encode("a")[0] != rows[0][0]


def test_a_vocabulary_of_before_is_the_same_bytes(words):
    assert b"ignore_case" not in words.to_bytes()


def test_a_label_of_a_line_is_one_whatever_it_holds():
    labels = ClassVocabulary(["World News", "sport"])
    assert labels.encode_batch(["sport", "World News"]) == [[5], [4]]
    assert "sport" in labels
    assert "World" not in labels
    with pytest.raises(CorpusError, match="label World never occurs in the training text"):
        labels.encode_batch(["World"])


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b'{"kind": "labels", "labels": "O"}', b'{"kind": "labels", "labels": []}']
)
def test_a_damaged_vocabulary_is_refused(data):
    with pytest.raises(SubwordError, match="here: not a vocabulary of this nmt, or damaged; copy it again"):
        read_vocabulary(data, origin="here")


def test_labels_have_one_id_each():
    labels = LabelVocabulary.train(["O B-X I-X", "O"])
    assert labels.encode("O I-X B-X") == [6, 5, 4]
    assert labels.decode([6, 5, 4, labels.eos_id]) == "O I-X B-X"
    with pytest.raises(CorpusError, match="label B-Y never occurs in the training text"):
        labels.encode("O B-Y")


def test_what_bio_is():
    assert is_bio(["O", "B-X", "I-X"])
    assert not is_bio(["O"])
    assert not is_bio(["NOUN", "O", "B-X"])
    assert [may_follow(before, "I-X") for before in ("O", "B-X", "I-X", "B-Y", "I-Y")] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_impossible_labels_are_those_that_continue_nothing():
    between, start = LabelVocabulary(["B-X", "B-Y", "I-X", "O"]).impossible()
    assert start.tolist() == [0, 0, -np.inf, 0]
    assert between[:, 2].tolist() == [0, -np.inf, 0, -np.inf]
    assert not between[:, [0, 1, 3]].any()
    assert not LabelVocabulary(["NOUN", "VERB"]).impossible()[0].any()


def test_only_spaces_part_tokens():
    assert split_tokens("  a\u00a0b\t\u2028  c ") == ["a\u00a0b\t\u2028", "c"]


def test_words_are_no_subwords(words):
    with pytest.raises(ConfigError, match="does not translate"):
        subwords_of(words)
