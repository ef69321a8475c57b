"""The lexicon of a model that has one, learnt from the word alignments of its training text before training begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nmt.alignment import learn_lexicon
from nmt.data.mixture import Mixture
from nmt.subwords import SubwordModel

_DISCOUNT = 0.5


def learn_translations(
    corpus: Mixture, *, source_vocabulary: int, target_vocabulary: int, size: int
) -> tuple[Tensor, Tensor]:
    """Learn the `size` most likely translations of every source subword.

    What was seen once says little about the next text, and more about this very one than the model shall learn to
    expect: absolute discounting (Ney et al. 1994) takes half an occurrence from each.

    Returns:
        Ids and probabilities, (source vocabulary, size) each; 0 where there are fewer translations.
    """
    lexicon = learn_lexicon(_Rows(corpus, 0), _Rows(corpus, 1), target_vocabulary=target_vocabulary)
    kept = np.maximum(lexicon.counts - _DISCOUNT, 0) / np.maximum(lexicon.counts, _DISCOUNT)
    probabilities = lexicon.probabilities * kept
    # The first `size` of each source, best first, of equals the lowest id.
    order = np.lexsort((lexicon.targets, -probabilities, lexicon.sources))
    sources = lexicon.sources[order]
    places = np.arange(len(order)) - np.searchsorted(sources, sources)
    chosen = (places < size) & (probabilities[order] > 0)
    order, rows, columns = order[chosen], sources[chosen], places[chosen]
    targets = torch.zeros(source_vocabulary, size, dtype=torch.int32)
    targets[rows, columns] = torch.from_numpy(lexicon.targets[order]).int()
    found = torch.zeros(source_vocabulary, size)
    found[rows, columns] = torch.from_numpy(probabilities[order]).float()
    return targets, found


class _Rows(Sequence[Any]):
    """One side of all pairs of a mixture, with end of sentence, as the model reads them."""

    def __init__(self, corpus: Mixture, side: int) -> None:
        self._sides = [(part.corpus.source, part.corpus.target)[side] for part in corpus.parts]
        self._prefixes = [() if side else part.prefix for part in corpus.parts]
        self._ends = np.cumsum([len(part.corpus) for part in corpus.parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Any) -> Any:
        part = int(np.searchsorted(self._ends, index, side="right"))
        row = self._sides[part].row(index - (self._ends[part - 1] if part else 0))
        return np.concatenate([np.array(self._prefixes[part], dtype=row.dtype), row, [SubwordModel.eos_id]])
