"""A small corpus with sentences of many lengths."""

import random

import pytest

from nmt.corpus.reader import Pair
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
