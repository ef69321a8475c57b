"""Spelling the subwords of one vocabulary with those of another."""

import itertools
import random

import pytest

from nmt.text.spelling import ordinary_pieces, spell, spell_all
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import CONTROLS, MARKS

KNOWN = {"▁": 0, "▁ho": 1, "▁h": 2, "o": 3, "use": 4, "ou": 5, "se": 6, "u": 7, "s": 8, "e": 9}


@pytest.mark.parametrize(
    ("piece", "ids"),
    [
        ("use", [4]),
        ("▁house", [1, 4]),
        ("▁hou", [1, 7]),  # as few as ▁h and ou, and the first is longer
        ("ouse", [5, 6]),  # as few as o and use, and the first is longer
        ("▁▁", [0, 0]),
        ("x", []),
        ("▁housex", []),
        ("", []),
    ],
)
def test_spelled_by_the_fewest_pieces(piece, ids):
    assert spell(piece, KNOWN) == ids


def test_no_spelling_has_fewer_pieces():
    draw = random.Random(3)
    for _ in range(60):
        pieces = {"".join(draw.choices("ab▁", k=draw.randint(1, 3))): i for i in range(5)}
        piece = "".join(draw.choices("ab▁", k=7))
        letters = {i: text for text, i in pieces.items()}
        segmentations = [
            [piece[i:j] for i, j in itertools.pairwise((0, *cuts, 7))]
            for n in range(7)
            for cuts in itertools.combinations(range(1, 7), n)
        ]
        spellings = [way for way in segmentations if all(part in pieces for part in way)]
        spelling = [letters[i] for i in spell(piece, pieces)]
        best = min(map(len, spellings), default=0)
        assert spelling == max(
            (way for way in spellings if len(way) == best), key=lambda way: [*map(len, way)], default=[]
        )


@pytest.fixture(scope="module")
def vocabularies():
    lines = ["a small red house stands near the old river", "many green trees grow behind it in spring"] * 20
    first = train_subwords([*lines, "<0x61>"] * 2, kind="bpe", vocabulary_size=80)
    other = train_subwords([*lines, "ж"], kind="bpe", vocabulary_size=400, byte_fallback=True, marks=3)
    return other, first


def test_special_symbols_marks_and_bytes_are_spelled_by_the_same_alone(vocabularies):
    other, known = vocabularies
    spelled = dict(zip(other.pieces, spell_all(other, known), strict=True))
    for i, piece in enumerate(("<pad>", "<unk>", "<s>", "</s>", *CONTROLS)):
        assert spelled[piece] == [i]
    assert spelled[MARKS[0]] == []  # which the other has not
    assert spelled["<0x61>"] == []
    assert spell("<0x61>", ordinary_pieces(known))  # which would be no byte
    assert spelled["ж"] == []


def test_each_piece_is_spelled_by_what_it_says(vocabularies):
    other, known = vocabularies
    for piece, ids in zip(other.pieces, spell_all(other, known), strict=True):
        assert not ids or "".join(known.pieces[i] for i in ids) == piece
    assert spell_all(known, known) == [[i] for i in range(known.vocabulary_size)]
    assert spell_all(other, other) == [[i] for i in range(other.vocabulary_size)]
