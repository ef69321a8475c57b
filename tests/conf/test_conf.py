"""Every file under conf/ composes, fits the schema, and describes a run that can be."""

import importlib.resources
import math
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from nmt.config.choices import Schedule, TaskName
from nmt.config.train import TrainConfig

CONF = Path(str(importlib.resources.files("nmt.conf").joinpath("train.yaml"))).parent
CHOICES = sorted((file.parent.name, file.stem) for file in CONF.glob("*/*.yaml"))
OWN_TEXT = ["corpus.train=data/train", "corpus.source=en", "corpus.target=de"]


@pytest.fixture
def composed():
    """A function from overrides to dataclasses, as nmt-train does it."""
    ConfigStore.instance().store(name="schema", node=TrainConfig)

    def build(*overrides):
        with initialize_config_module("nmt.conf", version_base="1.3"):
            return OmegaConf.to_object(compose("train", overrides=list(overrides)))

    return build


def test_every_group_is_there():
    groups = {
        "corpus",
        "subwords",
        "augmentation",
        "model",
        "objective",
        "optimizer",
        "trainer",
        "search",
        "experiment",
    }
    assert {group for group, _ in CHOICES} == groups
    assert len(CHOICES) >= 15


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes_and_validates(composed, group, choice):
    names_text = group == "experiment" or (group == "corpus" and choice != "custom")
    content = (CONF / group / f"{choice}.yaml").read_text(encoding="utf-8") if group == "corpus" else ""
    more = ["task=labelling"] if ".conll" in content else []
    more += ["task=classification"] if re.search(r"\.(label|tsv)\b", content) else []
    more += ["task=generation"] if group == "corpus" and choice.endswith("_text") else []
    # Objectives that search start from a trained bundle.
    more += ["init_from=runs/mine/best"] if choice in ("self_critical", "minimum_risk") else []
    config = composed(f"{group}={choice}", *([] if names_text else OWN_TEXT), *more)
    assert isinstance(config, TrainConfig)
    config.validate()


@pytest.mark.parametrize(("group", "choice"), [pair for pair in CHOICES if pair[0] not in ("experiment", "corpus")])
def test_a_choice_sets_what_it_says_and_leaves_the_rest(composed, group, choice):
    """The composed group is the file's keys over the dataclass' defaults, to the last key."""
    defaults = OmegaConf.structured(getattr(TrainConfig(), group))
    expected = OmegaConf.to_object(OmegaConf.merge(defaults, OmegaConf.load(CONF / group / f"{choice}.yaml")))
    assert getattr(composed(f"{group}={choice}", *OWN_TEXT), group) == expected


def test_robust_writes_some_lines_of_each_kind_and_leaves_most_as_they_are(composed):
    robust = vars(composed("augmentation=robust", *OWN_TEXT).augmentation)
    kinds = {"upper", "title", "typos", "merged_words", "split_words", "concatenation"}
    assert {key for key, share in robust.items() if share} == kinds
    clean = math.prod(1 - robust[key] for key in kinds)
    assert clean > 2 / 3
    more = composed("augmentation=robust", "augmentation.typos=0.2", *OWN_TEXT).augmentation
    assert vars(more) == {**robust, "typos": 0.2}


@pytest.mark.parametrize("experiment", [choice for group, choice in CHOICES if group == "experiment"])
def test_an_experiment_is_one_run_with_a_name_and_a_directory_of_its_own(composed, experiment):
    config = composed(f"experiment={experiment}")
    assert config.name == experiment
    assert config.run_dir == f"runs/{experiment}"
    assert config.task is not TaskName.translation or not config.auto
    # A schedule that ends is worth nothing where the run stops long before, so experiments say how far they go.
    stated = OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml")
    ends = config.optimizer.schedule in (Schedule.linear, Schedule.cosine)
    assert not ends or {"max_updates", "max_minutes"} & stated.trainer.keys()


def test_words_on_the_command_line_win_over_an_experiment(composed):
    config = composed("experiment=demo", "trainer.max_updates=7", "model=base", "name=mine")
    assert config.trainer.max_updates == 7
    assert config.model.embedding_size == 512
    assert config.run_dir == "runs/mine"


def test_without_words_only_the_text_is_missing(composed):
    config = composed()
    assert config.corpus.train == ""
    composed(*OWN_TEXT).validate()


@pytest.mark.parametrize("name", ["multi30k_en_de", "multi30k_en_fr", "tatoeba_zh_en", "3am_zh_en"])
def test_public_corpora_are_looked_for_where_the_environment_says(composed, monkeypatch, name):
    monkeypatch.delenv("NMT_CORPORA", raising=False)
    assert composed(f"experiment={name}").corpus.train.startswith("corpora/")
    monkeypatch.setenv("NMT_CORPORA", "/données/mes corpus")
    assert composed(f"experiment={name}").corpus.train.startswith("/données/mes corpus/")
