"""The benchmarks of training as commands, on a corpus and models so small that all is quick."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

import corpora
from nmt.config.choices import AttentionKind, Cell, Tying
from nmt.config.model import ModelConfig
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError, RunError
from nmt.model.seq2seq import build_model
from nmt.training.data import prepare

DEMO = Path(corpora.__file__).parent / "demo"
BRIEFLY = ("--rate-seconds", "0", "--")


# As much of OpenNMT-py as is used: a command that reads its configuration, and a trainer that is told of batches. Ids 1
# stand for padding; the sources are as long as the first line of its training text.
TOOLKIT = {
    "OpenNMT_py-0.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: OpenNMT-py\nVersion: 0.5\n",
    "onmt/__init__.py": "",
    "onmt/bin/__init__.py": "",
    "onmt/bin/train.py": """
import json, sys, time
import torch
from onmt.trainer import Trainer

def main():
    assert sys.argv[1] == "-config"
    config = json.load(open(sys.argv[2]))
    words = open(config["data"]["text"]["path_src"]).readline().split()
    assert {line.split("\\t")[0] for line in open(config["src_vocab"])} >= set(words)
    source = torch.tensor([[7] * len(words), [7] * (len(words) - 1) + [1]]).unsqueeze(-1)
    target = torch.tensor([[2, 7, 7, 3], [2, 7, 3, 1]]).unsqueeze(-1)
    while True:
        time.sleep(0.01)
        Trainer()._gradient_accumulation([{"src": source, "tgt": target}], 1, None, None)
""",
    "onmt/trainer.py": """
import torch
from types import SimpleNamespace

class Trainer:
    model = torch.nn.Linear(3, 4)
    train_loss = SimpleNamespace(padding_idx=1)

    def _gradient_accumulation(self, batches, normalization, total_stats, report_stats):
        pass
""",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of a tiny training on a few hundred pairs."""
    folder = tmp_path_factory.mktemp("corpus")
    for side in ("en", "de"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").split("\n")[:300]
        for name, part in (("train", lines[:280]), ("valid", lines[280:])):
            (folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in part), encoding="utf-8")
    sizes = {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 32}
    return [
        *(f"corpus.train={folder}/train", f"corpus.valid={folder}/valid", "corpus.source=en", "corpus.target=de"),
        *(f"corpus.cache_dir={folder}/cache", "subwords.vocabulary_size=160", "model=tiny"),
        *(f"model.{key}={size}" for key, size in sizes.items()),
        *("trainer.batch_tokens=300", "trainer.precision=fp32", "trainer.progress=false"),
    ]


