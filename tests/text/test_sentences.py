"""Lines cut into sentences: nothing but white space is between them, none is too long, and no span is cut."""

import random
import sys

import pytest

from nmt.errors import ConfigError
from nmt.text.sentences import SentenceSplitter
from nmt.text.spans import find_spans
from nmt.text.subword_training import train_subwords

LINES = ["the old river sees 12 red houses.", "many green men, or 1847 dogs", "the dogs of 35 rivers, 60 or 9"]


@pytest.fixture(scope="module")
def subwords():
    return train_subwords(LINES * 20, kind="char", vocabulary_size=60, marks=3)


def cut(subwords, text, *, language="en", limit=1000):
    places = SentenceSplitter(language, subwords, max_tokens=limit).split(text)
    return [text[start:end] for start, end in places]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "A dog runs. The man sleeps!", ["A dog runs.", "The man sleeps!"]),
        ("en", "  Mr. Smith pays 3.5 (no. 5). \t He goes.  ", ["Mr. Smith pays 3.5 (no. 5).", "He goes."]),
        ("en_GB", "one", ["one"]),
        ("de", "Das ist z. B. gut. Ja.", ["Das ist z. B. gut.", "Ja."]),
        ("zh", "他说：“好。”她走了。你呢？", ["他说：“好。”", "她走了。", "你呢？"]),
        ("zh-Hant", "好。走了。", ["好。", "走了。"]),
        ("ja", "彼は来た。元気？", ["彼は来た。", "元気？"]),
        ("no language", "Hi. You.", ["Hi.", "You."]),
        ("en", "one\ntwo. three\n\nfour", ["one\ntwo.", "three", "four"]),
        ("en", "See http://a.b/?x.y and {a.b}. Go.", ["See http://a.b/?x.y and {a.b}.", "Go."]),
        ("en", "", []),
        ("en", " \t ", []),
    ],
)
def test_a_line_is_cut_between_its_sentences(subwords, language, text, expected):
    assert cut(subwords, text, language=language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red men, green dogs", ["red men,", "green dogs"]),
        ("red 1,000 me; green dogs", ["red 1,000 me;", "green dogs"]),
        ("redredred，greengre", ["redredred，", "greengre"]),
        ("red green men see", ["red green", "men see"]),
        ("a, redandgreenandblue", ["a, redandg", "reenandblue"]),
        ("go http://a.b/redandgreenandblue,c", ["go http://a.b/redandgreenandblue,c"]),
    ],
)
def test_a_long_sentence_is_cut_near_its_middle(subwords, text, expected):
    assert cut(subwords, text, limit=14) == expected


def test_a_span_that_cannot_be_cut_stays_whole(subwords):
    text = "%(redandgreenandblue)s%(redandgreenandblue)s%(redandgreenandblue)s"
    assert "".join(cut(subwords, text, limit=2)) == text
    assert all(each.count("(") == each.count(")") == 1 for each in cut(subwords, text, limit=2))


def test_whatever_a_line_holds_nothing_of_it_is_lost(subwords):
    draw = random.Random(1)
    atoms = [
        "red",
        "men",
        ". ",
        "! ",
        ", ",
        "。",
        "，",
        "好",
        " ",
        "\t",
        "\u3000",
        "{x.y}",
        "http://a.b/?c! d",
        "🎉",
        "1,5",
    ]
    for _ in range(300):
        text = "".join(draw.choices(atoms, k=draw.randint(1, 40)))
        places = SentenceSplitter("en", subwords, max_tokens=9).split(text)
        between = [text[a:b] for a, b in zip([0, *(end for _, end in places)], [s for s, _ in places], strict=False)]
        assert not "".join(between).strip()
        assert not text[places[-1].end if places else 0 :].strip()
        assert all(text[start:end].strip() == text[start:end] != "" for start, end in places)
        borders = {border for place in places for border in place}
        assert not any(start < border < end for start, end in find_spans(text, None) for border in borders)


def test_very_long_lines_are_cut_in_time(subwords):
    text = "red " * 4_000 + "{x}" * 1_000
    assert "".join(cut(subwords, text, limit=50)).count("red") == 4_000


def test_without_the_library_the_message_says_what_to_install(subwords, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(ConfigError, match=r"^sentencex is not installed, .*: pip install sentencex$"):
        SentenceSplitter("en", subwords, max_tokens=9)
