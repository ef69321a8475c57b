"""Batches of augmented pairs: functions of (seed, epoch, k), and each change at its share."""

import random
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from nmt.config.augmentation import REVERSED_TAG, TASK_TAGS, AugmentationConfig
from nmt.corpus.augmentation import FOLDS, Augmentation, joined
from nmt.corpus.batches import BatchSource
from nmt.corpus.encoding import Encoder
from nmt.corpus.filters import Filters
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.reader import Pair
from nmt.corpus.word_links import WordLinks
from nmt.text.subwords import MARKS
from nmt.training.augmentation import augmentation_of, with_reversed

ALL = {"concatenation": 0.3, "typos": 0.3, "upper": 0.2, "title": 0.2, "merged_words": 0.1, "split_words": 0.1}
ALL |= {"noise": 0.05, "reversed_words": 0.2, "replaced_words": 0.2, "monotone_words": 0.2}


@pytest.fixture(scope="module")
def corpus(pairs, subwords):
    return Mixture([Part(Encoder(subwords, subwords).encode(pairs[:600]))])


@pytest.fixture(scope="module")
def links(pairs):
    return WordLinks.learn(pairs[:100])


@pytest.fixture
def make(corpus, subwords, links):
    def build(shares, *, alpha=0.0, mixture=corpus, limits=Filters(), **settings):  # noqa: B008
        of_parts = (links,) * len(mixture.parts)
        augmentation = Augmentation(AugmentationConfig(**shares), limits, subwords, subwords, of_parts)
        windows = {"window_pairs": 400, "first_window_pairs": 0, "prefetch": 0}
        settings = {"batch_tokens": 500, "seed": 3, "sampling_alpha": alpha} | windows | settings
        return BatchSource(mixture, subwords, subwords, augmentation=augmentation, **settings)

    return build


def assert_same(one, other):
    one, other = list(one), list(other)
    assert len(one) == len(other) > 0
    assert all(torch.equal(x, y) for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True))


def read(batches, subwords):
    """For each line of the text: the tags before its source, and its pair."""
    rows = {}
    for batch in batches:
        for line, source, target in zip(
            *(part.tolist() for part in (batch.lines, batch.source, batch.target)), strict=True
        ):
            tags = tuple(i - 4 for i in source if 4 <= i < 20)
            rows[line] = tags, Pair(subwords.decode(source), subwords.decode(target))
    return rows


@pytest.mark.parametrize("alpha", [0.0, 0.2], ids=["best", "sampled"])
def test_batches_are_functions_of_seed_epoch_and_number(make, subwords, alpha):
    source = make(ALL, alpha=alpha)
    assert_same(source.epoch(1), source.epoch(1))
    assert_same(source.epoch(1, start=5), islice(source.epoch(1), 5, None))
    first, second, other = (
        read(batches, subwords) for batches in (*map(source.epoch, (0, 1)), make(ALL, seed=4).epoch(0))
    )
    assert sorted(first) == sorted(second) == sorted(other) == list(range(600))
    assert first != second != other


def test_without_shares_all_is_as_without(make, corpus, subwords):
    plain = BatchSource(corpus, subwords, subwords, 500, 3, window_pairs=400, first_window_pairs=0, prefetch=0)
    assert_same(make({}).epoch(0), plain.epoch(0))
    settings = {"pairs": [None], "limits": Filters(), "subwords": (subwords, subwords)}
    assert augmentation_of(AugmentationConfig(), corpus, **settings) is None


def test_joined_pairs_keep_order_limits_folds_and_share(make, pairs, subwords):
    limits = Filters(max_source_tokens=70, max_target_tokens=75)
    rows = read(make({"concatenation": 0.5}, limits=limits).epoch(0), subwords)
    texts = {tuple(pair): line for line, pair in enumerate(pairs[:600])}
    joins, fitting = 0, 0
    for line, (tags, pair) in rows.items():
        assert tags == ()
        if pair == pairs[line]:
            continue
        joins += 1
        assert all(side.startswith(f"{own} ") for side, own in zip(pair, pairs[line], strict=True))
        other = texts[tuple(side[len(own) + 1 :] for side, own in zip(pair, pairs[line], strict=True))]
        assert other != line
        assert other % FOLDS == line % FOLDS
        fitting += all(len(subwords.encode(side)) <= most for side, most in zip(pair, (70, 75), strict=True))
    assert joins == fitting
    assert 150 < joins < 300
    free = read(make({"concatenation": 0.5}).epoch(0), subwords)
    assert 260 < sum(free[line][1] != pairs[line] for line in free) < 340


