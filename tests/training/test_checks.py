"""What is said about validation and test text before training: each once, with its count, and the worst refused."""

import functools
import random

import pytest

from nmt.bundle.weights import load_bundle


@pytest.fixture
def command(command):
    """nmt-train as in other files, but for one update: all is said before it."""
    return functools.partial(command, trainer__max_updates=1, trainer__validate_every=1)


@pytest.fixture
def chinese(text, tmp_path, write_lines):
    """The toy corpus into Chinese of a kind: settings that name it, with a language that is no code."""
    folder = tmp_path / "chinese"
    folder.mkdir()
    words = {}
    for part, lines in (("train", slice(0, 240)), ("valid", slice(240, 262)), ("test", slice(262, 280))):
        write_lines(folder / f"{part}.en", text[0][lines])
        target = [
            "".join(chr(0x4E00 + words.setdefault(word, len(words) % 150)) for word in line.split()) + "的一个人。"
            for line in text[1][lines]
        ]
        write_lines(folder / f"{part}.target", target)
    names = {f"corpus__{part}": folder / part for part in ("train", "valid", "test")}
    return {**names, "corpus__target": "target", "subwords__vocabulary_size": 600}


def test_text_without_spaces_is_scored_by_its_script_from_the_first_validation_on(command, metrics, chinese, tmp_path):
    finished = command(**chinese, trainer__max_updates=2)
    assert finished.code == 0
    for part in ("valid", "test"):
        name = chinese[f"corpus__{part}"]
        assert (
            finished.err.splitlines().count(
                f"corpus.{part}={name} has no spaces between words, and 'target' is no language written so: "
                "BLEU's tokenizer is zh"
            )
            == 1
        )
    signatures = [value["bleu_signature"] for value in metrics(tmp_path / "run", "validation")]
    assert len(signatures) == 2
    assert all("tok:zh" in signature for signature in signatures)
    assert "tok:zh" in load_bundle(tmp_path / "run" / "best").metadata["test"]


def test_validation_text_too_short_for_bleu_is_told_of(command, corpus, tmp_path, write_lines):
    write_lines(tmp_path / "words.en", ["dog", "cat"])
    write_lines(tmp_path / "words.de", ["Hund", "Katze"])
    told = f"no line of corpus.valid={tmp_path / 'words'} has 4 words for BLEU's tokenizer 13a: BLEU is 0 whatever"
    assert told in command(corpus__valid=tmp_path / "words").err
    assert "has 4 words" not in command(run_dir=tmp_path / "other").err


@pytest.fixture
def mixed(text, tmp_path, write_lines):
    """A function that writes a text with so many pairs of the training text, so many of its sources, and new ones."""

    def write(name, pairs, sources, new=0):
        # Some German that no pair of these has.
        german = [*text[1][:pairs], *(f"{line} Hund." for line in text[1][pairs : pairs + sources])]
        fresh = [f"A dog and {n} cats." for n in range(new)]
        write_lines(tmp_path / f"{name}.en", [*text[0][: pairs + sources], *fresh])
        write_lines(tmp_path / f"{name}.de", [*german, *fresh])
        return tmp_path / name

    return write


LITTLE = ": its scores say little about new text; take them out of one of both, or "
MENDED = {
    "valid": "leave corpus.valid empty to hold out pairs of the training text",
    "test": "nmt corpus split takes a test set off the training text",
}


@pytest.mark.parametrize("key", ["valid", "test"])
@pytest.mark.parametrize(
    ("counts", "told", "is_much"),
    [
        ((12, 0, 8), "12 of the 20 pairs of {} (60.00%) are in the training text too", True),
        (
            (12, 3, 5),
            "12 of the 20 pairs of {} (60.00%) are in the training text too, and 3 of its other sources, "
            "with another target",
            True,
        ),
        ((0, 4, 16), "4 of the 20 sources of {} (20.00%) are in the training text too, with another target", True),
        (
            (1, 1, 98),
            "1 of the 100 pairs of {} (1.00%) are in the training text too, and 1 of its other sources, "
            "with another target",
            False,
        ),
        ((0, 2, 98), "2 of the 100 sources of {} (2.00%) are in the training text too, with another target", False),
    ],
)
def test_scored_text_that_is_trained_on_is_told_of_once(command, mixed, tmp_path, key, counts, told, is_much):
    name = mixed("mixed", *counts)
    finished = command(**{f"corpus__{key}": name})
    assert finished.code == 0
    label = f"corpus.{key}={name}"
    lines = [line for line in finished.err.splitlines() if "in the training text too" in line and label in line]
    assert lines == [told.format(label) + (LITTLE + MENDED[key] if is_much else "")]
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert f" {'WARNING' if is_much else 'INFO'} {lines[0]}\n" in log


