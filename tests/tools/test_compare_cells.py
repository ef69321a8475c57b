"""compare_cells.py: equal parameters, updates by cost, thirds by length, and rows that are made once."""

import json

import pytest

from nmt.config.choices import AttentionKind, Cell
from nmt.config.model import ModelConfig
from nmt.config.train import SubwordsConfig, TrainConfig
from nmt.errors import ConfigError

MODELS = {word.value: {"cell": word} for word in Cell} | {
    "lstm-ssru": {"decoder_cell": "ssru"},
    "none": {"attention": AttentionKind.none},
    "none-repeated": {"attention": AttentionKind.none, "repeat_summary": True},
}


@pytest.fixture
def tool(load_tool, monkeypatch):
    """The tool, with configurations that nobody need compose."""
    tool = load_tool("compare_cells")

    def configured(corpus, network, *more):
        model = ModelConfig(encoder_layers=2, attentional_size=512, **MODELS[network])
        return TrainConfig(model=model, subwords=SubwordsConfig(vocabulary_size=6000))

    monkeypatch.setattr(tool, "configured", configured)
    return tool


def test_every_network_has_the_parameters_of_the_lstm(tool):
    wanted = tool.parameters(tool.configured("multi30k", "lstm"))
    assert tool.NETWORKS.keys() == MODELS.keys()
    for network in tool.NETWORKS:
        settings = tool.settings_of("multi30k", network)
        assert "model.lexicon_size=0" in settings
        encoder, decoder = (int(word.partition("=")[2]) for word in settings[-2:])
        assert decoder == 2 * encoder
        assert tool.parameters(tool.configured("multi30k", network), encoder) == pytest.approx(wanted, rel=0.01)


def test_a_network_that_costs_twice_as_much_makes_half_the_updates(tool):
    rows = [{"kind": "cost", "corpus": "multi30k", "network": "gru", "cost": 2.0}]
    assert tool.updates_of("multi30k", "gru", rows, minutes=10) == 715
    with pytest.raises(ConfigError, match=r"^the cost of gru on tatoeba was not measured: run compare_cells.py costs"):
        tool.updates_of("tatoeba", "gru", rows, minutes=10)


def test_thirds_are_by_the_length_of_the_source(tool):
    sources = ["a"] * 4 + ["a b c"] * 4 + ["a b c d e"] * 4
    texts = ["one two three four five"] * 12
    wrong = [*texts[:8], *["six seven eight nine ten"] * 4]
    assert tool.thirds(sources, texts, texts, language="en")["bleu_by_length"] == [100, 100, 100]
    assert tool.thirds(sources, wrong, texts, language="en")["bleu_by_length"] == [100, 100, 0]
    lines = ["甲"] * 4 + ["甲乙丙"] * 4 + ["甲乙丙丁戊"] * 4
    assert tool.thirds(lines, wrong, texts, language="en", characters=True)["bleu_by_length"] == [100, 100, 0]


def test_a_row_is_made_once_and_becomes_entries(tool, tmp_path, monkeypatch, load_tool):
    trained = []
    scores = [{"name": "BLEU", "value": 12.345, "signature": "s"}, {"name": "chrF2", "value": 30.0, "signature": "c"}]
    machine = {"processor": "P", "threads": 1, "bf16": False}
    found = {"machine": machine, "scores": scores, "bleu_by_length": [1.0, 2.0, 3.0], "limits": [4, 5], "speed": None}
    monkeypatch.setattr(tool, "_nmt_train", trained.append)
    monkeypatch.setattr(tool, "evaluate", lambda config, bundle: found)
    monkeypatch.setattr(tool, "compose", lambda settings: settings)
    monkeypatch.setattr(tool, "configuration", lambda settings: tool.configured("multi30k", "gru"))
    kept = tmp_path / "cells.jsonl"
    tool.keep(kept, {"kind": "cost", "corpus": "multi30k", "network": "gru", "cost": 1.1})
    for seed in (1, 1, 2):
        tool.make_row("multi30k", "gru", seed, 15.0, runs=tmp_path / "runs", kept=kept)
    assert [settings[-2] for settings in trained] == ["corpus.test=", "corpus.test="]
    assert all("trainer.max_updates=1950" in settings for settings in trained)
    assert [("seed=1" in settings, "seed=2" in settings) for settings in trained] == [(True, False), (False, True)]

    entries = list(tool.entries(tool.read_kept(kept)))
    (bleu,) = [entry for entry in entries if entry["metric"] == "BLEU"]
    assert (bleu["id"], bleu["value"], bleu["seeds"]) == ("cells-multi30k-gru/bleu", [12.35, 12.35], [1, 2])
    recorded = tmp_path / "runs.jsonl"
    recorded.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    assert len(load_tool("recorded.runs").read_entries(recorded)) == len(entries) == 7


def test_costs_are_measured_for_what_lacks_one(tool, tmp_path, monkeypatch):
    asked = []

    def costs(configs, *, rounds):
        asked.append(list(configs))
        return {name: 1 + number / 2 for number, name in enumerate(configs)}

    monkeypatch.setattr(tool, "costs_in_turns", costs)
    monkeypatch.setattr(tool, "compose", lambda settings: settings)
    monkeypatch.setattr(tool, "configuration", lambda settings: tool.configured("multi30k", "lstm"))
    monkeypatch.setattr(tool, "this_machine", lambda: {"processor": "P", "threads": 2, "bf16": False})
    kept = tmp_path / "cells.jsonl"
    tool.keep(kept, {"kind": "cost", "corpus": "multi30k", "network": "rnn", "cost": 0.9})
    tool.measure_costs("multi30k", ["rnn", "gru"], kept=kept)
    tool.measure_costs("multi30k", ["rnn", "gru"], kept=kept)
    assert asked == [["lstm", "gru"]]
    assert [(row["network"], row["cost"]) for row in tool.read_kept(kept)] == [("rnn", 0.9), ("gru", 1.5)]
