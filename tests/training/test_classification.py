"""A whole training of task=classification: what it writes, that it resumes exactly, and what it refuses."""

import math
import signal
from pathlib import Path

import pytest
import torch

import corpora
from nmt.bundle.weights import load_bundle
from nmt.config.choices import ObjectiveKind, Pooling, TaskName
from nmt.config.train import TrainConfig
from nmt.corpus.reader import read_text
from nmt.errors import ConfigError
from nmt.tasks.classification import CLASSIFICATION
from nmt.training.state import load_state
from nmt.training.trainer import Trainer
from nmt.translation.classifier import Classifier

DEMO = Path(corpora.__file__).parent / "demo_classification"
SETTINGS = {
    "task": "classification",
    "corpus.train": DEMO / "train.tsv",
    "corpus.valid": DEMO / "valid.tsv",
    "corpus.test": DEMO / "test.tsv",
    "corpus.source": "''",
    "corpus.target": "''",
    "subwords.vocabulary_size": 500,
    "model": "classifier",
    "model.attentional_size": None,
    "model.decoder_hidden_size": None,
    "model.character_size": 8,
    "model.attention_size": 16,
    "model.dropout": 0.1,
    "optimizer.lr": 0.02,
    "optimizer.warmup_updates": 5,
    "trainer.batch_tokens": 600,
    "trainer.ema_decay": 0.5,
    "trainer.log_every": 2,
}


@pytest.fixture
def classify(command):
    """nmt-train with task=classification and tiny settings, see `command`."""

    def run(*words, **changes):
        changes = SETTINGS | {key.replace("__", "."): value for key, value in changes.items()}
        return command(*words, **changes)

    return run


@pytest.fixture
def write(tmp_path):
    """Write a file; return its path."""

    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return to


@pytest.mark.parametrize("pooling", ["attention", "last"])
def test_a_training_learns_labels_and_says_how_well(classify, tmp_path, metrics, pooling):
    finished = classify(trainer__max_updates=40, trainer__validate_every=20, model__pooling=pooling)
    assert finished.code == 0, finished.err
    assert ": 300 pairs kept" in finished.err
    assert "text → labels: 300 training pairs, 50 validation pairs" in finished.err
    assert "use it: nmt predict" in finished.err
    run = tmp_path / "run"
    line = metrics(run, "validation")[-1]
    assert line["best_macro_f1"] >= line["macro_f1"] > 50
    assert line["macro_f1_signature"] == "average:macro|labels:of outputs and references"
    bundle = load_bundle(run / "best")
    assert bundle.task is TaskName.classification
    assert bundle.metadata["test"].startswith("macro F1 ")
    assert "; accuracy " in bundle.metadata["test"]
    card = (run / "best" / "README.md").read_text(encoding="utf-8")
    kind = {"attention": "attention over its words", "last": "its last states"}[pooling]
    assert "A classifier trained with nmt " in card
    assert f"lstm encoder with {kind}" in card
    assert "nmt predict THIS_DIRECTORY" in card
    # There is nothing left to do.
    assert classify(trainer__max_updates=40, trainer__validate_every=20, model__pooling=pooling).code == 0


def test_a_resumed_run_is_the_uninterrupted_one(classify, tmp_path, monkeypatch, saved, same, metrics):
    assert classify(run_dir=tmp_path / "whole").code == 0
    update = Trainer._update

    def patched(self, gradient_norm):
        update(self, gradient_norm)
        if self.position.update == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", patched)
        assert classify(run_dir=tmp_path / "halted").code == 130
    assert load_state(tmp_path / "halted" / "state.pt").position.update == 3
    assert classify(run_dir=tmp_path / "halted").code == 0
    assert same(saved(tmp_path / "whole"), saved(tmp_path / "halted"))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halted")
    whole, halted = (load_bundle(tmp_path / name / "last").model.state_dict() for name in ("whole", "halted"))
    assert all(torch.equal(whole[name], halted[name]) for name in whole)


def test_held_out_text_in_each_form_trains_too(classify, tmp_path, write):
    rows = [line.split("\t") for line in (DEMO / "train.tsv").read_text(encoding="utf-8").splitlines()[:200]]
    write("mine.text", "".join(f"{text}\n" for text, _ in rows))
    write("mine.labels", "".join(f"{label}\n" for _, label in rows))
    one = write("one.label", "".join(f"{label}:{len(text)} {text}\n" for text, label in rows))
    for train, changes in ((tmp_path / "mine", {}), (one, {"corpus__coarse_labels": "true"})):
        files = {"corpus__train": train, "corpus__valid": None, "corpus__test": None, "run_dir": f"{train}-run"}
        finished = classify(**files, trainer__max_updates=2, **changes)
        assert finished.code == 0, finished.err
        assert "20 pairs are held out by hash of the source" in finished.err
        labels = load_bundle(Path(f"{train}-run") / "best").target_subwords.labels
        assert labels == ("negative", "neutral", "positive")


def test_a_line_that_is_not_utf8_is_warned_of_once(classify, write):
    file = write("t.tsv", (DEMO / "train.tsv").read_bytes() + b"sister\xf0city\tneutral\n")
    finished = classify(corpus__train=file, trainer__max_updates=1)
    assert finished.code == 0
    warning = f"{file}: line 301 is not UTF-8 (byte 0xf0 at column 7); such bytes were replaced"
    assert [line for line in finished.err.splitlines() if "UTF-8" in line] == [warning]


