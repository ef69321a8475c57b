"""A whole training of task=generation: what it writes, that it resumes exactly, and what it refuses."""

import gzip
import signal
from pathlib import Path

import pytest
import torch

import corpora
from nmt.bundle.weights import load_bundle
from nmt.config.choices import ObjectiveKind, TaskName
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError
from nmt.evaluation.bits import LineBits, total
from nmt.evaluation.metrics import Score
from nmt.runs.results import read_results
from nmt.runs.tables import Summary
from nmt.tasks.generation import line_bits
from nmt.training import trainer as trainer_module
from nmt.training.state import load_state
from nmt.training.trainer import Trainer
from nmt.training.validation import Validation

DEMO = Path(corpora.__file__).parent / "demo"


@pytest.fixture
def learn(command, corpus):
    """nmt-train with task=generation and tiny settings, see `command`."""
    settings = {
        "task": "generation",
        "corpus.train": corpus / "train.en",
        "corpus.valid": corpus / "valid.en",
        "corpus.test": corpus / "test.en",
        "corpus.source": None,
        "corpus.target": "en",
        "subwords": "char",
        "subwords.vocabulary_size": 100,
        "model": "language_model",
        "model.attentional_size": None,
        "model.encoder_hidden_size": None,
        "model.decoder_layers": 1,
        "optimizer.lr": 0.01,
        "optimizer.warmup_updates": 5,
        "trainer.batch_tokens": 1200,
        "trainer.label_smoothing": 0,
        "trainer.ema_decay": 0.5,
        "trainer.log_every": 2,
    }

    def run(*words, **changes):
        return command(*words, **settings | {key.replace("__", "."): value for key, value in changes.items()})

    return run


