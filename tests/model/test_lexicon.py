"""The lexicon: its formula in plain loops, what it adds to logits, and what it leaves alone."""

import math

import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.model.decoder import DecoderOutput
from nmt.model.lexicon import Lexicon, LexiconBias
from nmt.model.seq2seq import build_model

V, N = 9, 3
# Word 4 has two translations, 5 one that 4 has too, 6 none.
TRANSLATIONS = {4: {7: 0.5, 8: 0.25}, 5: {8: 0.9}}
SOURCE = torch.tensor([[4, 5, 3], [6, 3, 0], [5, 5, 3]])
WEIGHTS = torch.tensor(
    [
        [[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]],
        [[0.75, 0.25, 0.0], [1.0, 0.0, 0.0]],
        [[0.25, 0.5, 0.25], [0.125, 0.375, 0.5]],
    ],
    dtype=torch.float64,
)  # (B, Q, S)


@pytest.fixture
def lexicon():
    made = Lexicon(7, N, epsilon=0.01).double()
    targets, probabilities = torch.zeros(7, N), torch.zeros(7, N, dtype=torch.float64)
    for source, translations in TRANSLATIONS.items():
        for place, (target, probability) in enumerate(translations.items()):
            targets[source, place], probabilities[source, place] = target, probability
    made.fill(targets, probabilities)
    return made


def expected_scores():
    """log(p(v) + ε) - log ε, with loops over everything."""
    scores = torch.zeros(3, 2, V, dtype=torch.float64)
    for b in range(3):
        for q in range(2):
            for v in range(V):
                p = sum(float(WEIGHTS[b, q, s]) * TRANSLATIONS.get(int(SOURCE[b, s]), {}).get(v, 0.0) for s in range(3))
                scores[b, q, v] = math.log(p + 0.01) - math.log(0.01)
    return scores


def test_logits_gain_the_logarithm_of_the_lexical_probability(lexicon):
    logits = torch.randn(3, 2, V, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = lexicon(SOURCE).lexicon_bias(WEIGHTS).add_to(logits.clone())
    torch.testing.assert_close(found - logits, expected_scores())


def test_a_sentence_is_offered_its_own_words_once(lexicon):
    offer = lexicon(SOURCE)
    assert [sorted({*row} - {0}) for row in offer.words.tolist()] == [[7, 8], [], [8]]
    assert offer.words.shape[1] <= 3
    assert offer.probabilities.sum(2).tolist() == [[0.75, 0.9, 0.0], [0.0, 0.0, 0.0], [0.9, 0.9, 0.0]]


def test_selected_positions_are_those_of_the_whole(lexicon):
    lexicon_bias = lexicon(SOURCE).lexicon_bias(WEIGHTS)
    whole = lexicon_bias.add_to(torch.zeros(3, 2, V, dtype=torch.float64)).flatten(0, 1)
    positions = torch.tensor([0, 3, 4, 5])
    some = lexicon_bias.select(positions).add_to(torch.zeros(4, V, dtype=torch.float64))
    torch.testing.assert_close(some, whole[positions])


def test_sentences_that_stay_keep_their_offers(lexicon):
    kept = lexicon(SOURCE).keep(torch.tensor([2, 0]))
    found = kept.lexicon_bias(WEIGHTS[[2, 0]]).add_to(torch.zeros(2, 2, V, dtype=torch.float64))
    torch.testing.assert_close(found, expected_scores()[[2, 0]])


def test_attention_learns_from_the_scores(lexicon):
    weights = WEIGHTS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: lexicon(SOURCE).lexicon_bias(given).scores, weights)


def test_bf16_products_do_not_reach_the_lexicon(lexicon):
    expected = lexicon(SOURCE).lexicon_bias(WEIGHTS).scores
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(lexicon(SOURCE).lexicon_bias(WEIGHTS).scores, expected, rtol=0, atol=0)


def build(size):
    torch.manual_seed(5)
    config = ModelConfig(
        embedding_size=6, encoder_hidden_size=4, decoder_hidden_size=8, attention_size=5, lexicon_size=size
    )
    return build_model(config, source_vocabulary=V, target_vocabulary=V).double().eval()


def test_an_empty_lexicon_changes_nothing():
    source, lengths, previous = torch.tensor([[4, 5, 3]]), torch.tensor([3]), torch.tensor([[2, 7, 8]])
    with_, without = build(N), build(0)
    assert without.lexicon is None
    torch.testing.assert_close(
        with_.project(with_(source, lengths, previous)),
        without.project(without(source, lengths, previous)),
        rtol=0,
        atol=0,
    )


def test_a_lexicon_lies_with_the_weights_but_is_no_parameter():
    with_, without = build(N), build(0)
    assert with_.state_dict().keys() - without.state_dict().keys() == {"lexicon.targets", "lexicon.probabilities"}
    assert len(list(with_.parameters())) == len(list(without.parameters()))


def test_project_adds_what_the_readout_says():
    model = build(0)
    attentional = torch.randn(2, 6, dtype=torch.float64)
    lexicon_bias = LexiconBias(
        torch.tensor([[1, 4], [4, 0]]), torch.tensor([[0.5, 2.0], [3.0, 0.0]], dtype=torch.float64)
    )
    difference = model.project(DecoderOutput(attentional, lexicon_bias)) - model.project(DecoderOutput(attentional))
    expected = torch.zeros(2, V, dtype=torch.float64)
    expected[0, 1], expected[0, 4], expected[1, 4] = 0.5, 2.0, 3.0
    torch.testing.assert_close(difference, expected)


def test_each_target_language_has_a_lexicon_of_its_own():
    torch.manual_seed(3)
    languages, vocabulary = range(2, 5), 9
    joint = Lexicon(vocabulary, 2, epsilon=0.1, languages=languages)
    tables = torch.randint(9, (3, vocabulary, 2)), torch.rand(3, vocabulary, 2)
    joint.fill(*(table.flatten(0, 1) for table in tables))
    source = torch.tensor([[3, 7, 8, 1], [2, 7, 8, 0], [4, 5, 0, 0], [3, 8, 7, 6]])
    offer = joint(source)
    for row, number in enumerate((1, 0, 2, 1)):
        single = Lexicon(vocabulary, 2, epsilon=0.1)
        single.fill(*(table[number] for table in tables))
        alone = single(source[row : row + 1])
        dense = [
            torch.zeros(4, vocabulary).index_add_(1, each.words[i], each.probabilities[i])
            for each, i in ((offer, row), (alone, 0))
        ]
        torch.testing.assert_close(*dense)
    first = joint(torch.tensor([[8, 7]]))  # no symbol: the last lexicon, and no place behind it
    assert first.words.max() < vocabulary
    assert Lexicon(vocabulary, 2, epsilon=0.1).targets.shape == (vocabulary, 2)
