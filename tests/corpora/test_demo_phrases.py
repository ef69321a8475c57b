"""The demo corpus's noun phrases and numbers, against inflections written by hand."""

from __future__ import annotations

import pytest

from .conftest import noun, phrase

DECLENSIONS = {
    "the old man": "der alte Mann, den alten Mann, dem alten Mann, des alten Mannes",
    "a young woman": "eine junge Frau, eine junge Frau, einer jungen Frau, einer jungen Frau",
    "my small child": "mein kleines Kind, mein kleines Kind, meinem kleinen Kind, meines kleinen Kindes",
    "the boy": "der Junge, den Jungen, dem Jungen, des Jungen",
    "a student": "ein Student, einen Studenten, einem Studenten, eines Studenten",
    "every bear": "jeder Bär, jeden Bären, jedem Bären, jedes Bären",
    "this expensive car": "dieses teure Auto, dieses teure Auto, diesem teuren Auto, dieses teuren Autos",
    "the tired neighbours": "die müden Nachbarn, die müden Nachbarn, den müden Nachbarn, der müden Nachbarn",
    "- big dogs": "große Hunde, große Hunde, großen Hunden, großer Hunde",
    "- fresh bread": "frisches Brot, frisches Brot, frischem Brot, frischen Brotes",
    "- cold milk": "kalte Milch, kalte Milch, kalter Milch, kalter Milch",
    "- warm tea": "warmer Tee, warmen Tee, warmem Tee, warmen Tees",
    "our new cars": "unsere neuen Autos, unsere neuen Autos, unseren neuen Autos, unserer neuen Autos",
    "many small apples": "viele kleine Äpfel, viele kleine Äpfel, vielen kleinen Äpfeln, vieler kleiner Äpfel",
}


@pytest.mark.parametrize("english", DECLENSIONS)
def test_noun_phrases_decline(demo, english):
    assert ", ".join(phrase(demo, english).german) == DECLENSIONS[english]


@pytest.mark.parametrize(
    ("preposition", "english", "case", "german"),
    [
        ("in", "the park", 2, "im Park"),
        ("in", "the park", 1, "in den Park"),
        ("in", "the museum", 1, "ins Museum"),
        ("zu", "the station", 2, "zum Bahnhof"),
        ("zu", "my friends", 2, "zu meinen Freunden"),
        ("unter", "a table", 2, "unter einem Tisch"),
        ("auf", "the chairs", 2, "auf den Stühlen"),
    ],
)
def test_prepositions_govern_a_case_and_contract(demo, preposition, english, case, german):
    assert demo.german.contract(preposition, phrase(demo, english).german[case]) == german


@pytest.mark.parametrize(
    ("owner", "english", "german"),
    [
        ("my brother", "my brother's car", "das Auto meines Bruders"),
        ("her aunt", "her aunt's car", "das Auto ihrer Tante"),
        ("Anna", "Anna's car", "Annas Auto"),
    ],
)
def test_possessors_take_the_genitive(demo, owner, english, german):
    who = demo.phrases.name(owner) if owner == "Anna" else phrase(demo, owner)
    built = demo.phrases.possessed(who, noun(demo, "car"))
    assert (built.english, built.german[0]) == (english, german)


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (2, "two", "zwei"),
        (12, "twelve", "zwölf"),
        (17, "seventeen", "siebzehn"),
        (21, "twenty-one", "einundzwanzig"),
        (30, "thirty", "dreißig"),
        (56, "fifty-six", "sechsundfünfzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
    ],
)
def test_numbers(demo, value, english, german):
    assert demo.times.number(value) == (english, german)


def test_clock_counts_half_hours_towards_the_next(demo):
    clock = dict(demo.times.CLOCK)
    assert clock["one o'clock"] == "ein Uhr"
    assert clock["half past six"] == "halb sieben"
    assert clock["half past twelve"] == "halb eins"
    assert clock["a quarter to one"] == "Viertel vor eins"
