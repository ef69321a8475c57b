"""Numbers that a translation must have: by their digits, in the ways that languages write them."""

import pytest

from nmt.text.numbers import localised, missing_numbers


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("It costs 1,000.5 euros.", "Es kostet 1.000,5 Euro."),
        ("In 1847 it was 12500.", "1847 waren es 12 500."),
        ("2 men", "zwei Männer"),
        ("At 15:30 it rains.", "It rains at 3:30 pm."),
        ("um 15 Uhr", "at 3 pm"),
        ("20,000 people", "2万人"),
        ("1.5亿 euros or 150000000", "1.5亿 150000000"),
        ("5/13/2020", "13.5.2020"),
        ("１２３ and ٤٥", "123 und 45"),
        ("no numbers", "keine 17"),
        ("007", "7"),
    ],
)
def test_numbers_that_are_there(source, translation):
    assert missing_numbers(source, translation) == []


@pytest.mark.parametrize(
    ("source", "translation", "missing"),
    [
        ("In 1847 it was.", "1874 war es.", [("1847", 3, 7)]),
        ("13 or 45", "dreizehn oder 45", [("13", 0, 2)]),
        ("1,000.5 euros", "1.000 Euro", [("1,000.5", 0, 7)]),
        ("20,000 people", "20万人", [("20,000", 0, 6)]),
        ("99 99", "", [("99", 0, 2), ("99", 3, 5)]),
    ],
)
def test_numbers_that_are_gone(source, translation, missing):
    assert missing_numbers(source, translation) == missing


@pytest.mark.parametrize(
    ("number", "source", "target", "expected"),
    [
        ("1,000.5", "en", "de", "1.000,5"),
        ("1.234.567,89", "de", "en_US", "1,234,567.89"),
        ("0.25", "zh", "fr", "0,25"),
        ("12:30", "en", "de", "12:30"),
        ("12.5.2020", "de", "en", "12.5.2020"),
        ("1847", "en", "de", "1847"),
        ("2.5", "en", "xx", "2.5"),
        ("2.5", "en", "zh", "2.5"),
    ],
)
def test_a_number_is_written_as_the_target_writes_it(number, source, target, expected):
    assert localised(number, source=source, target=target) == expected
