"""Macro F1 and accuracy against cases worked out by hand, and against scikit-learn where it is there."""

import random

import pytest

from nmt.errors import CorpusError
from nmt.evaluation.classification import class_counts, class_scores, confusion, confusion_table
from nmt.evaluation.counts import Counts, counts_table

REFERENCES = ["a", "a", "a", "b", "b", "c"]
OUTPUTS = ["a", "a", "b", "b", "d", "a"]


def test_counts_by_hand():
    # a: 2 right of 3 written, 3 there. b: 1 of 2, 2 there. c: 0 of 0, 1 there. d: 0 of 1, none there.
    counts = class_counts(OUTPUTS, REFERENCES)
    assert counts == {"a": Counts(2, 3, 3), "b": Counts(1, 2, 2), "c": Counts(0, 0, 1), "d": Counts(0, 1, 0)}
    assert [each.f1 for each in counts.values()] == pytest.approx([200 / 3, 50, 0, 0])
    assert (counts["a"].precision, counts["a"].recall) == (pytest.approx(200 / 3), pytest.approx(200 / 3))
    assert (counts["c"].precision, counts["d"].recall) == (0, 0)


def test_macro_f1_is_the_mean_of_the_labels_and_accuracy_of_the_lines():
    macro_f1, accuracy = class_scores(OUTPUTS, REFERENCES)
    assert (macro_f1.name, macro_f1.value) == ("macro F1", pytest.approx((200 / 3 + 50) / 4))
    assert (accuracy.name, accuracy.value) == ("accuracy", pytest.approx(50))
    assert (macro_f1.signature, accuracy.signature) == ("average:macro|labels:of outputs and references", "of:lines")
    assert [score.value for score in class_scores(["x", "y"], ["x", "y"])] == [100, 100]
    assert [score.value for score in class_scores(["x"], ["y"])] == [0, 0]


def test_scores_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(1)
    for _ in range(50):
        outputs, references = (draw.choices("abcde", weights=[9, 5, 3, 1, 1], k=12) for _ in range(2))
        macro_f1, accuracy = class_scores(outputs, references)
        theirs = metrics.f1_score(references, outputs, average="macro", zero_division=0)
        assert macro_f1.value == pytest.approx(100 * theirs)
        assert accuracy.value == pytest.approx(100 * metrics.accuracy_score(references, outputs))


def test_tables():
    lines = counts_table(class_counts(OUTPUTS, REFERENCES), head="label", counted="lines").splitlines()
    assert lines[0].split() == ["label", "precision", "recall", "F1", "lines"]
    assert lines[2].split() == ["b", "50.00", "50.00", "50.00", "2"]
    rows = [line.split() for line in confusion_table(confusion(OUTPUTS, REFERENCES)).splitlines()]
    assert rows == [
        ["reference", "\\", "output", "a", "b", "c", "d"],
        ["a", "2", "1", "·", "·"],
        ["b", "·", "1", "·", "1"],
        ["c", "1", "·", "·", "·"],
        ["d", "·", "·", "·", "·"],
    ]


def test_of_many_labels_the_most_frequent_mistakes_are_listed():
    labels = [f"label {i}" for i in range(20)]
    outputs, references = [*labels, "label 1", "label 1", "label 2"], [*labels, "label 0", "label 0", "label 0"]
    lines = confusion_table(confusion(outputs, references)).splitlines()
    assert [line.split() for line in lines[1:]] == [["label", "0", "label", n, c] for n, c in (("1", "2"), ("2", "1"))]


def test_it_is_said_how_many_mistakes_are_not_listed():
    # Mistake i of 23 is made 23 - i times, so that the last three, which are not listed, are 3 + 2 + 1 lines.
    mistakes = [(f"is {i:02}", f"was {i:02}") for i in range(23) for _ in range(23 - i)]
    for count, last in (
        (23, "and 3 more pairs of labels, in 6 lines"),
        (21, "and 1 more pair of labels, in 3 lines"),
        (20, "is 19 was 19 4"),
    ):
        kept = [pair for pair in mistakes if int(pair[0][3:]) < count]
        references, outputs = zip(*kept, strict=True)
        lines = confusion_table(confusion(outputs, references)).splitlines()
        assert lines[20].split() == ["is", "19", "was", "19", "4"]
        assert lines[-1].split() == last.split()


def test_labels_that_do_not_align_are_refused():
    with pytest.raises(CorpusError, match="1 labels cannot be scored against 2 of the reference"):
        class_scores(["a"], ["a", "b"])
    with pytest.raises(CorpusError, match="there is nothing to score: the references have no labels"):
        class_scores([], [])
