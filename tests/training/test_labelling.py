"""A whole training of task=labelling: what it writes, that it resumes exactly, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch

import corpora
from nmt.bundle.weights import load_bundle
from nmt.config.choices import ObjectiveKind, TaskName
from nmt.config.train import TrainConfig
from nmt.errors import BundleError, ConfigError
from nmt.training.state import load_state
from nmt.training.trainer import Trainer
from nmt.translation.labeller import Labeller

DEMO = Path(corpora.__file__).parent / "demo_labelling"
SETTINGS = {
    "task": "labelling",
    "corpus.train": DEMO / "train.conll",
    "corpus.valid": DEMO / "valid.conll",
    "corpus.test": DEMO / "test.conll",
    "corpus.source": "''",
    "corpus.target": "''",
    "subwords.vocabulary_size": 500,
    "model": "tagger",
    "model.attentional_size": None,
    "model.decoder_hidden_size": None,
    "model.character_size": 8,
    "optimizer.lr": 0.02,
    "optimizer.warmup_updates": 5,
    "trainer.batch_tokens": 600,
    "trainer.ema_decay": 0.5,
    "trainer.log_every": 2,
}


@pytest.fixture
def label(command):
    """nmt-train with task=labelling and tiny settings, see `command`."""

    def run(*words, **changes):
        changes = SETTINGS | {key.replace("__", "."): value for key, value in changes.items()}
        return command(*words, **changes)

    return run


def test_a_training_learns_labels_and_says_how_well(label, tmp_path, metrics):
    finished = label(trainer__max_updates=40, trainer__validate_every=20)
    assert finished.code == 0, finished.err
    assert "training text (encoded): 600 pairs kept" in finished.err
    assert "tokens → labels: 600 training pairs, 100 validation pairs" in finished.err
    assert "use it: nmt predict" in finished.err
    run = tmp_path / "run"
    line = metrics(run, "validation")[-1]
    assert line["f1"] == line["best_f1"] > 30
    assert line["f1_signature"].startswith("match:span+type")
    bundle = load_bundle(run / "best")
    assert bundle.task is TaskName.labelling
    assert bundle.metadata["test"].startswith("F1 ")
    assert "of:tokens" in bundle.metadata["test"]
    card = (run / "best" / "README.md").read_text(encoding="utf-8")
    assert "A labeller trained with nmt" in card
    assert "nmt predict THIS_DIRECTORY" in card
    assert label(trainer__max_updates=40, trainer__validate_every=20).code == 0  # there is nothing left to do


def test_the_textbooks_example_comes_out_right(label, tmp_path):
    assert label(trainer__max_updates=60, trainer__validate_every=30, trainer__batch_tokens=900).code == 0
    [item] = Labeller(load_bundle(tmp_path / "run" / "best")).translate(["我 爱 北京 天安门"])
    assert item.text == "O O B-LOC I-LOC"


def test_a_resumed_run_is_the_uninterrupted_one(label, tmp_path, monkeypatch, saved, same, metrics):
    import signal

    assert label(run_dir=tmp_path / "whole").code == 0
    update = Trainer._update

    def patched(self, gradient_norm):
        update(self, gradient_norm)
        if self.position.update == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", patched)
        assert label(run_dir=tmp_path / "halted").code == 130
    assert load_state(tmp_path / "halted" / "state.pt").position.update == 3
    assert label(run_dir=tmp_path / "halted").code == 0
    assert same(saved(tmp_path / "whole"), saved(tmp_path / "halted"))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halted")
    whole, halted = (load_bundle(tmp_path / name / "last").model.state_dict() for name in ("whole", "halted"))
    assert all(torch.equal(whole[name], halted[name]) for name in whole)


def test_labels_that_are_no_entities_are_scored_by_accuracy(label, tmp_path, metrics):
    for name in ("train", "valid"):
        text = (DEMO / f"{name}.conll").read_text(encoding="utf-8")
        (tmp_path / f"{name}.conll").write_text(text.replace("B-", "").replace("I-", ""), encoding="utf-8")
    files = {f"corpus__{name}": tmp_path / f"{name}.conll" for name in ("train", "valid")}
    assert label(corpus__test=None, **files).code == 0
    line = metrics(tmp_path / "run", "validation")[-1]
    assert line["accuracy"] == line["best_accuracy"] > 10
    assert "f1" not in line


def test_held_out_text_and_parallel_files_train_too(label, tmp_path):
    text = (DEMO / "train.conll").read_text(encoding="utf-8").strip().split("\n\n")[:200]
    rows = [[line.split("\t") for line in sentence.split("\n")] for sentence in text]
    for side, column in (("tokens", 0), ("labels", 1)):
        lines = "".join(" ".join(token[column] for token in row) + "\n" for row in rows)
        (tmp_path / f"mine.{side}").write_text(lines, encoding="utf-8")
    finished = label(corpus__train=tmp_path / "mine", corpus__valid=None, corpus__test=None, trainer__max_updates=2)
    assert finished.code == 0, finished.err
    assert "20 pairs are held out by hash of the source" in finished.err


def test_a_label_of_the_validation_text_that_was_never_seen(label, tmp_path):
    (tmp_path / "v.conll").write_text("我\tO\n\n北京\tB-CITY\n", encoding="utf-8")
    assert label(corpus__valid=tmp_path / "v.conll").mistake == (
        f"{tmp_path}/v.conll: line 3 has the label B-CITY, which never occurs in the training text; correct it, or add "
        "such sentences to the training text"
    )


def test_broken_labels_are_refused_or_repaired_and_counted(label, tmp_path):
    text = (DEMO / "train.conll").read_text(encoding="utf-8")
    (tmp_path / "t.conll").write_text(f"北京\tI-LOC\n\n{text}", encoding="utf-8")
    assert label(corpus__train=tmp_path / "t.conll").mistake.startswith(
        f"{tmp_path}/t.conll: line 1 is broken BIO: I-LOC begins a sentence"
    )
    finished = label(corpus__train=tmp_path / "t.conll", corpus__repair_bio="true", trainer__max_updates=1)
    assert finished.code == 0
    assert "t.conll: 1 broken I- labels are read as B- (corpus.repair_bio)" in finished.err


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("init_from", "somewhere", "somewhere"),
        ("corpus.tags", [1], "[1]"),
        ("subwords.sampling_alpha", 0.1, "0.1"),
        ("subwords.model", "a.model", "a.model"),
        ("objective.kind", ObjectiveKind.scheduled_sampling, "scheduled_sampling"),
    ],
)
def test_settings_without_a_meaning_are_refused(key, value, shown):
    config = TrainConfig(task=TaskName.labelling)
    config.corpus.train = "a.conll"
    group, _, name = key.rpartition(".")
    setattr(getattr(config, group) if group else config, name, value)
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert str(caught.value) == f"{key}={shown} has no meaning with task=labelling; leave it out"


def test_a_translation_has_no_labels_to_repair():
    config = TrainConfig()
    config.corpus.train, config.corpus.source, config.corpus.target = "a", "en", "de"
    config.corpus.repair_bio = True
    with pytest.raises(ConfigError, match=r"corpus.repair_bio=true has no meaning with task=translation; leave it out"):
        config.validate()


def test_a_bundle_of_a_task_that_is_not_known_is_refused(label, tmp_path):
    assert label(trainer__max_updates=1).code == 0
    path = tmp_path / "run" / "best" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"task": "parsing"}), encoding="utf-8")
    with pytest.raises(BundleError, match=r"is of task parsing, which nmt .* does not know; install a newer nmt"):
        load_bundle(tmp_path / "run" / "best")


def test_no_other_run_starts_from_a_labeller(label, command, tmp_path):
    assert label(trainer__max_updates=1).code == 0
    finished = command(run_dir=tmp_path / "child", init_from=tmp_path / "run" / "best")
    assert "its model is of task=labelling, and only a translation starts from a parent" in finished.mistake