def test_long_texts_are_cut_and_counted(classify):
    finished = classify(corpus__max_source_tokens=4, trainer__max_updates=1)
    assert finished.code == 0
    assert "train.tsv: 300 texts are cut to their first corpus.max_source_tokens=4 words" in finished.err
    assert "valid.tsv: 50 lines, 3 labels: " in finished.err
    assert finished.err.count("texts are cut") == 1  # a text that is scored is read whole


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("train", "a\tX\nb\n", "line 2 has no label; add it, or take the line out"),
        ("valid", "a\tX\n \tX\n", "line 2 has no text; add it, or take the line out"),
        ("test", "a\tb\tX\n", "line 1 has 3 columns instead of two (text, tab, label); correct it"),
        (
            "valid",
            "a\tneutral\nb\tbored\n",
            "line 2 has the label bored, which never occurs in the training text; correct it, or add such lines to the "
            "training text",
        ),
    ],
)
def test_mistakes_in_a_file_are_told_with_their_line(classify, write, name, content, expected):
    file = write("mine.tsv", content)
    assert classify(**{f"corpus__{name}": file}).mistake == f"{file}: {expected}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "no line has text; check the corpus files"), ("a\tX\n", "too few different sentences (1)")],
)
def test_a_file_with_too_little_to_hold_lines_out_is_told(classify, write, content, expected):
    file = write("mine.tsv", content)
    finished = classify(corpus__train=file, corpus__valid=None)
    assert finished.mistake.startswith(f"corpus.train={file}: {expected}")


def test_one_text_that_is_read_in_two_ways_is_held_out_in_two(classify, write, tmp_path):
    lines = "".join(f"x{i % 3}\tword{i}\n" for i in range(60))
    for name in ("one.tsv", "one.label"):
        changes = {
            "corpus__valid": None,
            "corpus__test": None,
            "trainer__max_updates": 1,
            "run_dir": tmp_path / name[4:],
        }
        finished = classify(corpus__train=write(name, lines), **changes)
        assert finished.code == 0, finished.err
    assert "one.label: 60 lines, 3 labels: x0 20, x1 20, x2 20" in finished.err
    assert "6 pairs are held out by hash of the source" in finished.err


def test_one_label_is_nothing_to_learn(classify, write):
    file = write("mine.tsv", "a\tX\nb\tX\n")
    assert classify(corpus__train=file).mistake == (
        f"corpus.train={file}: every line has the label X, and there is nothing to learn; name a text with two labels "
        "or more"
    )


@pytest.mark.parametrize(
    ("task", "key", "value", "shown"),
    [
        ("classification", "init_from", "somewhere", "somewhere"),
        ("classification", "corpus.tags", [1], "[1]"),
        ("classification", "corpus.repair_bio", True, "true"),
        ("classification", "corpus.strip_token_digits", True, "true"),
        ("classification", "subwords.sampling_alpha", 0.1, "0.1"),
        ("classification", "subwords.byte_fallback", True, "true"),
        ("classification", "subwords.model", "a.model", "a.model"),
        ("classification", "subwords.source_model", "a.model", "a.model"),
        ("classification", "objective.kind", ObjectiveKind.scheduled_sampling, "scheduled_sampling"),
        ("labelling", "corpus.coarse_labels", True, "true"),
        ("labelling", "model.pooling", Pooling.last, "last"),
        ("translation", "corpus.coarse_labels", True, "true"),
        ("translation", "model.pooling", Pooling.last, "last"),
        ("classification", "augmentation.concatenation", 0.1, "0.1"),
        ("translation", "model.window", 1, "1"),
    ],
)
def test_settings_without_a_meaning_are_refused(task, key, value, shown):
    config = TrainConfig(task=TaskName[task])
    config.corpus.train, config.corpus.source, config.corpus.target = "a", "en", "de"
    group, _, name = key.rpartition(".")
    setattr(getattr(config, group) if group else config, name, value)
    if name == "source_model":
        config.subwords.target_model = value
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert str(caught.value) == f"{key}={shown} has no meaning with task={task}; leave it out"


def test_no_other_run_starts_from_a_classifier(classify, command, tmp_path):
    assert classify(trainer__max_updates=1).code == 0
    finished = command(run_dir=tmp_path / "child", init_from=tmp_path / "run" / "best")
    assert "its model is of task=classification, and only a translation starts from a parent" in finished.mistake


def test_the_loss_is_the_cross_entropy_of_the_labels(classify, tmp_path):
    assert classify(trainer__max_updates=2).code == 0
    bundle = load_bundle(tmp_path / "run" / "best")
    paths = CLASSIFICATION.find(str(DEMO / "valid.tsv"), TrainConfig().corpus, key="corpus.valid")
    text = read_text(paths)
    loss, tokens = CLASSIFICATION.reference_loss(bundle, text, batch_size=7)
    answers = Classifier(bundle).translate(text.source)
    chances = [each.decision.probabilities[label] for each, label in zip(answers, text.target, strict=True)]
    assert loss == pytest.approx(-sum(map(math.log, chances)), rel=1e-4)
    assert tokens == 2 * len(text.source)  # the label and the end of the line
