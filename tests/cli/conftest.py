import io
import random
import sys
from types import SimpleNamespace

import pytest
import torch

from nmt.bundle.weights import Bundle, save_bundle
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.export.variant import export
from nmt.model.seq2seq import build_model
from nmt.text.subword_training import train_subwords

TEXT = "a small red house stands near the old river and many green trees grow behind it in spring"


def sentences(count, *, seed=1):
    draw = random.Random(seed)
    return [" ".join(draw.choices(TEXT.split(), k=draw.randint(1, 10))).capitalize() + "." for _ in range(count)]


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory):
    """A bundle of an untrained model with sharp choices, small enough to load and translate at once."""
    config = ModelConfig(embedding_size=16, encoder_hidden_size=16, decoder_hidden_size=32)
    subwords = train_subwords(sentences(300), kind="unigram", vocabulary_size=80)
    torch.manual_seed(1)
    size = subwords.vocabulary_size
    model = build_model(config, source_vocabulary=size, target_vocabulary=size).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter *= 1.0 if "embedding" in name else 2.0
        model.output_bias[subwords.eos_id] = 2.0
    path = tmp_path_factory.mktemp("bundles") / "a model"
    bundle = Bundle(
        model=model,
        config=config,
        source_subwords=subwords,
        target_subwords=subwords,
        source_language="en",
        target_language="de",
        search=SearchConfig(beam_size=2, batch_size=8, max_source_tokens=50),
    )
    save_bundle(bundle, path)
    export(path, "fp32")  # which starts without PyTorch
    return path


@pytest.fixture(scope="session")
def nmt_translate(start_command):
    """The command with what was exported: it starts without PyTorch, and so it is started."""
    return start_command("translate")


@pytest.fixture(scope="session")
def nmt_evaluate(start_command):
    return start_command("evaluate")


@pytest.fixture(scope="session")
def nmt_predict(new_command):
    return new_command("predict")


@pytest.fixture(scope="session")
def make_sentences():
    return sentences


@pytest.fixture
def translate_here(monkeypatch, capsysbinary, finished):
    """A function that runs nmt-translate, or another command, in this process: its exit code, bytes and messages."""
    from nmt.cli import translate

    def call(*words, text=b"", main=translate.main):
        text = text.encode("utf-8") if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text), isatty=lambda: False))
        code = main([str(word) for word in words])
        out, err = capsysbinary.readouterr()
        return finished(code, out, err.decode("utf-8"))

    return call