def test_a_change_that_exceeds_the_limits_is_left_out(make, pairs, subwords):
    most = 30
    rows = read(make({"split_words": 1.0}, limits=Filters(most, most)).epoch(0), subwords)
    free = read(make({"split_words": 1.0}).epoch(0), subwords)
    left = [line for line in rows if rows[line][1] == pairs[line] != free[line][1]]
    assert len(left) > 20
    for line, (_, pair) in rows.items():
        fits = all(len(subwords.encode(text)) <= most for text in free[line][1])
        assert pair == (free[line][1] if fits else pairs[line])


def test_a_pair_alone_in_its_fold_stays(pairs, subwords, make):
    alone = Mixture([Part(Encoder(subwords, subwords).encode(pairs[:3]))])
    rows = read(make({"concatenation": 1.0}, mixture=alone).epoch(0), subwords)
    assert {line: pair for line, (_, pair) in rows.items()} == dict(enumerate(pairs[:3]))


def test_pairs_with_the_same_mark_are_not_joined(subwords):
    pairs = [Pair(f"ka {MARKS[i // FOLDS % 2]}", f"to {MARKS[i // FOLDS % 2]}") for i in range(4 * FOLDS)]
    corpus = Mixture([Part(Encoder(subwords, subwords).encode(pairs))])
    chosen = corpus.choose(np.arange(len(pairs)), seed=1, epoch=0)
    augmentation = Augmentation(AugmentationConfig(concatenation=1.0), Filters(), subwords, subwords)
    changes = augmentation.changes(corpus, chosen, draw=random.Random(1).random, epochs=0.0)
    joins = [pair for pair in changes.pairs.values() if pair not in pairs]
    assert 10 < len(joins) < 30
    assert all(side.count(mark) == 1 for pair in joins for side in pair for mark in MARKS[:2])


def test_scripts_without_spaces_are_joined_without_one():
    assert joined(Pair("我爱。", "I do."), Pair("你好。", "Hello.")) == Pair("我爱。你好。", "I do. Hello.")
    assert joined(Pair("我 爱 。", "a"), Pair("你 好 。", "b")).source == "我 爱 。 你 好 。"


def test_tasks_have_their_tags_shares_and_targets(make, pairs, subwords):
    shares = {"reversed_words": 0.3, "replaced_words": 0.2, "monotone_words": 0.1, "upper": 1.0, "concatenation": 1.0}
    rows = read(make(shares).epoch(0), subwords)
    counts = Counter(tags for tags, _ in rows.values())
    assert counts.keys() == {(), *((tag,) for tag in TASK_TAGS.values())}
    assert [round(counts[(tag,)] / 600, 1) for tag in TASK_TAGS.values()] == [0.3, 0.2, 0.1]
    for line, (tags, pair) in rows.items():
        if tags == (14,):
            assert pair == Pair(pairs[line].source, " ".join(reversed(pairs[line].target.split(" "))))
        if tags == (12,):
            assert pair.source == pairs[line].source
            assert sorted(pair.target.split(" ")) == sorted(pairs[line].target.split(" "))


def test_modifiers_change_the_sides_that_they_say(make, pairs, subwords):
    for key in ("typos", "merged_words", "split_words"):
        rows = read(make({key: 1.0}).epoch(0), subwords)
        assert all(pair.target == pairs[line].target for line, (_, pair) in rows.items())
        assert sum(pair.source != pairs[line].source for line, (_, pair) in rows.items()) > 400
    # The subwords of this text spell no capitals and few signs.
    assert read(make({"upper": 1.0, "title": 1.0}).epoch(0), subwords) == read(make({}).epoch(0), subwords)
    rows = read(make({"noise": 1.0}).epoch(0), subwords)
    assert all(pair.source == pair.target != "" for _, pair in rows.values())


