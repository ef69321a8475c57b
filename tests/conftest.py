"""Fixtures that tests of several folders share."""

import functools
import itertools
import json
import os
import signal
import subprocess
from types import SimpleNamespace

import pytest

from nmt.machine import set_kernel_caches

# As commands do before PyTorch is imported. Here too a thread soon gives up waiting for another in a loop. What a test
# starts has the same environment, whether or not a command ran in this process before.
set_kernel_caches()

import torch
import yaml

from nmt.bundle.weights import Bundle
from nmt.config.choices import LengthNormalization
from nmt.config.model import ModelConfig
from nmt.config.schema import to_dict
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.export.arithmetic import Float32
from nmt.export.build import build_graphs
from nmt.export.int8 import Int8
from nmt.model.seq2seq import build_model
from nmt.runtime.model import OnnxModel
from nmt.text.subword_training import train_subwords

from . import commands
from .bundles import bundle_of_languages

# A shell that runs the tests in the background lets them ignore SIGINT, nohup SIGHUP, and so would every command that
# they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # A handler of the process's own, which commands do not inherit: what was told to outlive its terminal still does.
    signal.signal(signal.SIGHUP, lambda number, frame: None)


@pytest.fixture(autouse=True)
def hears_interrupts():
    """A command that was stopped in this process ignores SIGINT from then on; what later tests start shall not."""
    yield
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def leaves_no_environment():
    """What a command set in this process ends with its test, so that what later tests start has one environment."""
    before = set(os.environ)
    yield
    for name in set(os.environ) - before:
        del os.environ[name]


LONG = ("tests/system/", "tests/recipes/", "tests/test_wheel.py", "tests/tools/", "tests/training/")


