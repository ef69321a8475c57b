"""The lexicon that training begins with: what it holds, and that it stays as it is."""

from itertools import cycle

import numpy as np
import pytest
import torch

from nmt.corpus.mixture import Mixture, Part
from nmt.text.alignment import learn_table
from nmt.training import lexicon as module
from nmt.training.lexicon import Folds, Sampling, learn_translations

EOS = 3


class Side:
    def __init__(self, rows):
        self._rows = rows

    def row(self, index):
        return np.array(self._rows[index], dtype=np.uint16)

    def line(self, index):
        return " ".join(map(str, self._rows[index]))


class OtherWays:
    """Subwords that are sampled as other ones, 10 above the best."""

    @staticmethod
    def sample_batch(texts, *, alpha, seed):
        return [[int(word) + 10 for word in text.split()] for text in texts]


class Corpus:
    def __init__(self, sources, targets):
        self.source, self.target, self._length = Side(sources), Side(targets), len(sources)
        self.lines = np.arange(len(sources))

    def __len__(self):
        return self._length


def learn_all(*parts, size=3, **sampling):
    return learn_translations(Mixture(parts), source_vocabulary=40, target_vocabulary=40, size=size, **sampling)


def as_dicts(translations):
    return [
        {t: p for t, p in zip(*row, strict=True) if p}
        for row in zip(*(part.tolist() for part in translations), strict=True)
    ]


def learn(*parts, size=3, **sampling):
    return as_dicts(learn_all(*parts, size=size, **sampling)[0])


