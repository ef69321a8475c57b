"""A small corpus with sentences of many lengths, its batches, and files of pairs with what reading them raises."""

import random

import pytest
import torch

from nmt.corpus.batches import BatchSource
from nmt.corpus.encoding import Encoder
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.reader import Pair, resolve
from nmt.errors import CorpusError
from nmt.text.subword_training import train_subwords

SYLLABLES = ["ka", "to", "mi", "ra", "ne", "sho", "lu", "pe", "dan", "gor"]


@pytest.fixture(scope="session")
def pairs():
    draw = random.Random(5)

    def sentence(words):
        return " ".join("".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(words))

    lengths = [min(40, max(1, int(draw.gammavariate(4, 2)))) for _ in range(1500)]
    return [Pair(sentence(n), sentence(max(1, n + draw.randint(-1, 2)))) for n in lengths]


@pytest.fixture(scope="session")
def subwords(pairs):
    return train_subwords([text for pair in pairs for text in pair], kind="unigram", vocabulary_size=120)


def write(tmp_path, source, target, name="train"):
    """Write both sides as bytes and resolve them."""
    (tmp_path / f"{name}.en").write_bytes(source)
    (tmp_path / f"{name}.de").write_bytes(target)
    return find(tmp_path / name)


def find(name):
    return resolve(str(name), source="en", target="de", key="corpus.train")


def error(function, *args):
    """The one-line message that reading raises."""
    with pytest.raises(CorpusError) as caught:
        list(function(*args))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def encoded(pairs, subwords):
    return Encoder(subwords, subwords).encode(pairs)


@pytest.fixture(scope="module")
def corpus(encoded):
    return Mixture([Part(encoded)])


def make(corpus, subwords, **settings):
    defaults = {"batch_tokens": 500, "seed": 3, "window_pairs": 400, "first_window_pairs": 100, "prefetch": 0}
    return BatchSource(corpus, subwords, subwords, **{**defaults, **settings})


def assert_same(one, other):
    one, other = list(one), list(other)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
