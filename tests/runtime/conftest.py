"""What several tests of exported models share: two of them, searches with them, and their networks."""

import itertools

import numpy as np
import pytest

from nmt.config.choices import AttentionKind, Cell
from nmt.search.beam import beam_search
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper
from nmt.text.shortlist import Shortlist

EOS = 3
LENGTHS = np.array([7, 1, 4, 5, 7, 2])
# Every cell of the decoder, with and without feeding, alone and in three layers; attention goes round.
ATTENTIONS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
NETWORKS = [
    {
        "decoder_cell": cell.value,
        "attention": ATTENTIONS[number % 3],
        "input_feeding": feeding,
        "decoder_layers": layers,
    }
    for number, (cell, feeding, layers) in enumerate(itertools.product(Cell, (False, True), (1, 3)))
]


def padded(rows):
    lengths = np.array([len(row) for row in rows])
    source = np.zeros((len(rows), lengths.max()), dtype=np.int64)
    for i, row in enumerate(rows):
        source[i, : len(row)] = row
    return source, lengths


@pytest.fixture(scope="module", params=[0, 5], ids=["plain", "lexicon"])
def models(make_models, request):
    return make_models(encoder_layers=2, lexicon_size=request.param)


def searched(search, model, source, lengths, *, max_lengths, rules=(), **options):
    """What greedy_search or beam_search, with 5 places unless told, finds."""
    if search is beam_search:
        options.setdefault("beam_size", 5)
    options = SearchOptions(rules=tuple(rules), **options)
    return search(Stepper(model, source, lengths, max_lengths=max_lengths, options=options))


def name_of(network):
    return "-".join(map(str, network.values()))


def shortlist():
    """Some of the 50 targets for each of the 50 sources, not equally many, and the symbols."""
    draw = np.random.default_rng(5)
    counts = draw.integers(0, 6, 50)
    targets = np.concatenate([np.sort(draw.permutation(np.arange(4, 50))[:count]) for count in counts])
    return Shortlist(np.concatenate([[0], np.cumsum(counts)]), targets, np.arange(8), 50)


def sources():
    draw = np.random.default_rng(1)
    source = draw.integers(4, 50, (len(LENGTHS), LENGTHS.max()))
    source[np.arange(LENGTHS.max()) >= LENGTHS[:, None]] = 0
    return source