def test_text_of_its_own_is_not_spoken_of(command, corpus, mixed):
    assert "in the training text too" not in command(corpus__valid=mixed("new", 0, 0, 20)).err
    assert "in the training text too" not in command(corpus__valid=None).err


def test_every_training_text_counts(command, mixed):
    extra, valid = mixed("extra", 0, 0, 30), mixed("valid", 0, 0, 20)
    told = f"20 of the 20 pairs of corpus.valid={valid} (100.00%) are in the training text too"
    assert told in command(corpus__extra=f"[{extra}]", corpus__valid=valid).err


def test_what_is_held_out_for_validation_is_no_training_text(command, tmp_path, write_lines):
    # One of two sources is held out, so that a test text of both has one in common with the training text.
    for side, words in (("en", ("A dog.", "A cat.")), ("de", ("Ein Hund.", "Eine Katze."))):
        write_lines(tmp_path / f"two.{side}", words * 20)
    settings = {"corpus__train": tmp_path / "two", "corpus__valid": None, "subwords__vocabulary_size": 50}
    told = f"20 of the 40 pairs of corpus.test={tmp_path / 'two'} (50.00%) are in the training text too"
    assert told in command(corpus__test=tmp_path / "two", **settings).err


def test_a_start_from_the_cache_remembers_what_is_shared(command, mixed, tmp_path, monkeypatch):
    settings = {"corpus__valid": mixed("mixed", 12, 0, 8), "corpus__cache_dir": tmp_path / "cache"}
    assert "12 of the 20 pairs" in command(**settings).err

    def count(*_):
        raise AssertionError("the training text was read again")

    monkeypatch.setattr("nmt.training.checks.count_overlaps", count)
    assert "12 of the 20 pairs" in command(run_dir=tmp_path / "second", **settings).err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    settings["corpus__valid"] = mixed("mixed", 10, 0, 10)
    assert "10 of the 20 pairs" in command(run_dir=tmp_path / "third", **settings).err


BLANK = {"both": ("", " "), "source": (" \u3000", "Ein Hund."), "target": ("A dog.", "")}


@pytest.mark.parametrize("key", ["valid", "test"])
@pytest.mark.parametrize("side", BLANK)
def test_blank_text_cannot_be_scored(command, tmp_path, write_lines, key, side):
    for suffix, line in zip(("en", "de"), BLANK[side], strict=True):
        write_lines(tmp_path / f"blank.{suffix}", [line] * 20)
    name = tmp_path / "blank"
    assert command(**{f"corpus__{key}": name}).mistake == (
        f"corpus.{key}={name}: no line has text on both sides; name a corpus with text"
    )
    assert not (tmp_path / "run" / "state.pt").exists()


def test_text_half_blank_is_scored_and_more_than_half_is_told_of(command, tmp_path, write_lines):
    for count in (10, 11):
        write_lines(tmp_path / "part.en", [f"A dog and {n} cats." for n in range(20)])
        write_lines(tmp_path / "part.de", [""] * count + ["Ein Hund und Katzen."] * (20 - count))
        finished = command(corpus__valid=tmp_path / "part", run_dir=tmp_path / f"run{count}")
        assert finished.code == 0
        told = (
            f"11 of the 20 lines of corpus.valid={tmp_path / 'part'} have no text on one side or both: "
            "its scores are made of the others"
        )
        assert finished.err.splitlines().count(told) == (count == 11)


def test_a_mistake_in_text_to_score_is_told_before_anything_is_encoded(command, tmp_path, write_lines):
    for suffix in ("en", "de"):
        write_lines(tmp_path / f"blank.{suffix}", [""])
    finished = command(corpus__valid=tmp_path / "blank", corpus__cache_dir=tmp_path / "cache")
    assert finished.code == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(("kind", "is_told"), [("own", False), ("other", True)])
def test_validation_text_of_another_kind_is_told_of_on_each_side(command, tmp_path, write_lines, kind, is_told):
    generator = random.Random(1)
    words = [f"{a}{b}" for a in ("ba", "do", "mi", "ru", "te") for b in ("lan", "nor", "sip", "tuk", "wem")]
    weights = {"own": [1 / (n + 1) for n in range(25)], "other": [1.0] * 25}

    def lines(count, kind):
        return [" ".join(generator.choices(words, weights[kind], k=6)) for _ in range(count)]

    for side in ("en", "de"):
        write_lines(tmp_path / f"train.{side}", lines(400, "own"))
        write_lines(tmp_path / f"valid.{side}", lines(200, kind))
    texts = {"corpus__train": tmp_path / "train", "corpus__valid": tmp_path / "valid"}
    finished = command(**texts, trainer__max_updates=1, subwords__vocabulary_size=100)
    assert finished.code == 0
    for side in ("source", "target"):
        told = f"the {side} side of corpus.valid={tmp_path / 'valid'} is unlike the training text: "
        assert (told in finished.err) is is_told
