"""Trains the demo once, through the real command; everything here tests what came out of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import corpora
import nmt
from nmt.bundle.weights import load_bundle

DEMO = Path(corpora.__file__).parent / "demo"
ROOT = Path(nmt.__file__).parent.parent


class Finished(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """One of the commands as a process of its own, away from the repository."""

    def __init__(self, module, directory, threads=1):
        self.words = [sys.executable, "-m", f"nmt.cli.{module}"]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
        self.directory = directory

    def start(self, *arguments):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        words = [*self.words, *map(str, arguments)]
        return subprocess.Popen(words, env=self.environment, cwd=self.directory, encoding="utf-8", **pipes)

    def __call__(self, *arguments, text="", timeout=300):
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(text, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return Finished(process.returncode, out, err)


@pytest.fixture
def make_command(tmp_path):
    """A function that makes the command of a module of nmt.cli."""
    return lambda module: Command(module, tmp_path)


@pytest.fixture
def nmt_train(tmp_path):
    return Command("hydra.train", tmp_path)


@pytest.fixture
def nmt_translate(tmp_path):
    return Command("translate", tmp_path)


@pytest.fixture
def nmt_evaluate(tmp_path):
    return Command("evaluate", tmp_path)


@pytest.fixture(scope="session")
def demo():
    """The directory of the embedded corpus."""
    return DEMO


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory):
    """The demo's best bundle; $NMT_DEMO_BUNDLE names one that was trained before."""
    if os.environ.get("NMT_DEMO_BUNDLE"):
        return Path(os.environ["NMT_DEMO_BUNDLE"]).absolute()
    directory = tmp_path_factory.mktemp("demo")
    # Beside other tests a second thread would only wait for the first.
    threads = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
    train = Command("hydra.train", directory, threads=threads)
    finished = train("experiment=demo", f"trainer.threads={threads}", "corpus.cache_dir=cache", timeout=1200)
    assert finished.code == 0, finished.err
    return directory / "runs" / "demo" / "best"


@pytest.fixture(scope="session")
def bundle(demo_bundle):
    return load_bundle(demo_bundle)


@pytest.fixture(scope="session")
def test_lines():
    """The demo's test sentences, and a few unlike any that it has seen."""
    lines = (DEMO / "test.en").read_text(encoding="utf-8").splitlines()
    return [*lines[:150], "dog", "A", "!", "Zürich 漢字.", " ".join(lines[:4]), lines[7] * 3]


@pytest.fixture
def tiny(tmp_path):
    """Write a corpus of a few pairs; return the settings of a tiny training on it."""
    for side in ("en", "de"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines()
        for name, part in (("train", lines[:240]), ("valid", lines[240:260])):
            text = "".join(f"{line}\n" for line in part)
            (tmp_path / f"{name}.{side}").write_text(text, encoding="utf-8", newline="\n")
    sizes = {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 32}
    return [
        *("corpus.train=train", "corpus.valid=valid", "corpus.source=en", "corpus.target=de", "corpus.cache_dir=cache"),
        *("subwords.vocabulary_size=160", "model=tiny", *(f"model.{key}={size}" for key, size in sizes.items())),
        *("trainer.batch_tokens=400", "trainer.threads=1", "trainer.precision=fp32", "run_dir=run"),
    ]