def pytest_collection_modifyitems(items):
    """Keep the tests of a file, and all that need the demo's model, in one process where several run them.

    What takes long begins first, so that no process is left alone with it in the end.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    for item in items:
        group = "demo" if "demo_bundle" in item.fixturenames else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def finished():
    """How a command ended, as a value to be made."""
    return commands.Finished


@pytest.fixture(scope="session")
def server():
    """What forks commands."""
    with commands.Server() as server:
        yield server


@pytest.fixture
def forks_commands(server, monkeypatch):
    """Let commands that this process starts be forked where that is as good."""
    for name, value in commands.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(subprocess, "Popen", commands.forking(server))


@pytest.fixture(scope="session")
def new_command(server):
    """A function that makes a command, which is forked where that is as good as a start."""
    return functools.partial(commands.Command, server)


@pytest.fixture(scope="session")
def may_fork():
    """Whether a command is ever forked here."""
    return commands.may_fork()


@pytest.fixture(scope="session")
def start_command():
    """A function that makes a command which is started anew each time."""
    return functools.partial(commands.Command, None)


@pytest.fixture(scope="session")
def two_subword_models():
    """A unigram and a BPE model of different sizes."""
    words = ["a", "small", "red", "house", "stands", "near", "the", "old", "river"]
    lines = [" ".join(order) for order in itertools.permutations(words, 3)]
    return [
        train_subwords(lines, kind="unigram", vocabulary_size=60),
        train_subwords([*lines, "many green trees"], kind="bpe", vocabulary_size=70),
    ]


@pytest.fixture(scope="session")
def make_bundle(two_subword_models):
    """A function that makes small bundles: weights by their seed, one subword model for both sides unless told."""

    def make(seed=1, *, joint=True, **changes):
        torch.manual_seed(seed)
        source, target = two_subword_models if not joint else two_subword_models[:1] * 2
        sizes = {"embedding_size": 8, "encoder_hidden_size": 6, "decoder_hidden_size": 12, "attention_size": 5}
        config = ModelConfig(**(sizes | changes))
        model = build_model(config, source_vocabulary=source.vocabulary_size, target_vocabulary=target.vocabulary_size)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter)
        search = SearchConfig(beam_size=3, normalization=LengthNormalization.average)
        metadata = {"updates": seed, "score": "BLEU 12.3 (größer ist besser)"}
        return Bundle(
            model=model.eval(),
            config=config,
            source_subwords=source,
            target_subwords=target,
            source_language="en",
            target_language="zh",
            search=search,
            metadata=metadata,
        )

    return make


@pytest.fixture(scope="session")
def make_bundle_of_languages():
    """A function that makes small bundles of es-gn, es-shp and gn-es, with a lexicon for each target language."""
    return bundle_of_languages


@pytest.fixture(scope="session")
def make_models(tmp_path_factory):
    """A function that makes a model with PyTorch, and the same for ONNX Runtime."""

    def make(
        *,
        precision="fp32",
        shortlist=None,
        seed=1,
        source_vocabulary=50,
        target_vocabulary=50,
        change=lambda network: None,
        **changes,
    ):
        sizes = {"embedding_size": 16, "encoder_hidden_size": 12, "decoder_hidden_size": 24, "attention_size": 10}
        config = ModelConfig(**(sizes | changes))
        torch.manual_seed(seed)
        network = build_model(config, source_vocabulary=source_vocabulary, target_vocabulary=target_vocabulary).eval()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            if network.lexicon is not None:
                targets = torch.rand(source_vocabulary, target_vocabulary).argsort(1)[:, : config.lexicon_size]
                network.lexicon.fill(targets, torch.rand(targets.shape) ** 4)
            change(network)
        weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        directory = tmp_path_factory.mktemp("graphs")
        arithmetic = {"fp32": Float32, "int8": Int8}[precision]
        graphs = build_graphs(config, weights, arithmetic, with_shortlist=shortlist is not None)
        files = {name: directory / file for name, (file, _) in graphs.files().items()}
        for file, content in graphs.files().values():
            (directory / file).write_bytes(content)
        exported = OnnxModel(**files, vocabulary=target_vocabulary, shortlist=shortlist)
        return SimpleNamespace(network=network, exported=exported, files=files)

    return make


@pytest.fixture(scope="session")
def drop_manifest():
    """A function that makes a bundle one of before, which has no checksums."""

    def drop(path):
        file = path / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        del config["files"]
        file.write_text(json.dumps(config), encoding="utf-8")

    return drop


@pytest.fixture(scope="session")
def assert_same_bundle():
    """A function that asserts that two bundles hold the same, to the last bit."""

    def check(found, expected):
        for name in ("config", "search", "metadata", "source_language", "target_language"):
            assert getattr(found, name) == getattr(expected, name)
        assert found.source_subwords.digest == expected.source_subwords.digest
        assert found.target_subwords.digest == expected.target_subwords.digest
        joint = [bundle.source_subwords is bundle.target_subwords for bundle in (found, expected)]
        assert joint[0] == joint[1]
        weights, others = found.model.state_dict(), expected.model.state_dict()
        assert weights.keys() == others.keys()
        assert all(torch.equal(weights[name], others[name]) for name in others)

    return check


@pytest.fixture
def make_run(tmp_path):
    """A function that writes what a run leaves that validated every 100 updates, a minute each; its directory.

    It has finished unless told otherwise; settings are written ``optimizer__lr``.
    """

    def make(name, bleus=(10.0, 12.5), *, test="", **changes):
        config = TrainConfig(name=name, run_dir=f"runs/{name}")
        config.trainer.max_updates = 100 * len(bleus)
        for key, value in changes.items():
            group, _, field = key.rpartition("__")
            setattr(getattr(config, group) if group else config, field, value)
        directory = tmp_path / "runs" / name
        (directory / "best").mkdir(parents=True)
        (directory / "config.yaml").write_text(yaml.safe_dump(to_dict(config), allow_unicode=True), encoding="utf-8")
        lines = []
        for number, bleu in enumerate(bleus, start=1):
            place = {"update": 100 * number, "epoch": number // 2, "target_tokens": 5000 * number}
            rate = {"learning_rate": 0.1 / number, "loss": 5.0 / number, "perplexity": 64.0 / number}
            lines.append({"kind": "train", **place, **rate, "seconds": 60.0 * number - 6})
            score = {"bleu": bleu, "best_bleu": max(bleus[:number]), "signature": "nrefs:1|tok:13a"}
            lines.append(
                {"kind": "validation", **place, "perplexity": 32.0 / number, **score, "seconds": 60.0 * number}
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (directory / "metrics.jsonl").write_text(text, encoding="utf-8")
        bundle = {"metadata": {"test": test} if test else {}}
        (directory / "best" / "config.json").write_text(json.dumps(bundle), encoding="utf-8")
        return directory

    return make