def test_both_sides_are_in_capitals_where_these_are_spelled(corpus, pairs, subwords, monkeypatch):
    monkeypatch.setattr(Augmentation, "_spelled", (None, None))
    for key, of in (("upper", str.upper), ("title", str.title)):
        augmentation = Augmentation(AugmentationConfig(**{key: 1.0}), Filters(), subwords, subwords)
        chosen = corpus.choose(np.arange(10), seed=1, epoch=0)
        changes = augmentation.changes(corpus, chosen, draw=random.Random(1).random, epochs=0.0)
        lines = corpus.lines(chosen).tolist()
        assert changes.pairs == {i: Pair(*map(of, pairs[line])) for i, line in enumerate(lines)}


def test_a_source_that_shows_no_capitals_has_a_target_without_them(subwords, monkeypatch):
    monkeypatch.setattr(Augmentation, "_spelled", (None, None))
    pairs = [Pair("我爱狗", "a dog"), Pair("OK", "all right"), Pair("Ein Hund", "a dog")]
    corpus = Mixture([Part(Encoder(subwords, subwords).encode(pairs))])
    chosen = corpus.choose(np.arange(3), seed=1, epoch=0)
    lines = corpus.lines(chosen).tolist()
    for key, expected in (("upper", Pair("EIN HUND", "A DOG")), ("title", pairs[2])):
        augmentation = Augmentation(AugmentationConfig(**{key: 1.0}), Filters(), subwords, subwords)
        changes = augmentation.changes(corpus, chosen, draw=random.Random(1).random, epochs=0.0)
        changed = {lines[i]: pair for i, pair in changes.pairs.items()}
        assert changed == {0: pairs[0], 1: pairs[1], 2: expected}


def test_modifiers_grow_with_the_epochs_and_windows(make, pairs, subwords):
    source = make({"typos": 1.0, "growth_epochs": 2.0}, window_pairs=100)
    changed = [
        [line for line, (_, pair) in read(source.epoch(epoch), subwords).items() if pair != pairs[line]]
        for epoch in range(4)
    ]
    shares = [len(lines) / 600 for lines in changed]
    assert shares[0] == pytest.approx(5 / 24, abs=0.07)  # windows from 0/6 to 5/6 of an epoch: a mean of 5/12, halved
    assert shares[1] == pytest.approx(0.5 + 5 / 24, abs=0.09)
    assert shares[2] == shares[3] > 0.9


def test_reversed_pairs_change_sides_for_some_epochs(corpus, pairs, subwords, make):
    config = AugmentationConfig(reversed_pairs=0.5, reversed_epochs=1.5)
    mixture = Mixture(with_reversed(config, corpus.parts, subwords), digest="")
    assert [mixture.pairs(epoch) for epoch in range(4)] == [900, 750, 600, 600]
    assert len(mixture) == 600
    rows = [batch for epoch in range(4) for batch in make({}, mixture=mixture).epoch(epoch)]
    counts = Counter()
    for batch in rows:
        for line, source, target in zip(
            *(part.tolist() for part in (batch.lines, batch.source, batch.target)), strict=True
        ):
            is_reversed = source[0] == 4 + REVERSED_TAG
            sides = [subwords.decode(ids) for ids in (source, target)]
            assert Pair(*sides[::-1] if is_reversed else sides) == pairs[line]
            counts[is_reversed] += 1
    assert counts == {False: 2400, True: 450}


def test_reversed_pairs_are_no_auxiliary_tasks(corpus, subwords, make):
    mixture = Mixture(with_reversed(AugmentationConfig(reversed_pairs=1.0), corpus.parts, subwords))
    rows = list(make({"reversed_words": 1.0}, mixture=mixture).epoch(0))
    assert {tuple(i for i in source if 4 <= i < 20) for batch in rows for source in batch.source.tolist()} == {
        (18,),
        (19,),
    }
