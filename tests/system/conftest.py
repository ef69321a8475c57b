"""Trains the demo once, through the real command; everything here tests what came out of it."""

import os
from pathlib import Path

import pytest

import corpora
from nmt.bundle.weights import load_bundle

pytest.register_assert_rewrite("tests.system.pages")  # as in tests: what fails there tells its values

DEMO = Path(corpora.__file__).parent / "demo"


@pytest.fixture
def make_command(new_command, tmp_path):
    """A function that makes the command of a module of nmt.cli, away from the repository."""
    return lambda module: new_command(module, cwd=tmp_path, encoding="utf-8")


@pytest.fixture
def nmt_train(make_command):
    return make_command("hydra.train")


@pytest.fixture
def nmt_translate(make_command):
    return make_command("translate")


@pytest.fixture
def nmt_evaluate(make_command):
    return make_command("evaluate")


@pytest.fixture(scope="session")
def demo():
    """The directory of the embedded corpus."""
    return DEMO


@pytest.fixture(scope="session")
def demo_bundle(tmp_path_factory, new_command):
    """The demo's best bundle; $NMT_DEMO_BUNDLE names one that was trained before."""
    if os.environ.get("NMT_DEMO_BUNDLE"):
        return Path(os.environ["NMT_DEMO_BUNDLE"]).absolute()
    directory = tmp_path_factory.mktemp("demo")
    # Beside other tests a second thread would only wait for the first.
    threads = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
    train = new_command("hydra.train", cwd=directory, encoding="utf-8")
    train.environment |= {"OMP_NUM_THREADS": str(threads)}
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
        "auto=false",
        "search.max_length_ratio=0.5",  # what was hardly trained translates as long as it may
    ]
