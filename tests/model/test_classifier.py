"""The classifier: pooling by hand, and scores that do not depend on the batch."""

import math

import numpy as np
import pytest
import torch

from nmt.config.choices import Pooling
from nmt.config.model import ModelConfig
from nmt.corpus.padding import pad_rows
from nmt.model.classifier import AttentionPooling, LastStates, build_classifier, build_classifier_shapes
from nmt.model.encoder import Encoded
from nmt.model.words import WordSizes
from nmt.text.words import WordVocabulary, take_apart

LINES = ["a bb abc", "cab", "x bb bb aaaa c"]
POOLINGS = [Pooling.attention, Pooling.last]


@pytest.fixture(scope="module")
def words():
    return WordVocabulary.train(["a bb abc cab", "bb aaaa"], size=50)


def sizes(words, labels=4):
    return WordSizes(words.first_word, words.words, words.rare, labels)


def config(**changes):
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "character_size": 4, "attention_size": 7}
    return ModelConfig(**sizes, dropout=0.3, **changes)


def parts(words, lines):
    source, lengths = pad_rows(words.encode_batch(lines), pad_id=words.pad_id, eos_id=words.eos_id)
    return take_apart(source, lengths, first_word=words.first_word)


def test_attention_pooling_by_hand():
    pooling = AttentionPooling(1, 1)
    with torch.no_grad():
        pooling.projection.weight.fill_(1.0)
        pooling.projection.bias.fill_(0.5)
        pooling.query.weight.fill_(2.0)
    values = torch.tensor([[[1.0], [-1.0], [9.0]]])
    pooled = pooling(Encoded(values, ()), torch.tensor([[True, True, False]]))
    # Scores 2·tanh(1.5) and 2·tanh(-0.5); the third position is padding.
    first, second = math.exp(2 * math.tanh(1.5)), math.exp(2 * math.tanh(-0.5))
    expected = [first / (first + second), second / (first + second), 0.0]
    assert pooled.weights[0].tolist() == pytest.approx(expected)
    assert pooled.vectors[0].tolist() == pytest.approx([expected[0] - expected[1]])


@pytest.mark.parametrize("cell", ["lstm", "ssru"])
def test_the_last_states_are_the_outputs_at_both_ends(words, cell):
    torch.manual_seed(1)
    model = build_classifier(config(pooling=Pooling.last, encoder_cell=cell), sizes(words)).eval()
    assert isinstance(model.pooling, LastStates)
    tensors = model.tensors(*parts(words, LINES))
    with torch.no_grad():
        encoded = model.read(tensors)
        pooled = model.pooling(encoded, tensors.mask)
    for row, length in enumerate(tensors.lengths.tolist()):
        forward, backward = encoded.values[row, length - 1, :5], encoded.values[row, 0, 5:]
        torch.testing.assert_close(pooled.vectors[row], torch.cat((forward, backward)))
    assert pooled.weights is None
    assert model.classify(*parts(words, LINES))[1] is None


def test_weights_sum_to_one_over_real_words_only(words):
    torch.manual_seed(1)
    _, weights = build_classifier(config(), sizes(words)).eval().classify(*parts(words, LINES))
    assert weights.shape == (3, 5)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    for row, length in zip(weights, (3, 1, 5), strict=True):
        assert (row[:length] > 0).all()
        assert not row[length:].any()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("changes", [{}, {"encoder_cell": "gru"}, {"encoder_cell": "ssru"}, {"encoder_layers": 3}])
def test_a_line_has_the_same_scores_whatever_its_batch(words, changes, pooling):
    torch.manual_seed(1)
    model = build_classifier(config(pooling=pooling, **changes), sizes(words)).eval()
    logits, weights = model.classify(*parts(words, LINES))
    for row, line in enumerate(LINES):
        alone, own = model.classify(*parts(words, [line]))
        np.testing.assert_allclose(logits[row], alone[0], atol=1e-6)
        if weights is not None:
            np.testing.assert_allclose(weights[row, : own.shape[1]], own[0], atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_shapes_are_those_of_the_model(words, pooling):
    settings = config(pooling=pooling)
    model, shapes = (build(settings, sizes(words)) for build in (build_classifier, build_classifier_shapes))
    assert [(name, part.shape) for name, part in model.state_dict().items()] == [
        (name, part.shape) for name, part in shapes.state_dict().items()
    ]
    assert all(part.is_meta for part in shapes.parameters())


def test_dropout_falls_on_the_vector_in_training_only(words):
    torch.manual_seed(1)
    model = build_classifier(ModelConfig(embedding_size=6, encoder_hidden_size=5, dropout=0.0), sizes(words))
    model.dropout.p = 0.5
    lines = model.tensors(*parts(words, ["bb bb"]))
    assert len({tuple(model(lines)[0].flatten().tolist()) for _ in range(8)}) > 1
    assert len({tuple(model.eval()(lines)[0].flatten().tolist()) for _ in range(8)}) == 1


def test_words_are_left_out_with_their_characters_in_training_only(words):
    settings = ModelConfig(embedding_size=6, encoder_hidden_size=5, character_size=4, dropout=0.0, word_dropout=0.5)
    torch.manual_seed(1)
    model = build_classifier(settings, sizes(words)).train()

    def read(line, seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            return model.read(model.tensors(*parts(words, [line]))).values

    one, other = ([read(line, seed) for seed in range(20)] for line in ("bb", "cab"))
    # What is left of a word that is left out does not tell which it was.
    left_out = [torch.equal(*pair) for pair in zip(one, other, strict=True)]
    assert True in left_out
    assert False in left_out
    model.eval()
    assert torch.equal(read("bb", 0), read("bb", 1))


def test_a_model_in_training_mode_refuses_to_classify(words):
    with pytest.raises(ValueError, match="training mode"):
        build_classifier(config(), sizes(words)).classify(*parts(words, ["a"]))
