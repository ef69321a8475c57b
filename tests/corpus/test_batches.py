"""Batches: a function of (seed, epoch, k), every pair once, little padding, and threads that end."""

import os
from itertools import islice

import numpy as np
import pytest
import torch

from nmt.config.choices import Sides
from nmt.corpus.batches import group
from nmt.corpus.encoding import Encoder
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.reader import read_pairs, resolve
from nmt.text.subword_training import train_subwords

from .conftest import assert_same, make


@pytest.fixture(params=[0.0, 0.2], ids=["best", "sampled"])
def source(request, corpus, subwords):
    return make(corpus, subwords, sampling_alpha=request.param)


def texts(batches, subwords):
    """The pairs of some batches, decoded."""
    return [
        (subwords.decode(source), subwords.decode(target))
        for batch in batches
        for source, target in zip(batch.source.tolist(), batch.target.tolist(), strict=True)
    ]


@pytest.mark.parametrize("sampled", ["source", "target"])
def test_one_side_alone_can_be_sampled(corpus, subwords, sampled):
    both, best = (make(corpus, subwords, sampling_alpha=alpha) for alpha in (0.2, 0.0))
    one = make(corpus, subwords, sampling_alpha=0.2, sampled_sides=Sides[sampled])
    found, drawn, whole = ({side: rows_of(each, side) for side in ("source", "target")} for each in (one, both, best))
    other = {"source": "target", "target": "source"}[sampled]
    assert found[other] == whole[other]
    assert found[sampled] == drawn[sampled] != whole[sampled]


def rows_of(source, side):
    """The ids of all pairs of an epoch, in the order of the training text."""
    rows = {}
    for batch in source.epoch(0):
        padded, lengths = getattr(batch, side).tolist(), getattr(batch, f"{side}_lengths").tolist()
        for number, row, length in zip(batch.lines.tolist(), padded, lengths, strict=True):
            rows[number] = row[:length]
    return [rows[number] for number in sorted(rows)]


def test_rows_end_with_eos_and_are_padded(source, subwords):
    for batch in source.epoch(0):
        for rows, lengths in ((batch.source, batch.source_lengths), (batch.target, batch.target_lengths)):
            assert rows.dtype == lengths.dtype == torch.int64
            assert rows.shape == (len(lengths), int(lengths.max()))
            for row, length in zip(rows.tolist(), lengths.tolist(), strict=True):
                assert row[length - 1] == subwords.eos_id
                assert subwords.pad_id not in row[:length]
                assert subwords.eos_id not in row[: length - 1]
                assert set(row[length:]) <= {subwords.pad_id}


def test_every_pair_is_in_an_epoch_exactly_once(source, pairs, subwords):
    assert sorted(texts(source.epoch(0), subwords)) == sorted(pairs)


def test_every_row_knows_which_line_it_was(source, pairs, subwords):
    batches = list(source.epoch(0))
    numbers = [number for batch in batches for number in batch.lines.tolist()]
    assert texts(batches, subwords) == [pairs[number] for number in numbers]


def test_the_best_segmentation_is_the_stored_one(corpus, encoded, subwords):
    rows = [
        tuple(row[: length - 1])
        for batch in make(corpus, subwords).epoch(0)
        for row, length in zip(batch.target.tolist(), batch.target_lengths.tolist(), strict=True)
    ]
    assert sorted(rows) == sorted(tuple(encoded.target.row(i).tolist()) for i in range(len(encoded)))


def test_a_batch_depends_on_seed_and_epoch(corpus, subwords, source):
    first = texts(source.epoch(0), subwords)
    assert_same(source.epoch(0), source.epoch(0))
    assert texts(source.epoch(1), subwords) != first
    alpha = source.sampling_alpha
    assert texts(make(corpus, subwords, seed=4, sampling_alpha=alpha).epoch(0), subwords) != first


def test_segmentations_change_from_epoch_to_epoch(corpus, subwords):
    def rows(epoch):
        batches = make(corpus, subwords, sampling_alpha=0.2).epoch(epoch)
        return {tuple(row) for batch in batches for row in batch.source.tolist()}

    assert rows(0) != rows(1)


