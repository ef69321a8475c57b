"""What a lexicon says, laid out with NumPy, is what nmt.model.lexicon makes of it."""

import numpy as np
import torch

from nmt.model.lexicon import Lexicon
from nmt.runtime.lexicon import lay_out, offered

V, N = 30, 4


def draw():
    """Sources (B, S), and a lexicon of which word 0 is offered nothing, as torch has it."""
    generator = torch.Generator().manual_seed(7)
    lexicon = Lexicon(20, N, epsilon=1e-3)
    targets = 1 + torch.rand(20, V - 1, generator=generator).argsort(1)[:, :N]
    probabilities = torch.rand(20, N, generator=generator)
    # Rows with fewer translations are filled up with zeros.
    missing = torch.arange(N) >= torch.randint(0, N + 1, (20, 1), generator=generator)
    lexicon.fill(targets.masked_fill(missing, 0), probabilities.masked_fill(missing, 0))
    return torch.randint(0, 20, (6, 5), generator=generator), lexicon


def dense(words, probabilities):
    """(B, S, V), whatever the order of the words."""
    result = np.zeros((*probabilities.shape[:2], V))
    for b, row in enumerate(words):
        for u, word in enumerate(row):
            result[b, :, word] += probabilities[b, :, u]
    return result


def test_words_and_probabilities_are_those_of_pytorch():
    source, lexicon = draw()
    expected = lexicon(source)
    translations, chances = lexicon.targets[source].numpy(), lexicon.probabilities[source].numpy()
    words = offered(translations, V)
    probabilities = lay_out(translations, chances, words, V) - 1
    assert probabilities.shape == (6, 5, words.shape[1])
    np.testing.assert_allclose(
        dense(words, probabilities), dense(expected.words.numpy(), expected.probabilities.numpy()), atol=1e-6
    )
    for row, given in zip(words, translations, strict=True):
        assert set(row.tolist()) | {0} == set(given.flatten().tolist()) | {0}


def test_words_that_a_shortlist_lacks_are_left_out():
    source, lexicon = draw()
    translations, chances = lexicon.targets[source].numpy(), lexicon.probabilities[source].numpy()
    words = np.array([[0, 3, 8, 9, V - 1, -1], [2, -1, -1, -1, -1, -1]] * 3)
    whole = dense(offered(translations, V), lay_out(translations, chances, offered(translations, V), V) - 1)
    found = lay_out(translations, chances, words, V) - 1
    for b, row in enumerate(words):
        for u, word in enumerate(row):
            np.testing.assert_array_equal(found[b, :, u], whole[b, :, word] if word >= 0 else 0)
