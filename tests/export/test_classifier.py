"""Exported classifiers against PyTorch's, for every cell that exports."""

import numpy as np
import pytest
import safetensors.numpy
import torch

from nmt.bundle.weights import inference_weights
from nmt.config.choices import Pooling
from nmt.config.model import ModelConfig
from nmt.corpus.padding import pad_rows
from nmt.errors import BundleError, ConfigError
from nmt.export.classifier import build_classifier_graph
from nmt.model.classifier import build_classifier
from nmt.model.words import WordSizes
from nmt.runtime.classifier import OnnxClassifier
from nmt.text.words import WordVocabulary, take_apart

LINES = ["a bb abc", "cab", "x bb bb aaaa c"]


@pytest.fixture(scope="module")
def words():
    return WordVocabulary.train(["a bb abc cab", "bb aaaa"], size=50)


@pytest.fixture
def exported(words, tmp_path):
    """A function that makes a classifier and its graph, loaded."""

    def make(**changes):
        sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "character_size": 4, "attention_size": 7}
        config = ModelConfig(**(sizes | changes))
        torch.manual_seed(1)
        model = build_classifier(config, WordSizes(words.first_word, words.words, words.rare, 4)).eval()
        weights = safetensors.numpy.load(safetensors.torch.save(inference_weights(model.state_dict())))
        content = build_classifier_graph(config, weights, first_word=words.first_word)
        (tmp_path / "classifier.onnx").write_bytes(content)
        return model, OnnxClassifier(classifier=tmp_path / "classifier.onnx", labels=4)

    return make


def parts(words, lines):
    source, lengths = pad_rows(words.encode_batch(lines), pad_id=words.pad_id, eos_id=words.eos_id)
    return take_apart(source, lengths, first_word=words.first_word)


@pytest.mark.parametrize("pooling", [Pooling.attention, Pooling.last])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder_cell": "lstm_peephole"},
        {"encoder_cell": "gru"},
        {"encoder_cell": "rnn"},
        {"encoder_layers": 3},
        {"character_size": 0},
    ],
)
def test_a_graph_scores_as_pytorch_does(exported, words, changes, pooling):
    model, graph = exported(pooling=pooling, **changes)
    (ours, weights), (theirs, expected) = (each.classify(*parts(words, LINES)) for each in (graph, model))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert graph.has_attention == model.has_attention == (pooling is Pooling.attention)
    if weights is not None:
        np.testing.assert_allclose(weights, expected, atol=1e-6)
        np.testing.assert_array_equal(weights[1, 1:], 0)


def test_a_line_has_the_same_scores_whatever_its_batch(exported, words):
    _, graph = exported()
    logits, weights = graph.classify(*parts(words, LINES))
    for row, line in enumerate(LINES):
        alone, own = graph.classify(*parts(words, [line]))
        np.testing.assert_allclose(logits[row], alone[0], atol=1e-6)
        np.testing.assert_allclose(weights[row, : own.shape[1]], own[0], atol=1e-6)


def test_a_cell_without_an_operator_is_refused(exported):
    with pytest.raises(ConfigError, match="a model whose encoder is ssru cannot be exported"):
        exported(encoder_cell="ssru")


def test_a_graph_of_other_labels_or_a_damaged_one_is_refused(exported, tmp_path):
    exported()
    with pytest.raises(BundleError, match="lays graphs out in another way"):
        OnnxClassifier(classifier=tmp_path / "classifier.onnx", labels=5)
    (tmp_path / "classifier.onnx").write_bytes(b"x" * 100)
    with pytest.raises(BundleError, match=r"classifier.onnx is damaged"):
        OnnxClassifier(classifier=tmp_path / "classifier.onnx", labels=4)
