"""The words of raw text."""

import random

import pytest

from nmt.text.tokenizer import tokenize


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("How far is it?", "How far is it ?"),
        ("It's 3.5km -- isn't it...", "It ' s 3 . 5 km - - isn ' t it . . ."),
        ("Don't\tstop\u00a0here\u2028now\u3000!", "Don ' t stop here now !"),
        ("我爱北京 2024年", "我 爱 北 京 2024 年"),
        ("これはﾃｽﾄ。", "こ れ は ﾃ ｽ ﾄ 。"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("naïve Ωμέγα слово", "naïve Ωμέγα слово"),
        ("e\u0301tude cafe\u0301s", "e\u0301tude cafe\u0301s"),  # combining marks
        ("हिन्दी में", "हिन्दी में"),
        ("ที่นี่", "ที่ นี่"),
        ("می\u200cروم", "می\u200cروم"),  # a format character inside a word
        ("a_b@c.de", "a _ b @ c . de"),
        ("\u0301 x", "\u0301 x"),
        ("👍🏽!", "👍 🏽 !"),
        ("\0a\ufffd", "\0 a \ufffd"),
    ],
)
def test_letters_digits_and_others_are_apart(line, expected):
    assert tokenize(line) == expected.split(" ")


@pytest.mark.parametrize("line", ["", " ", "\t\r\u00a0", "\u2028\x0b\x1c\x85"])
def test_white_space_has_no_words(line):
    assert tokenize(line) == []


def test_words_parted_by_spaces_are_the_same_words():
    """Whatever a line holds: no character is lost, and cutting again changes nothing."""
    draw = random.Random(3)
    alphabet = "aZé9٣ \t\u0301\u200d\u200b的かไน่ .'-\0\x1c\u2028\ufeff한\U0001f600\U00020000"
    for _ in range(500):
        line = "".join(draw.choices(alphabet, k=draw.randint(0, 12)))
        words = tokenize(line)
        assert tokenize(" ".join(words)) == words
        assert "".join(words) == "".join(line.split())
        assert bool(words) == bool(line.strip())