def table(text):
    """The cells of all Markdown tables, without the lines below their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture
def toolkit(tmp_path):
    """A directory with a stand-in for OpenNMT-py."""
    for name, text in TOOLKIT.items():
        path = tmp_path / "toolkit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "toolkit"


def test_training_is_measured_as_a_whole_and_by_parts(settings, run_tool):
    done = run_tool("benchmark_training", "--threads", "1", "--updates", "4", "--warm-up", "1", *BRIEFLY, *settings)
    assert done.code == 0, done.err
    assert "## 1 thread, fp32, " in done.out
    assert " real target tokens/s, " in done.out
    rows = table(done.out)[1:]
    assert [row[0] for row in rows] == ["encoder", "decoder", "attention", "output and loss", "optimiser", "data"]
    assert all(float(row[1]) > 0 for row in rows)


def test_input_feeding_beside_a_peer(settings, run_tool, toolkit, python_that_finds):
    peer = ["--peer-python", python_that_finds(toolkit)]
    words = ["--threads", "1", "--updates", "3", "--warm-up", "1", "--rounds", "1", "--peer", "onmt"]
    done = run_tool("benchmark_training", *words, *peer, *BRIEFLY, *settings, "model.input_feeding=true")
    assert done.code == 0, done.err
    rows = table(done.out)
    # With input feeding the attention is part of every step of the decoder.
    assert [row[0] for row in rows[1:6]] == ["encoder", "decoder", "output and loss", "optimiser", "data"]
    assert [row[0] for row in rows[7:]] == ["nmt", "OpenNMT-py 0.5"]
    assert rows[8][1] == "16"
    assert rows[8][4].endswith(", 16.7%")  # one of six target positions
    assert 0 < float(rows[8][2]) < 500  # five real target tokens in a hundredth of a second at least
    assert "times the target tokens/s of OpenNMT-py 0.5" in done.out


def test_the_peers_text_is_our_subwords(settings, load_tool, tmp_path):
    tool, peer_settings = load_tool("benchmark_training"), load_tool("benchmarking.peer_settings")
    config = tool.configuration(tool.compose([*settings, "subwords.marks=0"]))  # which leaves room for all characters
    data = prepare(config)
    peer_settings.write_text(data, tmp_path)
    english, german = (
        [list(map(int, line.split())) for line in (tmp_path / f"train.{side}").read_text().splitlines()]
        for side in ("source", "target")
    )
    subwords = data.source_subwords
    prefix = Path(config.corpus.train)
    given = [prefix.with_suffix(f".{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")]
    written = zip(map(subwords.decode, english), map(subwords.decode, german), strict=True)
    assert sorted(written) == sorted(zip(*given, strict=True))
    onmt, joey = (
        json.loads(peer_settings.settings_for(kind, config, folder=tmp_path, data=data).read_text())
        for kind in ("onmt", "joey")
    )
    assert onmt["word_vec_size"] == 16
    assert onmt["enc_hid_size"] == onmt["dec_hid_size"] == 32
    assert onmt["bucket_size"] == len(english)
    assert joey["model"]["encoder"]["hidden_size"] == 16
    assert joey["training"]["batch_size"] == 600


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("onmt", {"encoder_layers": 2}, "OpenNMT-py hands the encoder's states to the decoder as they are: set model"),
        ("onmt", {"decoder_hidden_size": 30}, "encoder_hidden_size=15, as the decoder's"),
        (
            "onmt",
            {"decoder_cell": "ssru"},
            "the peers have LSTM and GRU with attention alone: set model.cell=lstm or gru",
        ),
        ("joey", {"attention": AttentionKind.none}, "the peers have LSTM and GRU with attention alone: set model.cell"),
        ("joey", {"attention": AttentionKind.dot}, "JoeyNMT has no dot attention: set model.attention=general or"),
    ],
)
def test_models_that_a_peer_does_not_have_are_refused(load_tool, tmp_path, kind, changes, message):
    sizes = {"encoder_hidden_size": 16, "decoder_hidden_size": 32}
    config = TrainConfig(model=ModelConfig(**(sizes | changes)))
    with pytest.raises(ConfigError, match=message):
        load_tool("benchmarking.peer_settings").settings_for(kind, config, folder=tmp_path, data=None)


def test_peers_that_cannot_be_run_are_told_of_in_one_line(load_tool, toolkit, tmp_path, monkeypatch):
    path = os.pathsep.join(filter(None, [str(toolkit), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    peers = load_tool("benchmarking.peers")
    with pytest.raises(ConfigError, match=r"^--peer-python /nowhere/python: there is no such program; name the Python"):
        peers.find_peers(["onmt"], ["/nowhere/python"])
    with pytest.raises(ConfigError, match=r"^there are 2 --peer-python for 1 --peer: give one for all, or one for"):
        peers.find_peers(["onmt"], ["python", "python"])
    with pytest.raises(ConfigError) as caught:
        peers.find_peers(["joey"], [])
    assert str(caught.value) == (
        f"JoeyNMT cannot be imported by {sys.executable} (ModuleNotFoundError: No module named 'joeynmt'); install it "
        "into an environment of its own and name that one's python with --peer-python"
    )
    (peer,) = peers.find_peers(["onmt"], [])
    assert peer.title == "OpenNMT-py 0.5"
    with pytest.raises(
        RunError, match=r"^OpenNMT-py 0\.5 does not run: it ended with exit code 1 and the words"
    ) as error:
        peer.run("onmt_train", {"config": str(tmp_path / "none"), "warm_up": 0, "updates": 1}, threads=1)
    assert "FileNotFoundError: [Errno 2] No such file or directory" in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_that_nmt_train_refuses_are_refused(settings, run_tool):
    done = run_tool("benchmark_training", *settings, "model.cel=gru")
    assert done.code == 2
    assert done.err == "benchmark_training.py: error: unknown key model.cel; did you mean model.cell?\n"


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("kind", list(AttentionKind))
@pytest.mark.parametrize(("layers", "tying"), [(1, Tying.none), (2, Tying.target)])
def test_the_weights_of_all_products_are_counted(load_tool, cell, kind, layers, tying):
    """All weights but embeddings that are only looked up, biases, and the vector that additive scores are made with."""
    config = ModelConfig(
        cell=cell,
        attention=kind,
        embedding_size=6,
        encoder_layers=layers,
        encoder_hidden_size=5,
        decoder_layers=layers,
        decoder_hidden_size=10,
        attention_size=7,
        attentional_size=8,
        tying=tying,
    )
    model = build_model(config, source_vocabulary=30, target_vocabulary=40)
    work = load_tool("benchmarking.arithmetic").weights_of(config, 30, 40)
    counted = sum(sum(part.values()) for part in (work.source, work.target, work.sentence))
    matrices = {
        name: p for name, p in model.named_parameters() if p.dim() > 1 and "embedding" not in name and p.size(0) > 1
    }
    output = 0 if tying is Tying.none else model.target_embedding.weight.numel()
    assert counted == sum(p.numel() for p in matrices.values()) + output
    assert all(isinstance(p, torch.Tensor) for p in matrices.values())
    # What an exported model looks up instead: the first layer's weights of the embeddings; and what it multiplies for
    # each of the 3 source positions instead of for each of the 8 rows: the values' half of the attentional layer.
    gates = matrices["decoder.layers.0.rnn.weight_ih_l0"].size(0)
    plain, exported = (
        work.decoding_flop(source=3, rows=8, sentences=1, exported=exported) for exported in (False, True)
    )
    values = 0 if kind is AttentionKind.none else 10
    assert plain - exported == 2 * (8 * gates * 6 + (8 - 3) * values * 8)


def test_processes_are_compared(settings, run_tool):
    words = ["--processes", "1", "--updates", "4", "--skip", "2", "--repeats", "1", "--"]
    done = run_tool("benchmark_processes", *words, *settings)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("| 1 | ")
    assert done.out.splitlines()[-1].endswith(" | 1.00 |")


def test_a_training_that_ends_before_it_is_measured_is_told_of(settings, run_tool):
    done = run_tool("benchmark_processes", "--processes", "1", "--", *settings, "trainer.max_updates=3")
    assert done.code == 1
    assert "nmt-train ended after 3 updates" in done.err
    refused = run_tool("benchmark_processes", "--updates", "3", "--skip", "3", "--", *settings)
    assert refused.code == 2
    assert refused.err == ("benchmark_processes.py: error: --skip 3 leaves none of --updates 3; lower it\n")
