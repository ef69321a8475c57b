"""What a lexicon says about sources, on NumPy arrays: `nmt.model.lexicon` is where it is explained.

Shapes: B sentences, S source length, N translations of a source token, U words that a sentence is offered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.text.shortlist import columns_of

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


def offered(translations: Ints, vocabulary: int) -> Ints:
    """List the words of each sentence: translations (B, S, N) → (B, U) ids, filled up with 0, which is pad.

    Args:
        translations: of each source position.
        vocabulary: V of the target.
    """
    sentences = len(translations)
    chosen = np.zeros((sentences, vocabulary), dtype=np.bool_)
    chosen[np.arange(sentences)[:, None], translations.reshape(sentences, -1)] = True
    return columns_of(chosen, fill=0)


def lay_out(translations: Ints, chances: Array, words: Ints, vocabulary: int) -> Array:
    """Give every word a column: translations and chances (B, S, N), words (B, U) padded with -1 → (B, S, U).

    The entries are the chances plus one; a chance is a probability divided by ε. Attention's weights sum to 1, so their
    product with the entries is p / ε + 1, whose logarithm a step adds. Translations that are not among the words are
    left out.
    """
    sentences, length, _ = translations.shape
    width = words.shape[1]
    rows = np.arange(sentences)[:, None]
    # One column more on both sides, for what stands for nothing.
    columns = np.full((sentences, vocabulary + 1), width, dtype=np.int64)
    columns[rows, words] = np.arange(width)
    probabilities = np.zeros((sentences, length, width + 1), dtype=np.float32)
    probabilities[rows[:, :, None], np.arange(length)[:, None], columns[rows[:, :, None], translations]] = chances
    return np.asarray(probabilities[:, :, :width] + np.float32(1))
