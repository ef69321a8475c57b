"""A toy corpus and configurations so small that a whole training takes a fraction of a second."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

import corpora
from nmt.cli.hydra.train import main
from nmt.config.choices import Precision
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.config.train import OptimizerConfig, SubwordsConfig, TrainConfig, TrainerConfig
from nmt.training import subwords as subwords_module
from nmt.training import trainer as trainer_module
from nmt.training.run import run
from nmt.training.state import load_state
from nmt.training.trainer import Trainer

DEMO = Path(corpora.__file__).parent / "demo"
CLOCKED = ("seconds", "target_tokens_per_second")
PARTS = {"train": (0, 240), "valid": (240, 262), "test": (262, 280)}


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


@pytest.fixture(scope="session", name="write_lines")
def write_lines_fixture():
    return write_lines


@pytest.fixture(scope="session")
def text():
    """Source and target lines of the toy corpus."""
    read = {side: (DEMO / f"train.{side}").read_text(encoding="utf-8").split("\n")[:280] for side in ("en", "de")}
    return read["en"], read["de"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, text):
    """A directory with train, valid and test in en and de."""
    folder = tmp_path_factory.mktemp("corpus")
    for side, lines in zip(("en", "de"), text, strict=True):
        for part, (start, end) in PARTS.items():
            write_lines(folder / f"{part}.{side}", lines[start:end])
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make_config(tmp_path, corpus, cache):
    """A tiny training with dropout and subword sampling; keys are written ``trainer__max_updates``."""

    def make(run_dir="run", **changes):
        config = TrainConfig(
            name="toy",
            run_dir=str(tmp_path / run_dir),
            subwords=SubwordsConfig(vocabulary_size=160, sampling_alpha=0.3),
            model=ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32, dropout=0.2),
            optimizer=OptimizerConfig(lr=5e-3, warmup_updates=5),
            search=SearchConfig(max_length_ratio=0.5),  # what was hardly trained translates as long as it may
            trainer=TrainerConfig(
                max_updates=24,
                batch_tokens=800,
                validate_every=8,
                log_every=4,
                ema_decay=0.9,
                patience=0,
                precision=Precision.fp32,
                device="cpu",
                threads=1,
                progress=False,
            ),
        )
        config.corpus.train, config.corpus.valid = str(corpus / "train"), str(corpus / "valid")
        config.corpus.source, config.corpus.target, config.corpus.cache_dir = "en", "de", str(cache)
        for key, value in changes.items():
            group, _, name = key.rpartition("__")
            setattr(getattr(config, group) if group else config, name, value)
        return config

    return make


@pytest.fixture
def train():
    """Run a configuration; return what its run directory then holds."""

    def work(config):
        run(config)
        return Path(config.run_dir)

    return work


@pytest.fixture(scope="session")
def metrics():
    """Read metrics.jsonl, of one kind or of all, without what a clock says."""

    def read(run_dir, kind=None):
        lines = (Path(run_dir) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        values = [json.loads(line) for line in lines]
        return [
            {key: item for key, item in value.items() if key not in CLOCKED}
            for value in values
            if kind is None or value["kind"] == kind
        ]

    return read


@pytest.fixture(scope="session")
def saved():
    """Read the state of a run as plain values, without what a clock says."""

    def read(run_dir):
        state = load_state(Path(run_dir) / "state.pt")
        position = {key: value for key, value in vars(state.position).items() if key != "seconds"}
        return {
            "position": position,
            "model": state.model,
            "optimizer": state.optimizer,
            "average": state.average,
            "folds": state.folds,
        }

    return read


@pytest.fixture(scope="session")
def same():
    """Whether two trees of dicts, lists and tensors are equal bit for bit."""

    def compare(one, other):
        if isinstance(one, torch.Tensor):
            return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(compare(one[key], other[key]) for key in one)
        if isinstance(one, (list, tuple)):
            return len(one) == len(other) and all(map(compare, one, other))
        return one == other

    return compare


@pytest.fixture
def fake_clock(monkeypatch):
    """A clock that moves as many seconds an update as `pace` says of the update's number, ten as it is, and no more."""
    clock = SimpleNamespace(seconds=1000.0, pace=lambda update: 10.0)
    update = Trainer._update

    def patched(self, gradient_norm):
        update(self, gradient_norm)
        clock.seconds += clock.pace(self.position.update)

    monkeypatch.setattr(Trainer, "_update", patched)
    monkeypatch.setattr(trainer_module, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


class Finished(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def errors(self):
        """The lines that the command, not the log, wrote to stderr."""
        return [line for line in self.err.splitlines() if line.startswith("nmt-train: ")]

    @property
    def mistake(self):
        """The message of a command that failed for a reason that the user can mend: one line and no more."""
        assert self.code == 2
        assert "Traceback" not in self.err
        (line,) = self.errors
        return line.removeprefix("nmt-train: error: ")


@pytest.fixture
def command(capsys, monkeypatch, tmp_path, corpus, cache):
    """nmt-train in this process, with the toy corpus and tiny settings unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "auto": "false",
        "run_dir": tmp_path / "run",
        "corpus.train": corpus / "train",
        "corpus.valid": corpus / "valid",
        "corpus.source": "en",
        "corpus.target": "de",
        "corpus.cache_dir": cache,
        "subwords.vocabulary_size": 160,
        "model": "tiny",
        "model.embedding_size": 16,
        "model.encoder_hidden_size": 16,
        "model.decoder_hidden_size": 32,
        "model.attentional_size": 32,
        "trainer.max_updates": 4,
        "trainer.batch_tokens": 400,
        "trainer.validate_every": 2,
        "trainer.threads": 1,
        "trainer.precision": "fp32",
    }

    def run_command(*words, **changes):
        chosen = settings | {key.replace("__", "."): value for key, value in changes.items()}
        arguments = [f"{key}={value}" for key, value in chosen.items() if value is not None]
        capsys.readouterr()
        handler = signal.getsignal(signal.SIGINT)  # which a stopped command leaves ignored, to end in peace
        code = main([*arguments, *words])
        signal.signal(signal.SIGINT, handler)
        return Finished(code, *capsys.readouterr())

    return run_command


@pytest.fixture
def interrupted(command, monkeypatch, tmp_path):
    """Stop a run after its third update of four; return its directory."""

    def work(**changes):
        update = Trainer._update

        def patched(self, gradient_norm):
            update(self, gradient_norm)
            if self.position.update == 3:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_update", patched)
            finished = command(**changes)
        assert finished.code == 130
        return tmp_path / "run"

    return work


@pytest.fixture(scope="session")
def contents():
    """Every file below a directory, but the log and locks."""

    def read(directory):
        files = (path for path in sorted(Path(directory).rglob("*")) if path.is_file())
        return {str(path): path.read_bytes() for path in files if path.name not in ("train.log", ".lock")}

    return read


@pytest.fixture
def at_update(monkeypatch):
    """Call something while an update is made, before it is counted."""

    def install(number, action):
        update = Trainer._update

        def patched(self, gradient_norm):
            if self.position.update + 1 == number:
                action(self)
            update(self, gradient_norm)

        monkeypatch.setattr(Trainer, "_update", patched)

    return install


@pytest.fixture
def training(monkeypatch):
    """Count how often subwords are trained, and on what."""
    seen = []
    original = subwords_module.train_subwords

    def counted(sentences, **settings):
        sentences = list(sentences)
        seen.append(sentences)
        return original(sentences, **settings)

    monkeypatch.setattr(subwords_module, "train_subwords", counted)
    return seen
