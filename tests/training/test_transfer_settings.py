"""Transfer: which settings a child with subwords of its own has of its parent, and which it refuses."""

import shutil

import pytest

from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import Cell, ObjectiveKind, SubwordKind, TaskName, Tying
from nmt.config.schema import to_dict
from nmt.errors import ConfigError
from nmt.training.fine_tuning import inherit_settings, restore_inherited


@pytest.fixture
def parent(make_bundle, tmp_path):
    save_bundle(make_bundle(1, dropout=0.125, lexicon_size=3), tmp_path / "parent")
    return tmp_path / "parent"


def settled(make_config, parent, **changes):
    config = make_config(init_from=str(parent), subwords__inherit=False, **changes)
    config.model = type(config.model)()
    for key, value in changes.items():
        if key.startswith("model__"):
            setattr(config.model, key.removeprefix("model__"), value)
    return inherit_settings(config, chosen={key.replace("__", ".") for key in changes})[0]


def test_the_model_is_the_parents_and_the_subwords_are_not(make_config, parent):
    config = settled(make_config, parent, subwords__kind=SubwordKind.bpe, subwords__vocabulary_size=30)
    assert config.model == load_bundle(parent).config
    assert (config.subwords.kind, config.subwords.vocabulary_size) == (SubwordKind.bpe, 30)
    chosen = {
        "model__dropout": 0.5,
        "model__lexicon_size": 0,
        "model__lexicon_epsilon": 0.1,
        "model__tying": Tying.target,
    }
    config = settled(make_config, parent, **chosen)
    assert all(getattr(config.model, key.removeprefix("model__")) == value for key, value in chosen.items())
    # So it is where the run goes on, and the parent is gone.
    shutil.rmtree(parent)
    again = make_config(init_from=str(parent), subwords__inherit=False, subwords__vocabulary_size=50)
    restored = restore_inherited(again, to_dict(config), chosen={"subwords.vocabulary_size"})
    assert (restored.model, restored.subwords) == (config.model, again.subwords)


@pytest.mark.parametrize(
    ("key", "value", "says", "has"),
    [
        ("embedding_size", 512, "512", "8"),
        ("encoder_layers", 2, "2", "1"),
        ("cell", Cell.gru, "gru", "lstm"),
        ("tying", Tying.none, "none", "all"),
    ],
)
def test_another_shape_than_the_parents_is_refused_with_both_values(make_config, parent, key, value, says, has):
    with pytest.raises(ConfigError) as error:
        settled(make_config, parent, **{f"model__{key}": value})
    assert str(error.value) == (
        f"model.{key}={says} conflicts with init_from={parent}, whose model has {has}; leave it out"
    )


def test_subwords_of_its_own_are_for_a_child(make_config):
    config = make_config(subwords__inherit=False)
    with pytest.raises(ConfigError) as error:
        config.validate()
    assert str(error.value) == (
        "subwords.inherit=false is for a run with a parent: name its bundle, as in init_from=runs/mine/best, "
        "or leave subwords.inherit out"
    )
    config.init_from = "runs/mine/best"
    config.validate()
    config.objective.kind = ObjectiveKind.minimum_risk
    with pytest.raises(ConfigError) as error:
        config.validate()
    assert str(error.value) == (
        "objective.kind=minimum_risk learns from the model's own outputs, which are noise at first with "
        "subwords.inherit=false: train with objective=cross_entropy first, then start from that bundle"
    )
    config.task = TaskName.labelling
    with pytest.raises(ConfigError, match="has no meaning with task=labelling; leave it out"):
        config.validate()