@pytest.mark.parametrize("start", [0, 1, 30, 60, 10_000])
@pytest.mark.parametrize("prefetch", [0, 3])
def test_starting_inside_an_epoch_continues_it(corpus, subwords, start, prefetch):
    for alpha in (0.0, 0.2):
        source = make(corpus, subwords, sampling_alpha=alpha)
        later = make(corpus, subwords, sampling_alpha=alpha, prefetch=prefetch)
        assert_same(later.epoch(2, start=start), islice(source.epoch(2), start, None))


def window_sizes(source, epoch=0):
    return [sum(map(len, window.batches)) for window in source._windows(epoch, 0)]


def test_windows_are_of_like_sizes_but_the_very_first_is_small_where_it_must_be_sampled(corpus, subwords):
    assert window_sizes(make(corpus, subwords)) == [375] * 4
    assert window_sizes(make(corpus, subwords, sampling_alpha=0.1)) == [100, 350, 350, 350, 350]
    assert window_sizes(make(corpus, subwords, sampling_alpha=0.1), epoch=1) == [375] * 4
    assert window_sizes(make(corpus, subwords, sampling_alpha=0.1, first_window_pairs=800)) == [400, 366, 367, 367]
    large = {"window_pairs": 1500, "sampling_alpha": 0.1}
    assert window_sizes(make(corpus, subwords, first_window_pairs=751, **large)) == [1500]
    assert window_sizes(make(corpus, subwords, first_window_pairs=750, **large)) == [750, 750]
    assert window_sizes(make(corpus, subwords, first_window_pairs=1, **large)) == [1, 1499]


def test_a_window_holds_its_own_pairs_and_no_more(source):
    for window in source._windows(0, 0):
        rows = sum(map(len, window.batches))
        for side in (window.source, window.target):
            assert len(side.offsets) == rows + 1
            assert len(side.flat) == side.offsets[-1]
            assert side.flat.base is None  # not a view that keeps something larger


def test_tags_stand_before_the_sources_of_their_corpus_alone(encoded, subwords, pairs):
    tag = subwords.tag_prefix(3)
    mixture = Mixture([Part(encoded), Part(encoded, 1.0, tag)])
    assert tag == (subwords.control_ids[3],)
    for alpha in (0.0, 0.2):
        batches = list(make(mixture, subwords, sampling_alpha=alpha).epoch(0))
        assert sorted(texts(batches, subwords)) == sorted(pairs * 2)
        rows = [row for batch in batches for row in batch.source.tolist()]
        tagged = [row for row in rows if row[0] == tag[0]]
        assert len(tagged) == len(pairs)
        assert not any(tag[0] in row[1:] for row in tagged)
        assert not any(tag[0] in batch.target for batch in batches)
        for batch in batches:
            assert len(batch.source) == 1 or max(batch.source.numel(), batch.target.numel()) <= 500


def test_an_epoch_without_pairs_has_no_batches(encoded, subwords):
    mixture = Mixture([Part(encoded, 0.0004)])
    epochs = [list(make(mixture, subwords).epoch(epoch)) for epoch in range(5)]
    assert [sum(len(batch.source) for batch in epoch) for epoch in epochs] == [0, 1, 0, 1, 1]


def test_batches_keep_to_the_budget_on_both_sides(source):
    for batch in source.epoch(0):
        assert len(batch.source) == 1 or max(batch.source.numel(), batch.target.numel()) <= source.batch_tokens


@pytest.mark.parametrize("budget", [1, 7, 100, 10**9])
def test_group_splits_into_whole_batches(budget):
    random = np.random.default_rng(1)
    source, target = random.integers(1, 40, (2, 300))
    ties = random.integers(0, 1 << 60, 300).astype(np.uint64)
    batches = group(source, target, ties, budget=budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(300))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(source[batch].max(), target[batch].max()) <= budget
    assert budget < 10**9 or len(batches) == 1


