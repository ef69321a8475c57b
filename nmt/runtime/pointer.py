"""Which words of sources may be copied, on NumPy arrays: `nmt.model.pointer` is where it is explained.

Shapes: B sentences, S source length, W words of a sentence that may be copied, N ids of a shortlist.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.runtime.lexicon import offered

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]


def copyable(copied: Ints, shortlist: Ints | None, vocabulary: int) -> Arrays:
    """Lay out what a step may copy: copied (B, S) ids, 0 where nothing is → `copy_columns`, `copy_places`.

    The columns (B, W) are those of the words among a step's scores. The places (B, S, 1 + W) are 1 where a source
    position holds a word, in column 0 where it holds none. A word that a shortlist (B, N) lacks is not copied; lists
    that nmt makes have all words of their sources.
    """
    sentences, length = copied.shape
    rows = np.arange(sentences)[:, None]
    if shortlist is None:
        columns_of = np.broadcast_to(np.arange(vocabulary), (sentences, vocabulary))
    else:
        columns_by_id = np.full((sentences, vocabulary + 1), -1, dtype=np.int64)  # the last is for what pads a list
        columns_by_id[rows, shortlist] = np.arange(shortlist.shape[1])
        columns_of = columns_by_id[:, :vocabulary]
        copied = np.where(columns_of[rows, copied] >= 0, copied, 0)
    word_ids = offered(copied[:, :, None], vocabulary)  # ascending; 0 stands for nothing, first or behind all
    is_word = word_ids > 0
    order = np.zeros((sentences, vocabulary), dtype=np.int64)
    order[rows, word_ids] = np.where(is_word, 1 + np.arange(word_ids.shape[1]), 0)
    places = np.zeros((sentences, length, 1 + word_ids.shape[1]), dtype=np.float32)
    places[rows, np.arange(length), order[rows, copied]] = 1
    # What stands for nothing gains nothing: any column that has a score will do.
    return {"copy_columns": np.where(is_word, columns_of[rows, word_ids], 0), "copy_places": places}
