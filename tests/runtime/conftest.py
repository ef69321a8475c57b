from types import SimpleNamespace

import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.model.seq2seq import build_model
from nmt.runtime.arithmetic import Float32
from nmt.runtime.build import build_graphs
from nmt.runtime.int8 import Int8
from nmt.runtime.model import OnnxModel

SIZES = {"embedding_size": 16, "encoder_hidden_size": 12, "decoder_hidden_size": 24, "attention_size": 10}


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
        config = ModelConfig(**(SIZES | changes))
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
