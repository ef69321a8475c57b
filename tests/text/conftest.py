"""A small text, and subword models of it, for several tests of subwords."""

import pytest

from nmt.text.subword_training import train_subwords

KINDS = ("unigram", "bpe", "char")
WORDS = ["anna", "banana", "and", "brand", "an", "ban", "bandana", "cabana", "canned", "bean", "dean", "candor"]
TEXT = [" ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 7)) for i in range(60)]


def train(text=TEXT, kind="unigram", vocabulary_size=60, **settings):
    return train_subwords(text, kind=kind, vocabulary_size=vocabulary_size, **settings)


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return train(kind=request.param)