def test_a_pair_longer_than_the_budget_is_a_batch_by_itself():
    lengths = np.array([5, 900, 5, 5])
    batches = group(lengths, np.array([5, 5, 5, 5]), np.arange(4, dtype=np.uint64), budget=20)
    assert [1] in [batch.tolist() for batch in batches]
    assert sorted(np.concatenate(batches).tolist()) == [0, 1, 2, 3]


def test_equal_lengths_meet_other_company_in_every_epoch(corpus, subwords):
    def company(epoch):
        return {frozenset(texts([batch], subwords)) for batch in make(corpus, subwords).epoch(epoch)}

    first, second = company(0), company(1)
    assert len(first & second) < len(first) / 20


def test_batches_of_like_lengths_are_not_in_order_of_length(corpus, subwords):
    widths = np.array([batch.target.shape[1] for batch in make(corpus, subwords, window_pairs=10_000).epoch(0)])
    assert abs(np.corrcoef(widths, np.arange(len(widths)))[0, 1]) < 0.5


@pytest.fixture(scope="module")
def multi30k():
    if "NMT_CORPORA" not in os.environ:
        pytest.skip("NMT_CORPORA does not name a folder that holds multi30k/")
    prefix = os.path.join(os.environ["NMT_CORPORA"], "multi30k", "train")
    pairs = list(read_pairs(resolve(prefix, source="en", target="de", key="corpus.train")))
    text = [text for pair in pairs[::4] for text in pair]
    subwords = train_subwords(text, kind="unigram", vocabulary_size=8000)
    encoded = Encoder(subwords, subwords).encode(pairs)
    return Mixture([Part(encoded)]), subwords


@pytest.mark.parametrize(("batch_tokens", "alpha"), [(1200, 0.0), (4096, 0.0), (4096, 0.1)])
def test_padding_of_multi30k_is_under_five_percent_on_each_side(multi30k, batch_tokens, alpha):
    corpus, subwords = multi30k
    windows = {"window_pairs": 32_768, "first_window_pairs": 2048}
    source = make(corpus, subwords, batch_tokens=batch_tokens, sampling_alpha=alpha, **windows)
    batches = list(source.epoch(0))
    for side in ("source", "target"):
        real = sum(int(getattr(batch, f"{side}_lengths").sum()) for batch in batches)
        assert 0 < 1 - real / sum(getattr(batch, side).numel() for batch in batches) < 0.05


@pytest.fixture(scope="module")
def marked_subwords(pairs):
    return train_subwords([text for pair in pairs for text in pair], kind="unigram", vocabulary_size=120, marks=4)


@pytest.mark.parametrize("alpha", [0.0, 0.2], ids=["best", "sampled"])
def test_some_pairs_get_marks_and_the_others_are_as_without(pairs, marked_subwords, alpha):
    corpus = Mixture([Part(Encoder(marked_subwords, marked_subwords).encode(pairs))])
    settings = {"sampling_alpha": alpha, "window_pairs": 10_000, "first_window_pairs": 0}
    marks = marked_subwords.marks
    source = make(corpus, marked_subwords, marks=marks, mark_rate=0.2, **settings)
    assert_same(source.epoch(1), source.epoch(1))
    assert_same(source.epoch(1, start=3), islice(source.epoch(1), 3, None))
    plain = dict(zip(*read(make(corpus, marked_subwords, **settings).epoch(1), marked_subwords), strict=True))
    lines, texts_of = read(source.epoch(1), marked_subwords)
    with_marks = 0
    for line, sides in zip(lines, texts_of, strict=True):
        own = [sorted(set(side) & set(marks)) for side in sides]
        assert own[0] == own[1]
        assert all(side.count(mark) == 1 for side in sides for mark in own[0])
        with_marks += bool(own[0])
        if not own[0] and not alpha:
            assert sides == plain[line]
    assert 0.1 < with_marks / len(lines) < 0.3
    others = read(
        make(corpus, marked_subwords, marks=marks, mark_rate=0.2, seed=9, **settings).epoch(1), marked_subwords
    )
    assert sorted(others[1]) != sorted(texts_of)


def read(batches, subwords):
    """The lines of some batches, and the decoded pairs."""
    batches = list(batches)
    return [line for batch in batches for line in batch.lines.tolist()], texts(batches, subwords)
