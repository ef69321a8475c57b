"""What of a small text is in the training text is counted exactly, whatever the chunks and the space around it."""

import pytest

from nmt.corpus import overlap
from nmt.corpus.encoding import Encoder
from nmt.corpus.overlap import count_overlaps
from nmt.corpus.reader import Pair, ParallelText
from nmt.text.subword_training import train_subwords


@pytest.fixture(scope="module")
def encode():
    """A function that encodes pairs as a training text."""
    model = train_subwords([f"number {n} Zahl" for n in range(100)], kind="char", vocabulary_size=60)

    def work(pairs, **settings):
        pairs = [Pair(*pair) for pair in pairs]
        return Encoder(model, model, **settings).encode(pairs)

    return work


def text_of(*pairs):
    return ParallelText([source for source, _ in pairs], [target for _, target in pairs])


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_pairs_and_sources_are_told_apart(encode, monkeypatch, chunk):
    monkeypatch.setattr(overlap, "_CHUNK_PAIRS", chunk)
    corpora = [encode([(f"number {n}", f"Zahl {n}") for n in numbers]) for numbers in (range(50), range(50, 60))]
    valid = text_of(
        ("number 3", "Zahl 3"),
        (" number 3 ", "Zahl 3\u3000"),  # the same but for space, and twice
        ("number 4", "Zahl 5"),  # another translation
        ("number 59", "Zahl 59"),  # of the second corpus
        ("number 77", "Zahl 77"),
        ("", "Zahl 1"),
        ("", ""),
        ("number", "Zahl 1"),  # only the target
    )
    test = text_of(("number 88", "Zahl 88"))
    assert count_overlaps(corpora, [valid, test]) == [(3, 1), (0, 0)]
    assert count_overlaps(corpora[:1], [test, valid]) == [(0, 0), (2, 1)]
    assert count_overlaps(corpora, []) == []


def test_a_source_with_several_translations(encode):
    corpus = encode([("number 1", "Zahl 1"), ("number 1", "Zahl 2"), ("number 2", "Zahl 3")])
    assert count_overlaps([corpus], [text_of(("number 1", "Zahl 2"))]) == [(1, 0)]
    assert count_overlaps([corpus], [text_of(("number 2", "Zahl 2"))]) == [(0, 1)]


def test_what_is_not_trained_on_does_not_count(encode):
    pairs = [("number 1", "Zahl 1"), ("number 2", ""), ("number 3", "Zahl 3 " * 100), ("number 4", "Zahl 4")]
    corpus = encode(pairs, validation=frozenset(["number 4"]))
    assert count_overlaps([corpus], [text_of(*pairs)]) == [(1, 0)]
