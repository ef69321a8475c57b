"""Protected spans: which parts of a line they are, and the marks that training pairs get for them."""

import itertools
import random
import string

import pytest

from nmt.text.spans import PairMarker, find_spans, put_marks, without_spans
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import MARKS

ASCII = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


def spans(text, characters=None):
    return [text[start:end] for start, end in find_spans(text, characters)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See https://example.com/a_(b)?x=1&y=2, now.", ["https://example.com/a_(b)?x=1&y=2"]),
        ("(www.example.org).", ["www.example.org"]),
        ("看https://a.b/c。好", ["https://a.b/c"]),
        ("看 https://a.b/c。好", ["https://a.b/c"]),
        ("Mail a.b+c@d-e.co.uk.", ["a.b+c@d-e.co.uk"]),
        ("%s is %(name)s of %1$d, %.2f", ["%s", "%(name)s", "%1$d", "%.2f"]),
        ("100 % der, 50% discount, 5%d, 20%.", []),
        ("{} {x} {{y}} ${z.a} #{q} {0:>8} { a }", ["{}", "{x}", "{{y}}", "${z.a}", "#{q}", "{0:>8}"]),
        ("a &amp; b &#39; &#x2F; AT&T; R&D", ["&amp;", "&#39;", "&#x2F;"]),
        ("@peter_1 said: #happy #1 #2much.", ["@peter_1", "#happy", "#2much"]),
        ("@小明 说 #tag好", ["#tag"]),
        ("nothing, at all: 3 < 5 (yes)", []),
        (f"raw {MARKS[0]}{MARKS[63]}", [MARKS[0], MARKS[63]]),
        ("", []),
    ],
)
def test_spans_that_are_known_by_their_form(text, expected):
    assert spans(text) == expected
    assert without_spans(text) == put_marks(text, find_spans(text, None), MARKS[0] * 99)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi 👩🏽‍💻 there❤️!", ["👩🏽‍💻", "❤️"]),
        ("hello😀😁world", ["😀😁"]),
        ("Žižek and cafe\u0301", ["Žižek", "cafe\u0301"]),
        ("“quoted”", ["“", "”"]),
        ("a \u200b\u00a0\x00 b", []),  # nobody sees them
        ("x 我爱北京 y", ["我爱北京"]),
        ("a▁b", ["▁"]),  # SentencePiece would read a space
        ("naïve https://x.y/ö {ß} é", ["naïve", "https://x.y/ö", "{ß}", "é"]),
    ],
)
def test_spans_of_what_the_vocabulary_cannot_spell(text, expected):
    assert spans(text, ASCII) == expected


def test_letters_of_scripts_without_spaces_do_not_take_the_sentence_with_them():
    assert spans("我爱鑫北京", frozenset("我爱北京 ")) == ["鑫"]


def test_a_number_with_an_unspellable_digit_is_one_span():
    known = frozenset("abc 1234.,")
    assert spans("a 1,250.4, b 12.5 c 5. 1.a", known) == ["1,250.4", "12.5", "5"]


def test_any_text_is_its_spans_and_what_can_be_spelt():
    draw = random.Random(1)
    alphabet = [*"ab .@#%{}&;:/1s", "😀", "é", "\u0301", "\u200d", "好", "://", "www.", MARKS[3]]
    for _ in range(2000):
        text = "".join(draw.choice(alphabet) for _ in range(draw.randint(0, 20)))
        places = find_spans(text, ASCII)
        assert places == sorted(places)
        assert all(start < end for start, end in places)
        assert all(one.end <= other.start for one, other in itertools.pairwise(places))
        assert set(put_marks(text, places, " " * len(places))) <= ASCII | {"\u200d"}


@pytest.fixture(scope="module")
def marker():
    text = ["see the old page of anna", "sieh die alte seite von anna"] * 10
    subwords = train_subwords(text, kind="unigram", vocabulary_size=80, marks=3)
    return PairMarker(subwords, subwords)


def test_a_pair_has_marks_for_what_both_sides_have_equally_often(marker):
    source, target = marker("see http://a.b of {x} and %s", "sieh {x} von http://a.b")
    first, second = source[4], source[9]
    assert (source, target) == (f"see {first} of {second} and %s", f"sieh {second} von {first}")
    assert {first, second} < set(marker.marks)
    assert marker("see %s", "sieh") == ("see %s", "sieh")
    assert marker("{x} {x}", "{x}") == ("{x} {x}", "{x}")


def test_a_span_that_both_sides_have_twice_has_two_marks(marker):
    source, target = marker("{x} of {x}", "von {x} {x}")
    assert source[0] != source[-1]
    assert target == f"von {source[0]} {source[-1]}"


def test_more_spans_than_marks_stay_text(marker):
    source, target = marker("{a} {b} {c} {d} {e}", "{e} {d} {c} {b} {a}")
    assert sum(mark in source for mark in marker.marks) == 3
    assert source.split() == target.split()[::-1]
    assert source.endswith(" {d} {e}")


def test_which_marks_a_pair_has_depends_on_the_pair_and_all_are_used(marker):
    pairs = [(f"{word} {{x}}", f"{{x}} {word}") for word in ("a", "b", "c", "d", "e", "f")]
    marked = [marker(*pair) for pair in pairs]
    assert marked == [marker(*pair) for pair in pairs]
    assert {source[2] for source, _ in marked} == set(marker.marks)


def test_vocabularies_without_marks_leave_pairs_as_they_are():
    subwords = train_subwords(["see the old page"] * 10, kind="unigram", vocabulary_size=60)
    assert PairMarker(subwords, subwords)("see {x}", "{x}") == ("see {x}", "{x}")
