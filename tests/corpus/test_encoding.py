"""Encoding in memory: what is kept, what is counted, and how ids are stored."""

import numpy as np
import pytest

from nmt.corpus import encoding
from nmt.corpus.encoding import Encoder
from nmt.corpus.filters import Filters
from nmt.corpus.reader import Pair
from nmt.errors import CorpusError


def test_filters_drop_pairs_whole_and_count_them(subwords):
    pairs = [Pair("ka to", "mi"), Pair("", "mi"), Pair("ka", "\u00a0 "), Pair("ka " * 60, "mi"), Pair("ka " * 30, "mi")]
    filters = Filters(max_source_tokens=40, max_length_ratio=2)
    corpus = Encoder(subwords, subwords, filters).encode([*pairs, Pair("ra", "ne")])
    assert [(corpus.source.line(i), corpus.target.line(i)) for i in range(len(corpus))] == [
        ("ka to", "mi"),
        ("ra", "ne"),
    ]
    assert corpus.lines.tolist() == [0, 5]
    counts = corpus.counts
    assert (counts.kept, counts.empty, counts.too_long, counts.ratio) == (2, 2, 1, 1)


def test_lines_are_counted_through_all_chunks(pairs, subwords, monkeypatch):
    monkeypatch.setattr(encoding, "_CHUNK_PAIRS", 7)
    some = [pair if number % 5 else Pair("", "mi") for number, pair in enumerate(pairs[:40])]
    corpus = Encoder(subwords, subwords).encode(some)
    assert corpus.lines.tolist() == [number for number in range(40) if number % 5]
    assert [corpus.source.line(i) for i in range(len(corpus))] == [some[line].source for line in corpus.lines]


def test_unknown_rate(subwords):
    # one unknown among eight source ids, none in the target
    text = "kato mi ☃"
    ids = subwords.encode(text)
    corpus = Encoder(subwords, subwords, Filters(max_length_ratio=99)).encode([Pair(text, "mi")])
    assert corpus.source_unknown_rate == ids.count(subwords.unk_id) / len(ids) > 0
    assert corpus.target_unknown_rate == 0


def test_ids_take_two_bytes_while_the_vocabulary_allows(pairs, subwords, monkeypatch):
    def dtype():
        corpus = Encoder(subwords, subwords).encode(pairs[:20])
        return corpus.source.ids.dtype

    assert dtype() == np.uint16
    monkeypatch.setattr(subwords, "vocabulary_size", 65_537)
    assert dtype() == np.int32


def test_no_pairs_at_all(subwords):
    with pytest.raises(CorpusError, match=r"^corpus: no pair is left to train on \(0 pairs kept; left out: 0"):
        Encoder(subwords, subwords).encode([])
