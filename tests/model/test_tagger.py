"""The tagger: rows taken apart, and scores that do not depend on the batch."""

import numpy as np
import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.corpus.padding import pad_rows
from nmt.model.tagger import build_tagger, build_tagger_shapes
from nmt.model.words import WordSizes
from nmt.text.words import WordVocabulary, take_apart

LINES = ["a bb abc", "cab", "x bb bb aaaa c"]


@pytest.fixture(scope="module")
def words():
    return WordVocabulary.train(["a bb abc cab", "bb aaaa"], size=50)


def sizes(words, labels=4):
    return WordSizes(words.first_word, words.words, words.rare, labels)


def config(**changes):
    return ModelConfig(embedding_size=6, encoder_hidden_size=5, character_size=4, dropout=0.3, **changes)


def parts(words, lines):
    source, lengths = pad_rows(words.encode_batch(lines), pad_id=words.pad_id, eos_id=words.eos_id)
    return take_apart(source, lengths, first_word=words.first_word)


def test_rows_are_taken_apart_into_words_and_characters(words):
    found = parts(words, LINES)
    assert found.lengths.tolist() == [3, 1, 5]
    # T = 5: the second sentence begins at place 5, the third at 10.
    assert found.places.tolist() == [0, 1, 2, 5, 10, 11, 12, 13, 14]
    assert found.character_lengths.tolist() == [1, 2, 3, 3, 1, 2, 2, 4, 1]
    rows = [words.encode(word) for line in LINES for word in line.split()]
    assert found.ids.tolist() == [row[0] for row in rows]
    expected = [[*row[1:], *[words.pad_id] * (5 - len(row))] for row in rows]
    assert found.characters.tolist() == expected


@pytest.mark.parametrize(
    "changes", [{}, {"encoder_cell": "gru"}, {"encoder_cell": "ssru"}, {"encoder_layers": 3}, {"window": 2}]
)
def test_a_sentence_has_the_same_scores_whatever_its_batch(words, changes):
    torch.manual_seed(1)
    model = build_tagger(config(**changes), sizes(words)).eval()
    together = model.emissions(*parts(words, LINES))
    for row, line in enumerate(LINES):
        [alone] = model.emissions(*parts(words, [line]))
        np.testing.assert_allclose(together[row, : len(alone)], alone, atol=1e-6)


def test_the_encoder_reads_a_word_between_its_neighbours(words):
    torch.manual_seed(1)
    model = build_tagger(config(window=1), sizes(words)).eval()
    a, b, c = (torch.full((1, 2), value) for value in (1.0, 2.0, 3.0))
    zero = torch.zeros(1, 2)
    found = model._beside_neighbours(torch.stack([a, b, c], dim=1))
    expected = [torch.cat(three, dim=1) for three in ((zero, a, b), (a, b, c), (b, c, zero))]
    assert torch.equal(found, torch.stack(expected, dim=1))
    plain = build_tagger(config(), sizes(words))
    widths = [each.encoder.layers[0].weight_ih_l0.size(1) for each in (plain, model)]
    assert widths[1] == 3 * widths[0]


def test_words_that_are_unknown_differ_by_their_characters(words):
    torch.manual_seed(1)
    model = build_tagger(config(), sizes(words)).eval()
    [scores] = model.emissions(*parts(words, ["acb"]))
    [other] = model.emissions(*parts(words, ["bca"]))
    assert np.abs(scores - other).max() > 1e-4
    without = build_tagger(ModelConfig(embedding_size=6, encoder_hidden_size=5, character_size=0), sizes(words)).eval()
    assert np.array_equal(*(without.emissions(*parts(words, [word])) for word in ("acb", "bca")))


def test_rare_words_become_unknown_now_and_then_in_training_only(words):
    settings = ModelConfig(embedding_size=6, encoder_hidden_size=5, character_size=0, dropout=0.0)
    torch.manual_seed(1)
    model = build_tagger(settings, sizes(words)).train()

    def score(line, seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            return model(model.tensors(*parts(words, [line])))

    unknown = score("x", 1)
    rare = [score("abc", seed) for seed in range(20)]
    dropped = [torch.equal(each, unknown) for each in rare]
    assert True in dropped
    assert False in dropped
    assert all(torch.equal(score("bb", seed), score("bb", 0)) for seed in range(20))  # it occurs twice
    assert all(torch.equal(score("abc", seed), rare[seed]) for seed in range(20))
    model.eval()
    assert torch.equal(score("abc", 0), score("abc", 1))


def test_shapes_are_those_of_the_model(words):
    model, shapes = build_tagger(config(), sizes(words)), build_tagger_shapes(config(), sizes(words))
    assert [(name, part.shape) for name, part in model.state_dict().items()] == [
        (name, part.shape) for name, part in shapes.state_dict().items()
    ]
    assert all(part.is_meta for part in shapes.parameters())


def test_a_model_in_training_mode_refuses_to_label(words):
    with pytest.raises(ValueError, match="training mode"):
        build_tagger(config(), sizes(words)).emissions(*parts(words, ["a"]))
