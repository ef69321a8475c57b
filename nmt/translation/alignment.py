"""Which source word each target word translates, read off attention.

Shapes: T target subwords, S source subwords with what stands around them, I source words, J target words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def align_words(
    weights: npt.NDArray[np.floating[Any]], source_words: Sequence[int], target_words: Sequence[int]
) -> list[tuple[int, int]]:
    """Link each target word to the source word that its subwords attend to most, all together.

    Args:
        weights: (T, S) attention of each target subword.
        source_words: (S,) the word of each source position; -1: none, as for a tag or the end.
        target_words: (T,) the word of each target subword.

    Returns:
        pairs (source word, target word), by target word; empty where either side has no word.
    """
    sources, targets = np.asarray(source_words, dtype=np.int64), np.asarray(target_words, dtype=np.int64)
    if not len(targets) or sources.max(initial=-1) < 0:
        return []
    by_word = np.zeros((int(targets.max()) + 1, int(sources.max()) + 1))  # (J, I)
    inside = np.flatnonzero(sources >= 0)
    np.add.at(by_word, (targets[:, None], sources[None, inside]), weights[:, inside])
    return [(int(best), word) for word, best in enumerate(by_word.argmax(1))]
