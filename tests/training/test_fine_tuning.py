"""Fine-tuning: what a run takes over from the bundle that init_from names, and what it refuses."""

import dataclasses
import shutil

import pytest

from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import AttentionKind, Normalization, SubwordKind, Tying
from nmt.config.model import ModelConfig
from nmt.config.schema import to_dict
from nmt.config.train import TrainConfig
from nmt.errors import BundleError, ConfigError, SubwordError
from nmt.runs.log import LOG
from nmt.text.subword_training import train_subwords
from nmt.training.fine_tuning import inherit_settings, restore_inherited


@pytest.fixture
def parent(make_bundle, tmp_path):
    """A bundle whose model is like nobody's default."""
    path = tmp_path / "parent"
    save_bundle(make_bundle(1, attention=AttentionKind.additive, dropout=0.125), path)
    return path


def child(parent, **changes):
    config = TrainConfig(init_from=str(parent))
    config.corpus.source, config.corpus.target = "en", "zh"
    for key, value in changes.items():
        group, _, name = key.rpartition("__")
        setattr(getattr(config, group) if group else config, name, value)
    return config, {key.replace("__", ".") for key in changes}


def test_what_nobody_chose_is_the_parents(parent, assert_same_bundle):
    config, chosen = child(parent)
    before = dataclasses.asdict(config)
    adopted, bundle = inherit_settings(config, chosen=chosen)
    assert_same_bundle(bundle, load_bundle(parent))
    assert adopted.model == bundle.config
    assert adopted.subwords == dataclasses.replace(config.subwords, vocabulary_size=44)
    assert dataclasses.asdict(config) == before
    others = {"corpus", "optimizer", "trainer", "search", "seed", "name", "run_dir", "init_from"}
    assert {key: to_dict(adopted)[key] for key in others} == {key: to_dict(config)[key] for key in others}


def test_names_of_tags_are_the_parents_unless_the_child_has_its_own(make_bundle, tmp_path):
    save_bundle(dataclasses.replace(make_bundle(), tags={"formal": 0, "informal": 2}), tmp_path / "parent")
    for own in ([], ["a", "b", "c"]):
        config, chosen = child(tmp_path / "parent", **({"corpus__tag_names": own} if own else {}))
        adopted, _ = inherit_settings(config, chosen=chosen)
        assert adopted.corpus.tag_names == (own or ["formal", "", "informal"])


def test_separate_subword_models_are_taken_over(make_bundle, tmp_path):
    save_bundle(make_bundle(1, joint=False, tying=Tying.target), tmp_path / "parent")
    config, chosen = child(tmp_path / "parent")
    adopted, bundle = inherit_settings(config, chosen=chosen)
    assert (adopted.subwords.joint, adopted.subwords.vocabulary_size, adopted.model.tying) == (False, 70, Tying.target)
    assert bundle.source_subwords.digest != bundle.target_subwords.digest


@pytest.mark.parametrize("kind", list(SubwordKind))
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_subword_model_tells_how_it_was_trained(kind, byte_fallback):
    lines = ["a small red house stands near the old river", "many green trees grow behind it in spring"] * 20
    size = (60 if kind is not SubwordKind.char else 45) + 256 * byte_fallback
    for normalization in Normalization:
        model = train_subwords(
            lines,
            kind=kind.value,
            vocabulary_size=size,
            byte_fallback=byte_fallback,
            normalization=normalization.value,
        )
        assert (model.kind, model.byte_fallback, model.normalization) == (
            kind.value,
            byte_fallback,
            normalization.value,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"model__dropout": 0.5},
        {"model__embedding_size": 8, "model__attention": AttentionKind.additive, "model__attentional_size": 8},
        {"subwords__vocabulary_size": 44, "subwords__kind": SubwordKind.unigram, "subwords__joint": True},
        {"subwords__vocabulary_size": 8000},  # as a text may support fewer than were asked for
        {"subwords__sampling_alpha": 0.1, "subwords__character_coverage": 0.99},
        {"optimizer__lr": 0.5, "trainer__batch_tokens": 99, "search__beam_size": 9, "corpus__valid": "elsewhere"},
    ],
)
def test_what_does_not_conflict_stays_as_it_was_chosen(parent, changes):
    config, chosen = child(parent, **changes)
    adopted, _ = inherit_settings(config, chosen=chosen)
    for key, value in changes.items():
        group, _, name = key.partition("__")
        assert getattr(getattr(adopted, group), name) == value


