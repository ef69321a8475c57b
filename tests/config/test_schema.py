"""Any configuration dataclass: what is stored comes back, and every key is described."""

import dataclasses
import json
from enum import Enum

import pytest

from nmt.config.choices import Cell, Tying
from nmt.config.model import ModelConfig
from nmt.config.schema import describe, differing, from_dict, to_dict, with_keys
from nmt.config.search import SearchConfig
from nmt.config.train import CorpusConfig, OptimizerConfig, SubwordsConfig, TrainConfig, TrainerConfig
from nmt.errors import ConfigError

FLAT = [CorpusConfig, SubwordsConfig, ModelConfig, OptimizerConfig, TrainerConfig, SearchConfig]


def changed(value):
    """Another value of the same type."""
    if isinstance(value, Enum):
        return list(type(value))[-1]
    kinds = {bool: lambda: not value, int: lambda: value + 3, float: lambda: value + 0.5, str: lambda: "ändert"}
    return (kinds | {list: lambda: [*value, 7]})[type(value)]()


@pytest.mark.parametrize("kind", FLAT)
def test_what_is_stored_comes_back(kind):
    config = kind(**{item.name: changed(getattr(kind(), item.name)) for item in dataclasses.fields(kind)})
    stored = json.loads(json.dumps(to_dict(config)))
    assert from_dict(kind, stored) == config
    assert from_dict(kind, {}) == kind()
    assert all(type(value) in (bool, int, float, str, list) for value in stored.values())


def test_enumerations_are_stored_by_their_words():
    stored = to_dict(TrainConfig(model=ModelConfig(cell=Cell.gru)))
    assert stored["model"]["cell"] == "gru"
    assert type(stored["model"]["cell"]) is str
    assert stored["search"]["normalization"] == "average"


def test_what_cannot_be_read_back():
    with pytest.raises(ConfigError, match=r"^unknown key 'colour' in SearchConfig; known are batch_size, beam_size, "):
        from_dict(SearchConfig, {"colour": 1})
    with pytest.raises(ConfigError, match=r"^cell=cnn is not possible: it must be one of lstm, lstm_peephole, gru, "):
        from_dict(ModelConfig, {"cell": "cnn"})


@pytest.mark.parametrize("kind", [*FLAT, TrainConfig])
def test_every_field_is_described_in_one_line(kind):
    described = describe(kind)
    groups = {item.name for item in dataclasses.fields(kind) if dataclasses.is_dataclass(item.default_factory)}
    assert described.keys() == {item.name for item in dataclasses.fields(kind)} - groups
    for line in described.values():
        assert line
        assert "\n" not in line
        assert not line.endswith(".")


def test_values_of_keys_are_changed_and_the_rest_stays():
    config = TrainConfig(model=ModelConfig(cell=Cell.gru))
    found = with_keys(config, {"model.dropout": 0.5, "model.tying": "target", "optimizer.lr": 1.0})
    assert differing(found, config) == {"model.dropout", "model.tying", "optimizer.lr"}
    assert (found.model.tying, found.model.cell, config.model.dropout) == (Tying.target, Cell.gru, 0.2)
    with pytest.raises(ConfigError, match="unknown key 'dropuot' in ModelConfig"):
        with_keys(config, {"model.dropuot": 0.5})
