"""Bits per character: how well a language model foretells a text, whatever subwords it has.

The bits of a line are -log2 p of all its subwords and of its end, which stands for the newline. They are summed over
all lines, and divided by the characters of these lines, with one newline each. Perplexity of subwords compares models
of the same subwords alone (Graves 2013, "Generating Sequences With Recurrent Neural Networks", section 3, has both).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from nmt.errors import CorpusError
from nmt.evaluation.metrics import Score


class FineScore(Score):
    """A score whose differences are small: it is written with four digits."""

    digits: ClassVar[int] = 4


class LineBits(NamedTuple):
    """What a model makes of one line."""

    bits: float
    """-log2 p of the line, its end included"""
    positions: int
    """subwords, and the end"""

    def __str__(self) -> str:
        """Write it as `parse` reads it."""
        return f"{self.bits!r} {self.positions}"

    @staticmethod
    def parse(text: str) -> LineBits:
        """Read what `str` wrote."""
        bits, positions = text.split(" ")
        return LineBits(float(bits), int(positions))


class Bits(NamedTuple):
    """Sums over the lines of a text that have any text."""

    bits: float
    characters: int
    """one newline a line included"""
    positions: int
    lines: int

    @property
    def per_character(self) -> float:
        """The measure."""
        return self.bits / self.characters

    @property
    def perplexity(self) -> float:
        """Of subwords: 2 to the bits of a position; 2^1000 stands for more."""
        return float(2 ** min(self.bits / self.positions, 1000.0))


def characters_of(line: str, *, normalization: str = "identity") -> int:
    """Count the characters that a model reads of a line, and its newline: runs of spaces count as one, outer ones not.

    Args:
        line: raw.
        normalization: of the subwords; with "nfc" the composed characters count.
    """
    line = unicodedata.normalize("NFC", line) if normalization == "nfc" else line
    return len(" ".join(part for part in line.split(" ") if part)) + 1


def total(lines: Sequence[LineBits], texts: Sequence[str], *, normalization: str = "identity") -> Bits:
    """Sum up what a model makes of the lines of a raw text; lines without text are left out.

    Raises:
        CorpusError: no line has text.
    """
    lines_with_text = [(line, text) for line, text in zip(lines, texts, strict=True) if text.strip()]
    if not lines_with_text:
        raise CorpusError("there is nothing to score: no line has text")
    return Bits(
        math.fsum(line.bits for line, _ in lines_with_text),
        sum(characters_of(text, normalization=normalization) for _, text in lines_with_text),
        sum(line.positions for line, _ in lines_with_text),
        len(lines_with_text),
    )


def scores_of(total: Bits) -> list[Score]:
    """Give bits per character, lower is better, and the perplexity of subwords, each with how it was made."""
    signature = f"eos:yes|newlines:yes|spaces:single|lines:{total.lines}|characters:{total.characters}"
    of_subwords = f"eos:yes|lines:{total.lines}|subwords:{total.positions}"
    return [
        FineScore("bits per character", total.per_character, signature),
        Score("perplexity", total.perplexity, of_subwords),
    ]
