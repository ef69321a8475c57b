"""Training subword models: what text and settings make of a vocabulary, alike every time."""

import logging

import pytest

from nmt.errors import SubwordError

from .conftest import KINDS, TEXT, train


def test_spans_that_are_known_by_their_form_shape_no_subword():
    text = [f"{line} https://example.org/qqq" for line in TEXT]
    assert not any("q" in piece for piece in train(text, marks=1).pieces)
    assert any("q" in piece for piece in train(text).pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_byte_fallback_leaves_nothing_unknown(kind):
    model = train(kind=kind, vocabulary_size=330, byte_fallback=True)
    text = "anna ☃ banana\U0001f600 \n\0"
    for row in (model.encode(text), *model.sample_batch([text], alpha=0.2, seed=3)):
        assert model.unk_id not in row
        assert model.decode(row) == text


def test_strange_characters_neither_stop_training_nor_encoding():
    model = train([*TEXT, "nul\0here", "line\nbreak", "block\u2585", "\ufeffmark", "\u2581", "x" * 100_000])
    for text in ("nul\0here", "line\nbreak", "\u2585", "\u2581", "☃" * 5000):
        assert isinstance(model.encode(text), list)
        model.sample_batch([text], alpha=0.1, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic_and_streams(kind):
    assert train(kind=kind).to_bytes() == train(iter(TEXT), kind=kind).to_bytes()


def test_large_corpora_are_sampled_alike_every_time():
    lines = [f"anna{i} banana" for i in range(500)]
    sampled = [train(lines[:count], max_sentences=50, vocabulary_size=200).digest for count in (500, 500, 50)]
    assert sampled[0] == sampled[1] != sampled[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_larger_than_the_text_supports_is_lowered(kind, caplog):
    with caplog.at_level(logging.WARNING, logger="nmt"):
        model = train(["abc", "abd", "cde"], kind=kind, vocabulary_size=2000)
    assert 20 < model.vocabulary_size < 60
    assert (
        f"subwords.vocabulary_size=2000 is more than this text supports; using {model.vocabulary_size}" in caplog.text
    )
    assert model.decode(model.encode("abc cde")) == "abc cde"


def test_rare_characters_give_way_when_they_would_fill_the_vocabulary():
    text = [*TEXT * 10, *(chr(0x4E00 + i) for i in range(200))]
    model = train(text, vocabulary_size=50)
    assert model.vocabulary_size <= 50
    assert len(model.encode("banana")) < len("banana")
    assert model.unk_id in model.encode(chr(0x4E00 + 199))
    with pytest.raises(
        SubwordError, match=r"vocabulary_size=50 is too small: characters and reserved ids alone need 2"
    ):
        train(text, vocabulary_size=50, character_coverage=1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": []}, "subwords cannot be trained: the training text has no words; check the corpus files"),
        ({"text": ["", "  ", "\u2581"]}, "subwords cannot be trained: the training text has no words"),
        ({"vocabulary_size": 21}, "subwords.vocabulary_size=21 is too small: 20 ids are reserved; set at least 22"),
        (
            {"vocabulary_size": 100, "byte_fallback": True},
            "subwords.vocabulary_size=100 is too small: 276 ids are reserved (256 for bytes); set at least 278",
        ),
    ],
)
def test_impossible_training_says_why(settings, message):
    with pytest.raises(SubwordError) as caught:
        train(**settings)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_characters_that_occur_alike_often_get_an_id_nearly_all():
    """SentencePiece takes no coverage below 0.98, however small the vocabulary."""
    characters = [chr(0x4E00 + number) for number in range(300)]
    lines = ["".join(characters[start:] + characters[:start]) for start in range(0, 300, 10)]
    model = train(lines, vocabulary_size=400)
    assert model.vocabulary_size <= 400
    spelt = sum(len(piece) == 1 for piece in model.pieces)
    assert spelt >= 0.98 * 300
    with pytest.raises(SubwordError, match=r"^subwords\.vocabulary_size=200 is too small: characters and reserved ids"):
        train(lines, vocabulary_size=200)