def test_a_training_learns_a_text_and_says_how_well(learn, tmp_path, metrics, corpus):
    finished = learn(trainer__max_updates=30, trainer__validate_every=10)
    assert finished.code == 0, finished.err
    assert "en: 240 training pairs, 22 validation pairs" in finished.err
    assert "use it: nmt predict" in finished.err
    run = tmp_path / "run"
    validations = metrics(run, "validation")
    values = [line["bits_per_character"] for line in validations]
    assert values == sorted(values, reverse=True)  # less is better, and it learns
    assert validations[-1]["best_bits_per_character"] == values[-1] < 4.5
    bundle = load_bundle(run / "best")
    assert bundle.task is TaskName.generation
    assert bundle.metadata["updates"] == 30
    assert bundle.metadata["test"].startswith("bits per character ")
    assert "; perplexity " in bundle.metadata["test"]
    # The score is what the text itself says.
    lines = (corpus / "valid.en").read_text(encoding="utf-8").splitlines()
    sums = total(line_bits(bundle.model, bundle.target_subwords, lines, batch_size=7), lines)
    assert sums.per_character == pytest.approx(values[-1], abs=1e-4)
    assert sums.characters == sum(map(len, lines)) + len(lines)
    assert sums.perplexity == pytest.approx(validations[-1]["perplexity"], rel=1e-3)
    card = (run / "best" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# en\n\nA language model trained with nmt")
    assert "lstm language model" in card
    assert "nmt predict THIS_DIRECTORY" in card
    assert "there is nothing left to train" in learn(trainer__max_updates=30, trainer__validate_every=10).err
    results = read_results(run)
    assert (results.finished, results.score, results.bleu) == (True, pytest.approx(values[-1], abs=1e-4), None)
    assert results.test_scores["bits_per_character"].how.startswith("teacher forced, eos:yes")
    table = Summary([results]).text()
    assert "validation bits per character  test bits per character" in table
    assert f"{values[-1]:.4f}" in table


def test_a_resumed_run_is_the_uninterrupted_one(learn, tmp_path, monkeypatch, saved, same, metrics):
    settings = {"subwords": "unigram", "subwords.vocabulary_size": 120, "subwords.sampling_alpha": 0.3}
    settings["model.dropout"] = 0.3
    assert learn(run_dir=tmp_path / "whole", **settings).code == 0
    update = Trainer._update

    def patched(self, gradient_norm):
        update(self, gradient_norm)
        if self.position.update == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", patched)
        assert learn(run_dir=tmp_path / "halted", **settings).code == 130
    assert load_state(tmp_path / "halted" / "state.pt").position.update == 3
    assert learn(run_dir=tmp_path / "halted", **settings).code == 0
    assert same(saved(tmp_path / "whole"), saved(tmp_path / "halted"))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halted")
    whole, halted = (load_bundle(tmp_path / name / "last").model.state_dict() for name in ("whole", "halted"))
    assert all(torch.equal(whole[name], halted[name]) for name in whole)


def test_less_is_better_for_the_best_weights_and_for_patience(learn, tmp_path, metrics, monkeypatch):
    values = iter([3.0, 2.5, 2.7, 2.6, 2.4])

    def validate(task, bundle, texts, **_):
        scores = {"bits_per_character": Score("bits per character", next(values), "made up")}
        return Validation(2.0, scores, "teacher forced", [str(LineBits(1.0, 1))] * len(texts[None].target))

    monkeypatch.setattr(trainer_module, "validate_all", validate)
    finished = learn(trainer__max_updates=9, trainer__validate_every=1, trainer__patience=2, corpus__test=None)
    assert finished.code == 0, finished.err
    assert "training ended: no better bits per character in trainer.patience=2 validations" in finished.err
    assert "best validation bits per character 2.5000 at update 2 of 4" in finished.err
    assert [line["best_bits_per_character"] for line in metrics(tmp_path / "run", "validation")] == [3, 2.5, 2.5, 2.5]
    assert load_bundle(tmp_path / "run" / "best").metadata["updates"] == 2
    results = read_results(tmp_path / "run")
    assert (results.score, results.finished) == (2.5, True)


def test_text_is_held_out_and_may_be_gzipped_with_blank_lines(learn, tmp_path):
    lines = (DEMO / "train.en").read_text(encoding="utf-8").split("\n")[:200]
    with gzip.open(tmp_path / "mine.text.gz", "wt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n\n" for line in lines))
    finished = learn(
        corpus__train=tmp_path / "mine",
        corpus__valid=None,
        corpus__test=None,
        corpus__target="text",
        trainer__max_updates=2,
    )
    assert finished.code == 0, finished.err
    assert "pairs are held out by hash of the source" in finished.err
    assert "left out: 200 with an empty side" in finished.err
    state = load_state(tmp_path / "run" / "state.pt")
    assert state.position.target_tokens > 0


def test_lines_that_are_too_long_are_left_out_by_the_targets_limit(learn):
    finished = learn(trainer__max_updates=1, corpus__max_target_tokens=20, corpus__max_source_tokens=1)
    assert finished.code == 0, finished.err
    assert "0 of unlike lengths" in finished.err
    assert " 0 too long" not in finished.err


def test_a_file_that_is_not_there(learn, tmp_path):
    assert learn(corpus__train=tmp_path / "x").mistake == (
        f"corpus.train={tmp_path}/x: there is no file {tmp_path}/x (nor {tmp_path}/x.en); check the path"
    )


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("init_from", "somewhere", "somewhere"),
        ("corpus.source", "en", "en"),
        ("corpus.tags", [1], "[1]"),
        ("corpus.repair_bio", True, "true"),
        ("subwords.joint", False, "false"),
        ("objective.kind", ObjectiveKind.scheduled_sampling, "scheduled_sampling"),
    ],
)
def test_settings_without_a_meaning_are_refused(key, value, shown):
    config = TrainConfig(task=TaskName.generation)
    config.corpus.train = "a.txt"
    group, _, name = key.rpartition(".")
    setattr(getattr(config, group) if group else config, name, value)
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert str(caught.value) == f"{key}={shown} has no meaning with task=generation; leave it out"


def test_no_other_run_starts_from_a_language_model(learn, command, tmp_path):
    assert learn(trainer__max_updates=1, corpus__test=None).code == 0
    finished = command(run_dir=tmp_path / "child", init_from=tmp_path / "run" / "best")
    assert "its model is of task=generation, and only a translation starts from a parent" in finished.mistake
