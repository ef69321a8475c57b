"""Several corpora: weights are exact, all pairs are seen equally often, an epoch is a function of (seed, epoch)."""

from collections import Counter

import numpy as np
import pytest

from nmt.corpus.encoding import Encoder
from nmt.corpus.mixture import Mixture, Part


@pytest.fixture(scope="module")
def corpora(pairs, subwords):
    """Corpora of 70, 31 and 1 pairs."""
    parts = (pairs[:70], pairs[70:101], pairs[101:102])
    return [Encoder(subwords, subwords).encode(p) for p in parts]


def epoch_of(mixture, epoch, seed=1):
    """The pairs of an epoch, as (corpus, row)."""
    chosen = mixture.choose(np.arange(mixture.pairs(epoch)), seed=seed, epoch=epoch)
    return list(zip(chosen.parts.tolist(), chosen.rows.tolist(), strict=True))


def mixed(corpora, *weights):
    return Mixture([Part(corpus, weight) for corpus, weight in zip(corpora, weights, strict=False)])


def test_at_weight_one_every_pair_is_in_every_epoch_once(corpora):
    mixture = mixed(corpora, 1, 1, 1)
    everything = [(number, row) for number, corpus in enumerate(corpora) for row in range(len(corpus))]
    assert len(mixture) == len(everything) == 102
    orders = [epoch_of(mixture, epoch) for epoch in range(4)]
    assert all(sorted(order) == everything for order in orders)
    assert len(set(map(tuple, orders))) == 4


def test_a_weight_of_two_is_every_pair_twice(corpora):
    counts = Counter(epoch_of(mixed(corpora, 1, 2, 30), 3))
    assert [{counts[number, row] for row in range(len(corpora[number]))} for number in range(3)] == [{1}, {2}, {30}]


def test_a_weight_of_a_half_is_one_half_and_then_the_other(corpora):
    mixture = mixed(corpora, 0.5, 0.5)
    for epoch in (0, 2, 10):
        halves = [epoch_of(mixture, epoch), epoch_of(mixture, epoch + 1)]
        assert sorted(halves[0] + halves[1]) == sorted(epoch_of(mixed(corpora, 1, 1), 0))
        assert [sum(number == 0 for number, _ in half) for half in halves] == [35, 35]
        assert [sum(number == 1 for number, _ in half) for half in halves] == [15, 16]
    # halved anew each time
    assert len({frozenset(epoch_of(mixture, epoch)) for epoch in range(6)}) == 6


@pytest.mark.parametrize("weight", [0.1, 0.3, 1.7, 2.5, 1e-05, 3])
def test_an_epoch_takes_its_part_of_an_endless_stream(corpora, weight):
    epochs = [0, 1, 2, 3, 4, 9_999, 10_000]
    part = Part(corpora[0], weight)
    tenths = round(weight * 100_000)  # of a pass of 70 pairs, exactly
    for epoch in epochs:
        assert part.stream(epoch) == (epoch * tenths * 70 // 100_000, (epoch + 1) * tenths * 70 // 100_000)
        assert Mixture([part]).pairs(epoch) == part.stream(epoch)[1] - part.stream(epoch)[0]


@pytest.mark.parametrize("weights", [(0.3, 1.7, 1), (2.5, 0.1, 0.9)])
def test_all_pairs_of_a_corpus_are_seen_equally_often(corpora, weights):
    mixture = mixed(corpora, *weights)
    seen = Counter()
    for epoch in range(20):
        seen.update(epoch_of(mixture, epoch))
        for number, corpus in enumerate(corpora):
            counts = [seen[number, row] for row in range(len(corpus))]
            assert max(counts) - min(counts) <= 1
    for number, (corpus, weight) in enumerate(zip(corpora, weights, strict=True)):
        assert {seen[number, row] for row in range(len(corpus))} == {round(20 * weight)}


def test_corpora_are_mixed_within_an_epoch(pairs, subwords):
    parts = (pairs[:750], pairs[750:])
    corpora = [Encoder(subwords, subwords).encode(p) for p in parts]
    numbers = np.array([number for number, _ in epoch_of(mixed(corpora, 1, 2), 0)])
    assert len(numbers) == 2250
    shares = [part.mean() for part in np.array_split(numbers, 9)]  # of 250 each; its deviation is 0.03
    assert all(abs(share - 2 / 3) < 0.12 for share in shares)


def test_an_epoch_is_a_function_of_seed_and_epoch(corpora):
    mixture = mixed(corpora, 1, 0.7, 1)
    whole = epoch_of(mixture, 7)
    assert whole == epoch_of(mixture, 7)
    assert whole != epoch_of(mixture, 7, seed=2)
    for positions in np.array_split(np.arange(len(whole)), 7):
        chosen = mixture.choose(positions, seed=1, epoch=7)
        assert list(zip(chosen.parts.tolist(), chosen.rows.tolist(), strict=True)) == [whole[i] for i in positions]


def test_another_corpus_changes_nothing_of_what_an_epoch_takes_of_the_first(corpora):
    alone = sorted(epoch_of(mixed(corpora, 0.4), 3))
    assert sorted(pair for pair in epoch_of(mixed(corpora, 0.4, 2), 3) if pair[0] == 0) == alone


def test_ids_texts_and_prefixes_are_those_of_the_chosen_pairs(corpora):
    mixture = Mixture([Part(corpora[0]), Part(corpora[1], 1.0, (7,)), Part(corpora[2], 1.0, (9, 4))])
    chosen = mixture.choose(np.arange(102), seed=5, epoch=0)
    ids = [mixture.ids(chosen, side) for side in ("source", "target")]
    texts = [mixture.texts(chosen, side) for side in ("source", "target")]
    prefixes = mixture.prefixes(chosen)
    for i, (number, row) in enumerate(zip(chosen.parts.tolist(), chosen.rows.tolist(), strict=True)):
        corpus = corpora[number]
        assert ids[0][i].tolist() == corpus.source.row(row).tolist()
        assert ids[1][i].tolist() == corpus.target.row(row).tolist()
        assert mixture.lines(chosen)[i] == row
        assert (texts[0][i], texts[1][i]) == (corpus.source.line(row), corpus.target.line(row))
        assert prefixes[i] == [(), (7,), (9, 4)][number]
    assert ids[0][0].base is not None  # a view of the store, not a copy


def test_marked_pairs_have_their_mark_behind_the_prefix(corpora):
    marked = np.arange(31) % 3 == 0
    mixture = Mixture([Part(corpora[0], prefix=(7,)), Part(corpora[1], prefix=(8,), marked=marked, mark=(9,))])
    chosen = mixture.choose(np.arange(mixture.pairs(0)), seed=1, epoch=0)
    expected = [(7,) if not part else (8, 9) if row % 3 == 0 else (8,) for part, row in zip(*chosen, strict=True)]
    assert mixture.prefixes(chosen) == expected
