"""Rows that are written otherwise than a small text, in a text whose kinds are known."""

import random

import numpy as np
import pytest

from nmt.corpus.encoding import Side
from nmt.corpus.likeness import find_unlike

VOCABULARY = 400


def side(rows):
    ids = np.array([token for row in rows for token in row], np.uint16)
    offsets = np.cumsum([0, *map(len, rows)])
    return Side(ids, offsets, np.zeros(0, np.uint8), np.zeros(len(rows) + 1, np.int64))


def written(draw, *, otherwise=False):
    """A row of subwords: most are those of both kinds, and a third has another spelling in each."""
    shared = draw.choices(range(10, 200), [1 / (n + 1) for n in range(190)], k=draw.randint(6, 14))
    own = draw.choices(range(200, 260) if otherwise else range(260, 320), k=len(shared) // 2)
    return draw.sample([*shared, *own], len(shared) + len(own))


@pytest.mark.parametrize("chunk", [100_000, 7])
def test_rows_of_another_kind_are_found_in_each_text(monkeypatch, chunk):
    monkeypatch.setattr("nmt.corpus.likeness._CHUNK_ROWS", chunk)
    draw = random.Random(1)
    kinds = [[draw.random() < 0.4 for _ in range(count)] for count in (700, 90)]
    texts = [side([written(draw, otherwise=kind) for kind in each]) for each in kinds]
    found = find_unlike(texts, [[], *(written(draw) for _ in range(150))], vocabulary=VOCABULARY)
    assert found.tells_apart
    assert [flags.tolist() for flags in found.unlike] == kinds
    assert found.sure == 1
    assert found.like == pytest.approx(1 - sum(map(sum, kinds)) / 790)


def test_a_sample_of_a_long_text_tells_as_much(monkeypatch):
    monkeypatch.setattr("nmt.corpus.likeness._MOST_ROWS", 400)
    draw = random.Random(2)
    kinds = [draw.random() < 0.4 for _ in range(1000)]
    text = side([written(draw, otherwise=kind) for kind in kinds])
    found = find_unlike([text], [written(draw) for _ in range(150)], vocabulary=VOCABULARY)
    assert found.unlike[0].tolist() == kinds


def test_text_of_one_kind_is_not_divided():
    draw = random.Random(3)
    found = find_unlike(
        [side([written(draw) for _ in range(800)])], [written(draw) for _ in range(200)], vocabulary=VOCABULARY
    )
    assert not found.tells_apart
    # Nor is one of two kinds where the small text has them too.
    both = [written(draw, otherwise=draw.random() < 0.5) for _ in range(1000)]
    assert not find_unlike([side(both[:800])], both[800:], vocabulary=VOCABULARY).tells_apart


def test_a_few_lines_say_too_little():
    draw = random.Random(4)
    text = side([written(draw, otherwise=draw.random() < 0.5) for _ in range(400)])
    assert not find_unlike([text], [written(draw) for _ in range(99)], vocabulary=VOCABULARY).tells_apart
    assert not find_unlike([text], [[]] * 200, vocabulary=VOCABULARY).tells_apart
