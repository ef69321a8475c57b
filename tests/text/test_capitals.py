"""Lines in capitals, and how a vocabulary knows their words."""

import re

import pytest

from nmt.text.capitals import UsualCase, in_capitals, is_in_capitals
from nmt.text.spans import Place

LINES = [
    "Der Hund läuft nach Berlin.",
    "Ein Hund und ein Ball liegen auf der Straße.",
    "Die NATO tagt in Berlin.",
    "Das Haus an der Straße ist groß.",
    "Ein alter Hund läuft.",
]


class Subwords:
    """Words of a text are subwords; all else is spelled, as far as it has characters of the text."""

    unk_id = 1

    def __init__(self, lines):
        self.characters = {*"".join(lines), *"0123456789-–?%"}
        self.words = {word for line in lines for word in re.findall(r"\w+", line)}

    def encode(self, text):
        ids = []
        for part in re.findall(r"\w+|\W", text):
            ids += [20] if part in self.words else [30 if each in self.characters else 1 for each in part]
        return ids


@pytest.fixture
def german():
    return UsualCase(Subwords(LINES), "de")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A DOG RUNS.", True),
        ("ОНА ИДЁТ", True),
        ("USA", True),
        ("SEE https://example.org/a NOW", True),
        ("{name} IS 5% OFF", True),
        ("A", False),
        ("DIE STRAßE Nº 5", True),
        ("A dog runs.", False),
        ("iPHONE", False),
        ("B 52", False),
        ("", False),
        ("123 !", False),
        ("東京", False),
        ("https://EXAMPLE.ORG", False),
        ("WWW.EXAMPLE.ORG", False),
    ],
)
def test_capitals_are_all_letters_but_those_of_spans(text, expected):
    assert is_in_capitals(text) is expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Die Straße ist weiß.", "de", "DIE STRASSE IST WEISS."),
        ("iyi ışık", "tr", "İYİ IŞIK"),
        ("iyi", "en", "IYI"),
        ("犬が走る。", "ja", "犬が走る。"),
        ("", "de", ""),
    ],
)
def test_a_text_is_written_in_capitals(text, language, expected):
    assert in_capitals(text, language) == expected


@pytest.mark.parametrize("line", LINES)
def test_lines_that_the_vocabulary_knows_come_back(german, line):
    assert german.written(in_capitals(line, "de")) == line


def test_the_first_word_of_each_sentence_has_a_capital(german):
    assert german.written("DER HUND LÄUFT. DER BALL?") == "Der Hund läuft. Der Ball?"
    assert german.written("– DER HUND") == "– Der Hund"


def test_spans_and_spaces_stay(german):
    assert german.written("DER  HUND\tHTTPS://EXAMPLE.ORG {NAME} ") == "Der  Hund\tHTTPS://EXAMPLE.ORG {NAME} "


def test_places_stay_that_are_to_be_kept(german):
    assert german.written("DER HUND UND DER BALL", [Place(4, 8)]) == "Der HUND und der Ball"


@pytest.mark.parametrize("word", ["ŽIŽEK", "Nº", "%S", "100 %D", "5\u212a", "\u2126", "İ"])
def test_what_small_letters_would_change_stays(german, word):
    assert german.written(f"DER HUND {word}") == f"Der Hund {word}"


def test_a_number_is_no_first_word(german):
    assert german.written("3DER HUND") == "3der Hund"


def test_each_part_of_a_word_has_its_own_case(german):
    assert german.written("DER HUND-NATO-BALL") == "Der Hund-NATO-Ball"


def test_a_vocabulary_of_small_letters_gets_small_letters():
    small = UsualCase(Subwords([line.lower() for line in LINES]), "de")
    assert small.written("DER HUND LÄUFT.") == "der hund läuft."


def test_turkic_capitals_have_other_small_letters():
    turkish = UsualCase(Subwords(["iyi bir ışık", "Bu iyi bir gün"]), "tr")
    assert turkish.written("BU İYİ BİR IŞIK") == "Bu iyi bir ışık"


@pytest.mark.parametrize("text", ["A-" * 50_000, "X" * 100_000, "A B " * 20_000, "WWW.A " * 20_000])
def test_long_lines_take_no_long_time(german, text):
    assert german.written(text).upper() == text
