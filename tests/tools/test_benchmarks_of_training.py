"""The benchmarks of training as commands, on a corpus and models so small that all is quick."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import corpora
from nmt.choices import AttentionKind, Cell, Tying
from nmt.config import ModelConfig
from nmt.model.seq2seq import build_model

TOOLS = Path(__file__).parents[2] / "tools"
DEMO = Path(corpora.__file__).parent / "demo"
ROOT = TOOLS.parent


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


@pytest.fixture(scope="module")
def load_tool():
    """A tool as a module."""

    def load(name):
        specification = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module

    return load


def tool(name, *words):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, TOOLS / name, *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


def test_training_is_measured_as_a_whole_and_by_parts(settings):
    done = tool("benchmark_training.py", "--threads", "1", "--updates", "4", "--warm-up", "1", "--", *settings)
    assert done.returncode == 0, done.stderr
    assert "## 1 thread, fp32, " in done.stdout
    assert " real target tokens/s, " in done.stdout
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ") and "---" not in line][1:]
    names = [row[0].removeprefix("| ") for row in rows]
    assert names == ["encoder", "decoder", "attention", "output and loss", "optimiser", "data"]
    assert all(float(row[1]) > 0 for row in rows)


def test_settings_that_nmt_train_refuses_are_refused(settings):
    done = tool("benchmark_training.py", *settings, "model.cel=gru")
    assert done.returncode == 2
    assert done.stderr == "benchmark_training.py: error: unknown key model.cel; did you mean model.cell?\n"


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("kind", list(AttentionKind))
@pytest.mark.parametrize("layers", [1, 2])
def test_the_weights_of_all_products_are_counted(load_tool, cell, kind, layers):
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
        tying=Tying.none,
    )
    model = build_model(config, source_vocabulary=30, target_vocabulary=40)
    work = load_tool("benchmark_training").weights_of(config, 30, 40)
    counted = sum(sum(part.values()) for part in work)
    matrices = {
        name: p for name, p in model.named_parameters() if p.dim() > 1 and "embedding" not in name and p.size(0) > 1
    }
    assert counted == sum(p.numel() for p in matrices.values())
    assert all(isinstance(p, torch.Tensor) for p in matrices.values())


def test_processes_are_compared(settings):
    words = ["--processes", "1", "--updates", "4", "--skip", "2", "--repeats", "1", "--"]
    done = tool("benchmark_processes.py", *words, *settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("| 1 | ")
    assert done.stdout.splitlines()[-1].endswith(" | 1.00 |")


def test_a_training_that_ends_before_it_is_measured_is_told_of(settings):
    done = tool("benchmark_processes.py", "--processes", "1", "--", *settings, "trainer.max_updates=3")
    assert done.returncode == 1
    assert "nmt-train ended after 3 updates" in done.stderr
    refused = tool("benchmark_processes.py", "--updates", "3", "--skip", "3", "--", *settings)
    assert refused.returncode == 2
    assert refused.stderr == ("benchmark_processes.py: error: --skip 3 leaves none of --updates 3; lower it\n")
