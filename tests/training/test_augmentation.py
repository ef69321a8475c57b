"""Trainings with everything that augments text: a stopped run goes on to the bit, and settings belong to the run."""

import signal

import pytest
import yaml

from nmt.bundle.weights import load_bundle
from nmt.config.augmentation import AugmentationConfig
from nmt.corpus.reader import Pair
from nmt.training.augmentation import letter_cases, with_cases
from nmt.training.data import prepare
from nmt.training.trainer import Trainer

SETTINGS = {
    "model__lexicon_size": 3,
    "model__word_dropout": 0.1,
    "augmentation__concatenation": 0.3,
    "augmentation__reversed_pairs": 0.5,
    "augmentation__reversed_epochs": 1.5,
    "augmentation__reversed_words": 0.1,
    "augmentation__replaced_words": 0.1,
    "augmentation__monotone_words": 0.1,
    "augmentation__upper": 0.2,
    "augmentation__typos": 0.3,
    "augmentation__merged_words": 0.1,
    "augmentation__noise": 0.1,
    "augmentation__growth_epochs": 1.0,
    "trainer__max_updates": 14,
    "trainer__validate_every": 14,
    "trainer__batch_tokens": 1800,
}


def test_a_stopped_run_equals_an_uninterrupted_one(make_config, train, saved, same, monkeypatch):
    whole = saved(train(make_config("whole", **SETTINGS)))
    assert whole["position"]["epoch"] >= 1
    config, update = make_config("stopped", **SETTINGS), Trainer._update

    def stopping(self, gradient_norm):
        update(self, gradient_norm)
        if self.position.update == 10:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    assert same(saved(train(config)), whole)


def test_pairs_that_are_read_in_reverse_count_once(make_config, train):
    config = make_config(**SETTINGS | {"trainer__max_updates": 1})
    run_dir = train(config)
    log = (run_dir / "train.log").read_text(encoding="utf-8")
    assert "the training text is read from target to source too in the first 1.5 epochs" in log
    assert "en → de: 240 training pairs" in log
    assert load_bundle(run_dir / "best").metadata["pairs"] == 240
    data = prepare(config)
    assert data.corpus.pairs(0) == 360


def test_an_impossible_share_is_one_line(command):
    message = command("augmentation.typos=2").mistake
    assert message == "augmentation.typos=2.0 is not possible: it must be between 0 and 1"


def test_a_run_goes_on_with_its_own_augmentation_only(command):
    assert command(trainer__max_updates=2).code == 0
    message = command("augmentation.concatenation=0.5", trainer__max_updates=2).mistake
    assert "holds a run with another configuration: augmentation.concatenation (0.0 → 0.5)" in message


def test_subwords_are_trained_on_capitals_too():
    pairs = [Pair(f"aa{i}", "b ß") for i in range(10)]
    assert list(with_cases(pairs, letter_cases(AugmentationConfig()))) == pairs
    some = list(with_cases(pairs, letter_cases(AugmentationConfig(upper=0.3, title=0.1))))
    assert [pair for pair in some if pair in pairs] == pairs
    others = [pair for pair in some if pair not in pairs]
    assert others == [Pair("AA3", "B SS"), Pair("AA6", "B SS"), Pair("AA9", "B SS"), Pair("Aa9", "B SS")]


def test_with_capitals_their_lines_are_not_spelled_letter_by_letter(make_config, corpus):
    lengths = []
    for upper in (0.0, 0.5):
        subwords = prepare(make_config(augmentation__upper=upper, subwords__vocabulary_size=400)).source_subwords
        lines = (corpus / "train.en").read_text(encoding="utf-8").splitlines()
        lengths.append([sum(len(subwords.encode(line)) for line in each) for each in (lines, map(str.upper, lines))])
    assert lengths[1][1] < 0.7 * lengths[0][1]
    assert lengths[1][0] < 1.5 * lengths[0][0]


def test_the_preset_robust_trains_and_a_stopped_run_goes_on(command, interrupted, saved, same, tmp_path):
    run_dir = interrupted(augmentation="robust", trainer__max_epochs=1)
    settings = yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))["augmentation"]
    preset = AugmentationConfig(**settings)
    assert (preset.upper, preset.concatenation, preset.noise) == (0.05, 0.1, 0.0)
    assert command(augmentation="robust", trainer__max_epochs=1).code == 0
    stopped = saved(run_dir)
    assert command(augmentation="robust", trainer__max_epochs=1, run_dir=tmp_path / "whole").code == 0
    assert same(stopped, saved(tmp_path / "whole"))
    assert command(augmentation="none", trainer__max_epochs=1, run_dir=tmp_path / "plain").code == 0
    assert not same(stopped["model"], saved(tmp_path / "plain")["model"])
