"""auto in a whole run: told in its log, kept in its state and config.yaml, and the same when the run goes on."""

import dataclasses

import pytest
import torch
import yaml

import nmt
from nmt.config.choices import ObjectiveKind, Precision, TaskName
from nmt.config.schema import flatten, to_dict, with_keys
from nmt.config.train import BEFORE, CorpusConfig, TrainConfig, TrainerConfig
from nmt.errors import ConfigError, CorpusError
from nmt.tasks.translation import TRANSLATION
from nmt.training.auto import settle as settle_module
from nmt.training.auto.choices import KEYS
from nmt.training.auto.settle import made_consistent, restore_choices, settle_run
from nmt.training.parallel import Processes
from nmt.training.state import load_state, save_state

CPU = torch.device("cpu")
AUTO = {"auto": None, "model": None, "subwords__vocabulary_size": None, "trainer__batch_tokens": None}


@pytest.fixture
def tried(monkeypatch):
    """Let trials take no time and find 400 pairs a second; the list of them."""
    tried = []

    def speed(config, lengths, *, device, seconds):
        tried.append(config.model.embedding_size)
        return 400.0

    monkeypatch.setattr(settle_module, "pairs_per_second", speed)
    return tried


def settings_of(run_dir):
    return flatten(yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8")))


def test_choices_are_told_written_and_kept_and_the_run_goes_on_with_them(command, interrupted, tried, tmp_path):
    changes = {**AUTO, "trainer__max_minutes": 30, "trainer__max_updates": None, "trainer__max_epochs": 2}
    changes["trainer__validate_every"] = None
    run_dir = interrupted(**changes)
    assert tried == [16]
    lines = (run_dir / "train.log").read_text(encoding="utf-8")
    assert "auto: 240 pairs (240 different), about" in lines
    assert "auto: subwords.vocabulary_size=500: 240 different pairs" in lines
    settings, state = settings_of(run_dir), flatten(load_state(run_dir / "state.pt").config)
    assert settings["subwords.vocabulary_size"] == state["subwords.vocabulary_size"] == 500
    assert (settings["auto"], settings["model.embedding_size"], settings["corpus.deduplicate"]) == (True, 16, True)
    tried.clear()
    finished = command(**changes)
    assert finished.code == 0
    assert (tried, "auto:" in finished.err) == ([], False)
    assert settings_of(run_dir) == settings
    refused = command(**changes, model__dropout=0.01)
    assert f"holds a run with another configuration: model.dropout ({settings['model.dropout']} → 0.01)" in (
        refused.mistake
    )


def test_auto_keeps_what_a_preset_of_augmentation_says(command, tried, tmp_path):
    changes = {**AUTO, "trainer__max_updates": 1, "augmentation": "robust"}
    assert command(**changes, augmentation__typos=0.1).code == 0
    settings = settings_of(tmp_path / "run")
    keys = ("upper", "title", "typos", "merged_words", "split_words", "concatenation")
    assert [settings[f"augmentation.{key}"] for key in keys] == [0.05, 0.05, 0.1, 0.02, 0.02, 0.1]
    assert settings["subwords.vocabulary_size"] == 500  # which auto settled


def test_a_run_without_auto_stays_one(command, tried, tmp_path):
    words = {"model__tying": "target", "trainer__max_updates": 2}
    assert command(**words).code == 0
    run_dir = tmp_path / "run"
    settings = settings_of(run_dir)
    saved = load_state(run_dir / "state.pt")
    del saved.config["auto"], saved.config["corpus"]["deduplicate"]  # as an older nmt left it
    save_state(saved, run_dir / "state.pt")
    finished = command(**words, auto=None)
    assert finished.code == 0
    assert f"the run in {run_dir} is finished" in finished.err
    assert settings_of(run_dir) == settings
    assert (settings["auto"], settings["corpus.deduplicate"], tried) == (False, False, [])


def test_a_run_may_be_told_of_auto_otherwise_as_long_as_its_values_stay(make_config):
    config = make_config(auto=True, model__dropout=0.3)
    saved = to_dict(config)
    command = with_keys(config, {"model.dropout": 0.2})
    assert restore_choices(command, saved, chosen=set()) == config
    assert restore_choices(command, saved, chosen={"model.dropout"}) == command
    for off in ({**saved, "auto": False}, {key: value for key, value in saved.items() if key != "auto"}):
        assert restore_choices(command, off, chosen=set()) == dataclasses.replace(command, auto=False)
    assert BEFORE == {"auto": False}


def test_a_text_that_cannot_be_read_is_told_before_a_trial(command, tried, tmp_path):
    changes = {**AUTO, "trainer__max_minutes": 1, "trainer__max_updates": None}
    finished = command(**changes, corpus__test=tmp_path / "nowhere")
    assert "corpus.test=" in finished.mistake
    assert tried == []


@pytest.mark.parametrize("joint", [None, "false"])
def test_what_one_choice_excludes_is_settled_too(command, tried, tmp_path, joint):
    finished = command(**AUTO, subwords__joint=joint, trainer__max_updates=1)
    assert (finished.code, tried) == (0, [])
    settings = settings_of(tmp_path / "run")
    assert (settings["subwords.joint"], settings["model.tying"]) == ((False, "target") if joint else (True, "all"))


def test_other_tasks_and_objectives_that_search_keep_their_presets():
    for changed in (
        TrainConfig(task=TaskName.labelling),
        with_keys(TrainConfig(init_from="a"), {"objective.kind": ObjectiveKind.self_critical}),
        TrainConfig(auto=False),
    ):
        config = made_consistent(changed, set())
        assert config == dataclasses.replace(changed, auto=False)
        assert settle_run(config, TRANSLATION, chosen=set(), device=CPU, processes=Processes()) is config
    # Whoever says nothing of what was chosen has chosen all.
    assert not made_consistent(TrainConfig(), None).auto


@pytest.fixture
def own_text(tmp_path, write_lines, cache):
    """A function that makes the configuration of a run on pairs, some of which are held out."""

    def make(pairs, **changes):
        for side, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            write_lines(tmp_path / f"own.{side}", lines)
        config = TrainConfig(
            run_dir=str(tmp_path / "runs" / "own"),
            corpus=CorpusConfig(train=str(tmp_path / "own"), source="en", target="de", cache_dir=str(cache)),
            trainer=TrainerConfig(max_epochs=1, threads=1, precision=Precision.fp32, progress=False),
        )
        return with_keys(config, {key.replace("__", "."): value for key, value in changes.items()})

    return make


def test_fifty_pairs_that_stand_twice_are_trained_on_from_python(own_text, text, tmp_path):
    pairs = list(zip(*(side[:50] for side in text), strict=True)) * 2
    # This is as by default, and yet it shall stay.
    results = nmt.train(own_text(pairs, model__embedding_size=16), keep=["model.encoder_layers", "model.dropout"])
    config = settings_of(tmp_path / "runs" / "own")
    assert results.finished
    assert results.updates > 5  # of one pass, since the batches are small
    assert (config["corpus.deduplicate"], config["model.dropout"], config["model.embedding_size"]) == (True, 0.2, 16)
    assert config["model.encoder_hidden_size"] == 128
    log = (tmp_path / "runs" / "own" / "train.log").read_text(encoding="utf-8")
    assert "auto: corpus.deduplicate=true: 50 pairs stand there before; each counts once" in log
    assert ", 50 that stand there before: each pair counts once" in log
    with pytest.raises(ConfigError, match=r"^keep has 'dropout', which is no key: write it as in model.dropout$"):
        nmt.train(own_text(pairs), keep=["dropout"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a b", "c d")], r"too few different sentences \(1\) to hold some out"),
        ([("a b", "c d")] * 9, r"too few different sentences \(1\) to hold some out"),
        ([("", "c d"), (" ", "\u2028")], "no line has text"),
        ([("x" * 1_000_000, "y" * 1_000_000), ("a", "b")], "no pair is left to train on"),
    ],
)
def test_what_is_no_text_is_told_as_without_auto(own_text, pairs, message):
    with pytest.raises(CorpusError, match=message):
        nmt.train(own_text(pairs))


def test_one_pair_is_trained_on_where_validation_text_is_given(own_text, corpus, tmp_path):
    config = own_text([("a small house", "ein kleines Haus")], trainer__max_updates=1, subwords__vocabulary_size=60)
    config.corpus.valid = config.corpus.train
    assert nmt.train(config).updates == 1


def test_a_parent_keeps_its_model_and_is_trained_gently(own_text, text, tried):
    scratch = own_text(zip(*text, strict=True), model__dropout=0.125)
    child = dataclasses.replace(scratch, init_from="runs/general/best")
    settled, fresh = (
        settle_run(config, TRANSLATION, chosen={"trainer.max_epochs"}, device=CPU, processes=Processes())
        for config in (child, scratch)
    )
    changed = differing_keys(settled, child)
    assert {"trainer.batch_tokens", "optimizer.lr", "corpus.deduplicate"} <= changed
    assert not any(key.startswith(("model.", "subwords.")) for key in changed)
    assert settled.optimizer.lr < fresh.optimizer.lr / 2


def differing_keys(one, other):
    first, second = flatten(to_dict(one)), flatten(to_dict(other))
    return {key for key in first if first[key] != second[key]}


def test_the_main_process_chooses_and_the_others_receive(own_text, text, tried):
    config = own_text(zip(*text, strict=True))
    sent = []

    class Main(Processes):
        def from_main(self, function):
            sent.append(function())
            return sent[-1]

    class Other(Processes):
        def from_main(self, function):
            return sent[-1]

    main = settle_run(config, TRANSLATION, chosen=set(), device=CPU, processes=Main(0, 3))
    assert tried
    tried.clear()
    own = dataclasses.replace(config, corpus=dataclasses.replace(config.corpus, cache_dir="another"))
    other = settle_run(own, TRANSLATION, chosen=set(), device=CPU, processes=Other(1, 3))
    assert tried == []
    assert differing_keys(main, other) == {"corpus.cache_dir"}
    assert sent[0].keys() <= KEYS


def test_trials_take_seconds_and_no_more(monkeypatch):
    now, given = [0.0], []

    def speed(config, lengths, *, device, seconds):
        given.append(seconds)
        now[0] += 2 * seconds  # making a model takes time too
        return 5.0

    monkeypatch.setattr(settle_module, "pairs_per_second", speed)
    monkeypatch.setattr(settle_module.time, "monotonic", lambda: now[0])
    trial = settle_module._Trial(CPU, 1)
    assert [trial(TrainConfig(), (3, 4)) for _ in range(3)] == [5, 5, 0]
    assert given == [3.0, 1.0]
    assert trial.seconds == settle_module.TRIAL_SECONDS


def test_several_processes_are_nearly_as_many_times_as_fast(tried):
    trial = settle_module._Trial(CPU, 4)
    assert trial(TrainConfig(), (3, 4)) == pytest.approx(400 * 4 * 0.8)
    assert settle_module._Trial(CPU, 1)(TrainConfig(), (3, 4)) == 400
