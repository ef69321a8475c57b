"""Exported taggers against PyTorch's, for every cell that exports."""

import numpy as np
import pytest
import safetensors.numpy
import torch

from nmt.bundle.weights import inference_weights
from nmt.config.model import ModelConfig
from nmt.corpus.padding import pad_rows
from nmt.errors import BundleError, ConfigError
from nmt.export.tagger import build_tagger_graph
from nmt.model.tagger import build_tagger
from nmt.model.words import WordSizes
from nmt.runtime.tagger import OnnxTagger
from nmt.text.words import WordVocabulary, take_apart

LINES = ["a bb abc", "cab", "x bb bb aaaa c"]


@pytest.fixture(scope="module")
def words():
    return WordVocabulary.train(["a bb abc cab", "bb aaaa"], size=50)


@pytest.fixture
def exported(words, tmp_path):
    """A function that makes a tagger and its graph, loaded."""

    def make(**changes):
        sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "character_size": 4}
        config = ModelConfig(**(sizes | changes))
        torch.manual_seed(1)
        model = build_tagger(config, WordSizes(words.first_word, words.words, words.rare, 4)).eval()
        with torch.no_grad():
            for parameter in model.crf.parameters():
                torch.nn.init.normal_(parameter)
        weights = safetensors.numpy.load(safetensors.torch.save(inference_weights(model.state_dict())))
        (tmp_path / "tagger.onnx").write_bytes(build_tagger_graph(config, weights, first_word=words.first_word))
        return model, OnnxTagger(tagger=tmp_path / "tagger.onnx", labels=4)

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder_cell": "lstm_peephole"},
        {"encoder_cell": "gru"},
        {"encoder_cell": "rnn"},
        {"encoder_layers": 3},
        {"character_size": 0},
        {"window": 2},
    ],
)
def test_a_graph_scores_as_pytorch_does(exported, words, changes):
    model, graph = exported(**changes)
    source, lengths = pad_rows(words.encode_batch(LINES), pad_id=words.pad_id, eos_id=words.eos_id)
    parts = take_apart(source, lengths, first_word=words.first_word)
    ours, theirs = graph.emissions(*parts), model.emissions(*parts)
    assert ours.shape == (3, 5, 4)
    for row, length in enumerate(parts.lengths):
        np.testing.assert_allclose(ours[row, :length], theirs[row, :length], atol=1e-5)
    for one, other in zip(graph.transitions, model.transitions, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_cell_without_an_operator_is_refused(exported):
    with pytest.raises(ConfigError, match="a model whose encoder is ssru cannot be exported"):
        exported(encoder_cell="ssru")


def test_a_graph_of_other_labels_or_a_damaged_one_is_refused(exported, tmp_path):
    exported()
    with pytest.raises(BundleError, match="lays graphs out in another way"):
        OnnxTagger(tagger=tmp_path / "tagger.onnx", labels=5)
    (tmp_path / "tagger.onnx").write_bytes(b"x" * 100)
    with pytest.raises(BundleError, match=r"tagger.onnx is damaged"):
        OnnxTagger(tagger=tmp_path / "tagger.onnx", labels=4)
