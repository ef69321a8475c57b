"""Strict F1 against cases worked out by hand, and against a count of our own on random labels."""

import random

import pytest

from nmt.errors import CorpusError
from nmt.evaluation.counts import Counts, overall
from nmt.evaluation.labelling import entity_counts, label_scores, table


def test_an_entity_is_right_where_span_and_type_are():
    references = ["O B-LOC I-LOC O B-PER", "B-PER I-PER", "B-ORG O"]
    outputs = ["O B-LOC I-LOC O B-ORG", "B-PER O", "B-ORG O"]
    # Right: LOC 1–2, ORG 0. Predicted: LOC, ORG, PER, ORG. Reference: LOC, PER, PER, ORG.
    counts = entity_counts(outputs, references)
    assert counts == {"LOC": Counts(1, 1, 1), "ORG": Counts(1, 2, 1), "PER": Counts(0, 1, 2)}
    assert overall(counts) == Counts(2, 4, 4)
    f1, accuracy = label_scores(outputs, references, is_bio=True)
    assert (f1.name, f1.value) == ("F1", 50.0)
    assert f1.signature.startswith("match:span+type|average:micro|nervaluate:1.")
    assert (accuracy.name, accuracy.value) == ("accuracy", pytest.approx(100 * 7 / 9))
    assert table(counts).splitlines()[1].split() == ["LOC", "100.00", "100.00", "100.00", "1"]
    assert table(counts).splitlines()[-1].split() == ["all", "50.00", "50.00", "50.00", "4"]


def entities(labels):
    """Spans of valid BIO labels."""
    found = []
    for i, label in enumerate(labels):
        if label[0] == "B":
            found.append([i, i, label[2:]])
        elif label[0] == "I":
            found[-1][1] = i
    return set(map(tuple, found))


def test_counts_are_those_of_all_spans_on_random_labels():
    draw = random.Random(1)

    def labels(count):
        line = ["O"]
        for _ in range(count):
            inside = [f"I-{line[-1][2:]}"] * 3 if line[-1] != "O" else []
            line.append(draw.choice(["O", "B-X", "B-Y", *inside]))
        return line[1:]

    for _ in range(100):
        ours = labels(8)
        theirs = labels(8)
        found, wanted = entities(ours), entities(theirs)
        counts = entity_counts([" ".join(ours)], [" ".join(theirs)])
        assert overall(counts) == Counts(len(found & wanted), len(found), len(wanted))


def test_nothing_right_is_nothing():
    assert label_scores(["O O"], ["O O"], is_bio=True)[0].value == 0.0
    assert entity_counts(["O"], ["O"]) == {}
    assert Counts(0, 0, 3).precision == 0.0


def test_other_labels_have_accuracy_only():
    [score] = label_scores(["NOUN VERB", "", "X"], ["NOUN NOUN", "", "X"], is_bio=False)
    assert (score.name, score.value) == ("accuracy", pytest.approx(200 / 3))


def test_lines_that_do_not_align_are_refused():
    with pytest.raises(CorpusError, match="1 lines of labels cannot be scored against 2"):
        label_scores(["O"], ["O", "O"], is_bio=False)
    with pytest.raises(CorpusError, match="line 1 has 1 labels, and its reference has 2"):
        label_scores(["O"], ["O O"], is_bio=False)
    with pytest.raises(CorpusError, match="the references have no labels"):
        label_scores([""], [""], is_bio=False)