# A language in which word i means i + 20; 10 is too rare to say what it means.
SOURCES = [[4 + i % 5, 4 + i // 5 % 5] for i in range(200)]
TARGETS = [[20 + word for word in row] for row in SOURCES]
# One in which it means one of four words.
AMBIGUOUS = [[20 + (word + choice) % 12 for word in row] for row, choice in zip(SOURCES, cycle(range(4)))]


def test_words_get_their_likely_translations_and_what_is_rare_is_discounted():
    found = learn(Part(Corpus([*SOURCES, [10, 4]], [*TARGETS, [39, 24]])))
    for word in range(4, 9):
        assert max(found[word], key=found[word].get) == 20 + word
        assert found[word][20 + word] > 0.9
    assert max(found[EOS], key=found[EOS].get) == EOS
    # Of its one occurrence half is left: what is aligned with it but a little is gone.
    assert set(found[10]) == {39}
    assert 0.3 < found[10][39] <= 0.5
    assert found[11] == {}


def test_probabilities_are_those_of_the_alignment_less_half_an_occurrence():
    rows = [[[*row, EOS] for row in side] for side in (SOURCES, AMBIGUOUS)]
    table = learn_table(*rows, target_vocabulary=40)
    found = learn(Part(Corpus(SOURCES, AMBIGUOUS)), size=40)
    totals = np.bincount(table.sources, table.counts)
    seen = 0
    for source, target, count in zip(table.sources, table.targets, table.counts, strict=True):
        expected = max(count - 0.5, 0) / totals[source]
        assert found[source].get(target, 0.0) == pytest.approx(expected, abs=1e-6)
        seen += expected > 0
    assert seen > 20


def test_the_most_likely_ones_are_kept():
    whole, some = (learn(Part(Corpus(SOURCES, AMBIGUOUS)), size=size) for size in (40, 2))
    assert any(len(row) > 2 for row in whole)
    for row, kept in zip(whole, some, strict=True):
        assert kept == dict(sorted(row.items(), key=lambda item: (-item[1], item[0]))[:2])


def test_all_texts_count_with_their_tags():
    half = len(SOURCES) // 2
    one = learn(Part(Corpus(SOURCES, TARGETS)))
    parts = [Part(Corpus(SOURCES[:half], TARGETS[:half])), Part(Corpus(SOURCES[half:], TARGETS[half:]), 2.0)]
    assert learn(*parts) == one
    tagged = learn(parts[0], Part(Corpus(SOURCES[half:], TARGETS[half:]), 2.0, prefix=(12,)))
    assert tagged[12]
    assert not one[12]


def test_what_one_pair_alone_says_is_not_offered_to_it():
    corpus = Corpus([*SOURCES, [10, 4]], [*TARGETS, [39, 24]])
    whole, others = learn_all(Part(corpus))
    own = (len(corpus) - 1) % len(others)
    found = [as_dicts(fold) for fold in others]
    assert [fold[10] == {} for fold in found] == [number == own for number in range(10)]
    for fold in found:
        assert fold[10] in ({}, as_dicts(whole)[10])
        # of common words the others say about the same
        assert fold[4][24] == pytest.approx(as_dicts(whole)[4][24], abs=0.05)
        assert fold[4][24] != as_dicts(whole)[4][24]


def test_what_stands_in_the_same_line_of_two_texts_is_not_offered_to_either():
    first, second = (Corpus([*SOURCES, [10, 4]], [*TARGETS, [other, 24]]) for other in (39, 38))
    second.lines += 1
    second.lines[-1] = first.lines[-1]
    whole, others = learn_all(Part(first), Part(second))
    assert set(as_dicts(whole)[10]) == {38, 39}
    own = int(first.lines[-1]) % len(others)
    assert [as_dicts(fold)[10] == {} for fold in others] == [number == own for number in range(10)]


def test_subwords_of_sampled_segmentations_have_translations_too():
    corpus = Corpus([*SOURCES, [9, 4]], [*TARGETS, [29, 24]])
    sampling = Sampling(OtherWays(), alpha=0.1, seed=1)
    plain, source, target, both = (
        learn(Part(corpus, prefix=(30,)), size=40, **{f"{side}_sampling": sampling for side in sides})
        for sides in ((), ("source",), ("target",), ("source", "target"))
    )
    assert plain[14] == {}
    assert plain[30]
    # Of each pair one segmentation is the best and two are sampled.
    for word in range(4, 9):
        assert source[word][word + 20] == pytest.approx(plain[word][word + 20], abs=0.02)
        assert source[word + 10][word + 20] > 0.8
        assert target[word][word + 20] == pytest.approx(1 / 3, abs=0.05)
        assert target[word][word + 30] == pytest.approx(2 / 3, abs=0.05)
        assert both[word][word + 20] > 0.8
        assert both[word + 10][word + 30] > 0.8
    # What occurs in one pair alone is not offered to it in any of these ways.
    _, others = learn_all(Part(corpus), source_sampling=sampling, target_sampling=sampling)
    own = (len(corpus) - 1) % 10
    for word in (9, 19):
        assert [as_dicts(fold)[word] == {} for fold in others] == [number == own for number in range(10)]


def test_folds_are_restored_as_they_were():
    folds = Folds.of(learn_all(Part(Corpus(SOURCES, AMBIGUOUS)))[1], epsilon=0.5)
    again = Folds.restored(folds.tensors(), epsilon=0.5)
    assert torch.equal(again.targets, folds.targets)
    assert torch.equal(again.probabilities, folds.probabilities)
    assert Folds.restored({}, epsilon=0.5) is None


def test_of_a_large_text_a_sample_is_aligned_and_that_is_told(monkeypatch, caplog):
    corpus = Corpus([[i % 30 + 4] for i in range(200)], [[i % 30 + 4] for i in range(200)])
    learn_all(Part(corpus))
    assert caplog.text == ""
    monkeypatch.setattr(module, "_MAX_CELLS", 100)  # six a pair, eos counted
    with caplog.at_level("INFO", logger="nmt"):
        learn_all(Part(corpus))
    assert "the lexicon is of a sample of the training text: 16 of 200 pairs" in caplog.text


def test_copies_are_translations_of_their_own_spelling():
    likely = torch.tensor([[0.0, 0.0], [0.6, 0.3], [0.6, 0.1], [0.2, 0.1]])
    translations = module.Translations(torch.tensor([[0, 0], [5, 1], [2, 7], [6, 3]], dtype=torch.int32), likely)
    module.add_copies(translations, torch.tensor([0, 1, 2]), torch.tensor([9, 8, 2]), probability=0.4)
    assert as_dicts(translations) == [
        pytest.approx({9: 0.4}),  # it had none
        pytest.approx({5: 0.6, 8: 0.4}),  # instead of the least likely one
        pytest.approx({2: 0.6, 7: 0.1}),  # it was there, and more likely
        pytest.approx({6: 0.2, 3: 0.1}),
    ]
