"""compare_baselines.py: what a baseline sees, how its settings are chosen, and rows that become entries."""

import json
import sys

import pytest

from nmt.config.choices import TaskName
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.corpus.reader import CorpusPaths, Pair, ParallelText
from nmt.errors import ConfigError
from nmt.tasks.labelling import LABELLING
from nmt.training.data import TrainingText


@pytest.fixture
def tool(load_tool):
    return load_tool("compare_baselines")


def test_a_token_is_described_by_itself_and_its_neighbours(tool):
    from baselines.features import features, shape

    first, second = features("IBM-3 runs")
    assert first["0 word"] == "IBM-3"
    assert (first["0 shape"], first["prefix 2"], first["suffix 3"]) == ("X-0", "IB", "M-3")
    assert (first["1 word"], first["first"], first["last"]) == ("runs", True, False)
    assert (second["-1 lower"], second["last"]) == ("ibm-3", True)
    assert not [key for key in second if key.startswith("1 ")]
    assert (shape("Aa11"), shape("我"), shape("don't")) == ("Xx0", "x", "x'x")


class Parrot:
    """A baseline that always answers the label that its settings name."""

    name, grid = "parrot", [{"label": "A"}, {"label": "B"}, {"label": "C"}]

    def __init__(self):
        self.trained = []

    def train(self, pairs, settings):
        self.trained.append(settings["label"])

    def answer(self, lines):
        return [" ".join(self.trained[-1] for _ in line.split()) for line in lines]


class Data:
    """Validation text whose labels are mostly B, and a test text whose labels are mostly C."""

    valid = ParallelText(["x y z"], ["B B C"])
    test = ParallelText(["x y z v"], ["C C B C"])


def test_settings_are_chosen_by_the_validation_text(tool):
    parrot = Parrot()
    data = Data()
    data.task = LABELLING.__class__(is_bio=False)
    found = tool.measure_baseline(parrot, [Pair("x", "A")], data)
    assert parrot.trained == ["A", "B", "C", "B"]
    assert (found["settings"], found["scores"]) == ({"label": "B"}, {"accuracy": 25.0})
    assert found["test_words"] == 4


def test_n_grams_interpolate_all_orders(tool):
    from baselines.characters import NGrams, compressed_bits, ngram_bits

    # Of a, a and the newline 3 characters and 2 kinds; below them a third of one for each kind and for the unknown.
    one = NGrams(["aa"], order=1)
    assert 2 ** -one.bits("") == pytest.approx((1 + 2 / 3) / 5)
    assert 2 ** -one.bits("a") == pytest.approx((2 + 2 / 3) / 5 * (1 + 2 / 3) / 5)
    assert 2 ** -one.bits("x") == pytest.approx((0 + 2 / 3) / 5 * (1 + 2 / 3) / 5)
    # Behind the newline a came once, and behind a an a and a newline.
    a, newline = (2 + 2 / 3) / 5, (1 + 2 / 3) / 5
    two = NGrams(["aa"], order=2)
    assert 2 ** -two.bits("a") == pytest.approx((1 + a) / 2 * (1 + 2 * newline) / 4)
    assert 2 ** -two.bits("  a ") == 2 ** -two.bits("a")
    text = ["the old house", "the old river"] * 20
    assert ngram_bits(text, ["the old house"], order=5) < 0.6 < ngram_bits(text, ["zzz"], order=5)
    assert compressed_bits("xz", text, ["the old house"] * 9) < compressed_bits("xz", text, ["a d", "q/w", "8x%"] * 3)


def test_the_order_of_n_grams_is_chosen_by_the_validation_text(tool, monkeypatch):
    asked = []

    def bits(lines, texts, *, order):
        asked.append((order, *texts))
        return abs(order - 6) + 1

    monkeypatch.setattr(tool, "ngram_bits", bits)
    found = tool.measure_ngrams([Pair("x", "x")], Data())
    assert (found["settings"], found["scores"]) == ({"order": 6}, {"bits per character": 1})
    assert asked[-1] == (6, *Data.test.target)
    assert {each[1:] for each in asked[:-1]} == {tuple(Data.valid.target)}
    generation = TrainConfig(task=TaskName.generation)
    assert [name for name, _ in tool.baselines_of(generation)] == ["character n-grams", "bzip2", "xz"]


def test_a_baseline_learns_from_what_the_network_learns_from(tool, tmp_path):
    file = tmp_path / "train.tsv"
    file.write_text("a b\tX Y\nc d\tX Y\n\tX\ne\tX\n", encoding="utf-8")
    data = Data()
    data.texts = [TrainingText(CorpusPaths("train", file, None), 1.0, -1)]
    data.valid = ParallelText(["c d"], ["X Y"])
    held_out = TrainConfig(corpus=CorpusConfig(train=str(file)))
    assert [pair.source for pair in tool.training_pairs(held_out, data)] == ["a b", "e"]
    with_valid = TrainConfig(corpus=CorpusConfig(train=str(file), valid="other"))
    assert [pair.source for pair in tool.training_pairs(with_valid, data)] == ["a b", "c d", "e"]


def test_without_its_package_or_baseline_it_says_what_to_do(tool, monkeypatch):
    with pytest.raises(ConfigError, match=r"^task=translation has no baseline: name an experiment of another task"):
        tool.baselines_of(TrainConfig())
    monkeypatch.setitem(sys.modules, "sklearn_crfsuite", None)
    monkeypatch.delitem(sys.modules, "baselines.crf", raising=False)
    with pytest.raises(ConfigError, match=r"^sklearn_crfsuite is not installed: pip install -e '\.\[baselines\]'$"):
        tool.baselines_of(TrainConfig(task=TaskName.labelling))
    assert tool.main(["train"]) == 2


def test_rows_become_entries(tool, load_tool, tmp_path):
    machine = {"processor": "P", "threads": 1, "bf16": False}
    row = {"experiment": "e", "task": "labelling", "training_words": 100, "model": "network", "seed": 1}
    row |= {"training_seconds": 4.0, "scores": {"F1": 50.0}, "signatures": {"F1": "s"}, "use_seconds": 0.5}
    row |= {"test_words": 20, "machine": machine}
    rows = [row, row | {"seed": 2, "scores": {"F1": 52.0}}, row | {"model": "CRF of features", "use_seconds": 0.1}]
    entries = {entry["id"]: entry for entry in tool.entries(rows)}
    assert entries["e-network/f1"]["value"] == [50.0, 52.0]
    assert entries["e-network/f1"]["seeds"] == [1, 2]
    assert entries["e-network/training-words-per-second"]["value"] == [25, 25]
    assert entries["e-CRF-of-features/words-per-second"]["value"] == [200]
    recorded = tmp_path / "runs.jsonl"
    recorded.write_text("".join(json.dumps(entry) + "\n" for entry in entries.values()), encoding="utf-8")
    assert len(load_tool("recorded.runs").read_entries(recorded)) == len(entries) == 6