@pytest.mark.parametrize(
    ("changes", "setting", "has"),
    [
        ({"model__embedding_size": 512}, "model.embedding_size=512 conflicts", "8"),
        ({"model__attention": AttentionKind.general}, "model.attention=general conflicts", "additive"),
        ({"model__input_feeding": True}, "model.input_feeding=true conflicts", "false"),
        ({"model__attentional_size": 9}, "model.attentional_size=9 conflicts", "8"),
        ({"model__tying": Tying.none}, "model.tying=none conflicts", "all"),
        ({"subwords__kind": SubwordKind.bpe}, "subwords.kind=bpe conflicts", "unigram"),
        ({"subwords__vocabulary_size": 43}, "subwords.vocabulary_size=43 conflicts", "44"),
        ({"subwords__joint": False}, "subwords.joint=false conflicts", "true"),
        ({"subwords__byte_fallback": True}, "subwords.byte_fallback=true conflicts", "false"),
        ({"subwords__normalization": Normalization.nfc}, "subwords.normalization=nfc conflicts", "identity"),
        (
            {"model__encoder_layers": 3, "model__dropout": 0.5, "subwords__joint": False},
            "model.encoder_layers=3, subwords.joint=false conflict",
            "1, true",
        ),
    ],
)
def test_a_chosen_setting_that_conflicts_is_told_with_both_values(parent, changes, setting, has):
    config, chosen = child(parent, **changes)
    with pytest.raises(ConfigError) as error:
        inherit_settings(config, chosen=chosen)
    what = "it" if "conflicts" in setting else "them"
    assert str(error.value) == f"{setting} with init_from={parent}, whose model has {has}; leave {what} out"
    assert error.value.exit_code == 2


@pytest.mark.parametrize("key", ["model", "source_model", "target_model"])
def test_named_subword_models_must_be_the_parents(parent, two_subword_models, tmp_path, key):
    own, other = two_subword_models
    path = tmp_path / "named.model"
    path.write_bytes(own.to_bytes())
    config, chosen = child(parent, **{f"subwords__{key}": str(path)})
    inherit_settings(config, chosen=chosen)
    path.write_bytes(other.to_bytes())
    with pytest.raises(ConfigError) as error:
        inherit_settings(config, chosen=chosen)
    assert str(error.value) == (
        f"subwords.{key}={path} conflicts with init_from={parent}, whose model has other subwords; leave it out"
    )
    path.unlink()
    with pytest.raises(SubwordError, match=r"named\.model: cannot read the subword model"):
        inherit_settings(config, chosen=chosen)


def test_a_parent_that_is_not_there_or_no_bundle(tmp_path, parent):
    run = tmp_path / "run"
    shutil.copytree(parent, run / "best")
    damaged = tmp_path / "damaged"
    shutil.copytree(parent, damaged)
    (damaged / "model.safetensors").write_bytes(b"cut")
    for path, words in (
        (tmp_path / "nowhere", f"{tmp_path / 'nowhere'} does not exist; name a directory that nmt-train made"),
        (run, f"{run} is a run, not a bundle; did you mean {run / 'best'}?"),
        (damaged, f"{damaged / 'model.safetensors'} is missing or damaged"),
    ):
        with pytest.raises(BundleError) as error:
            inherit_settings(child(path)[0], chosen=set())
        assert str(error.value).startswith(f"init_from={path}: {words}")
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 2


def test_a_parent_is_not_thrown_away_before_its_child_is_made(parent, tmp_path):
    config, chosen = child(parent, run_dir=str(tmp_path), trainer__overwrite=True)
    with pytest.raises(ConfigError) as error:
        inherit_settings(config, chosen=chosen)
    assert str(error.value) == (
        f"init_from={parent} lies in run_dir={tmp_path}, which trainer.overwrite=true throws away; "
        "choose another run_dir"
    )
    config.run_dir = str(tmp_path / "par")
    inherit_settings(config, chosen=chosen)


def test_other_languages_are_mentioned_and_no_more(parent, caplog, monkeypatch):
    monkeypatch.setattr(LOG, "propagate", True)
    inherit_settings(child(parent)[0], chosen=set())
    assert caplog.messages == []
    inherit_settings(child(parent, corpus__source="de")[0], chosen={"corpus.source"})
    assert caplog.messages == [f"init_from={parent} translates from en to zh, this run will from de to zh"]


def test_a_child_that_goes_on_needs_no_parent(parent):
    config, chosen = child(parent, model__dropout=0.5, subwords__vocabulary_size=8000)
    adopted, _ = inherit_settings(config, chosen=chosen)
    shutil.rmtree(parent)
    assert restore_inherited(config, to_dict(adopted), chosen=chosen) == adopted
    # What is chosen now is for the caller to compare.
    config.model.embedding_size = 512
    again = restore_inherited(config, to_dict(adopted), chosen={*chosen, "model.embedding_size"})
    assert again.model == dataclasses.replace(adopted.model, embedding_size=512)
    # Sampling is the child's own: nobody chose it, and it is as it would be without a parent.
    saved = to_dict(adopted)
    saved["subwords"]["sampling_alpha"] = 0.25
    assert restore_inherited(config, saved, chosen=chosen).subwords.sampling_alpha == 0.0


def test_a_run_without_a_parent_takes_nothing_from_its_state(parent):
    config, _ = child(parent)
    saved = to_dict(TrainConfig(model=ModelConfig(embedding_size=7)))
    assert restore_inherited(config, saved, chosen=set()) is config
    without = TrainConfig()
    assert restore_inherited(without, saved | {"init_from": "somewhere"}, chosen=set()) is without
