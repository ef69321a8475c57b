"""Bits per character, worked out by hand."""

import pytest

from nmt.errors import CorpusError
from nmt.evaluation.bits import Bits, LineBits, characters_of, scores_of, total


def test_bits_are_divided_by_the_characters_and_one_newline_a_line():
    # "abc" and "de": 3 + 1 + 2 + 1 characters, 14 bits.
    sums = total([LineBits(8.0, 4), LineBits(6.0, 3)], ["abc", "de"])
    assert sums == Bits(14.0, 7, 7, 2)
    assert sums.per_character == 2.0
    assert sums.perplexity == 4.0


def test_lines_without_text_count_nowhere():
    assert total([LineBits(8.0, 4), LineBits(99.0, 1)], ["abc", "  "]) == Bits(8.0, 4, 4, 1)
    with pytest.raises(CorpusError, match="there is nothing to score: no line has text"):
        total([LineBits(0.0, 0)], [" "])


@pytest.mark.parametrize(
    ("line", "characters"), [("a b", 4), ("  a   b ", 4), ("a\u00a0\u00a0b", 5), ("ü", 2), ("u\u0308", 3), ("字𝄞", 3)]
)
def test_characters_are_those_that_the_model_reads(line, characters):
    assert characters_of(line) == characters
    assert characters_of("u\u0308", normalization="nfc") == 2


def test_scores_say_how_they_were_made():
    bits, perplexity = scores_of(Bits(14.0, 7, 7, 2))
    assert str(bits) == "bits per character 2.0000 (eos:yes|newlines:yes|spaces:single|lines:2|characters:7)"
    assert str(perplexity) == "perplexity 4.00 (eos:yes|lines:2|subwords:7)"
    assert scores_of(Bits(1e9, 7, 7, 2))[1].value == 2.0**1000


def test_what_is_written_of_a_line_is_read_back_exactly():
    line = LineBits(1 / 3, 7)
    assert LineBits.parse(str(line)) == line
