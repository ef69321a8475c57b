"""A small corpus, settings of a tiny training on it, and diversification without its trainings."""

import json
import pickle
from pathlib import Path

import pytest

from nmt.cli import augment
from nmt.recipes import diversification

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "corpora" / "demo"
SETTINGS = [
    *("corpus.source=en", "corpus.target=de", "corpus.cache_dir=cache", "run_dir=run", "subwords.vocabulary_size=160"),
    *("model=tiny", "model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"),
    *("trainer.batch_tokens=400", "trainer.precision=fp32", "trainer.validate_every=6", "trainer.max_updates=12"),
    *("optimizer.lr=1e-2", "optimizer.warmup_updates=3", "trainer.ema_decay=0.9", "search.beam_size=1"),
    "search.max_length_ratio=0.5",  # what was hardly trained translates as long as it may
]


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A directory with a small corpus in it, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    for side in ("en", "de"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines()
        for name, part in (("train", lines[:240]), ("valid", lines[240:260])):
            write(tmp_path / f"{name}.{side}", part)
    return tmp_path


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def read(path):
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def configs(text, monkeypatch):
    """A function that runs the command without its trainings: the exit code, and what each process was to do by name.

    Those of the last model, which is trained in this process, have the name "".
    """

    def run(*words, taken=None):
        found = {}

        def note(calls, *, at_once):
            assert at_once in (True, False)
            for name, call in calls.items():
                found.setdefault(name, []).append(pickle.loads(pickle.dumps(call)).args)

        monkeypatch.setattr(diversification, "call_each", note)
        monkeypatch.setattr("nmt.training.run.run", lambda config, **_: found.setdefault("", []).append((config,)))
        if taken is not None:
            (text / "run").mkdir(exist_ok=True)
            (text / "run" / "translating.json").write_text(json.dumps({"minutes": taken}))
        return augment.diversify([*SETTINGS, "trainer.device=cpu", *words]), found

    return run
