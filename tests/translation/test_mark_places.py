"""Where the marks of protected spans go that a translation lacks."""

import dataclasses

import numpy as np
import pytest

from nmt.text.subwords import MARKS
from nmt.translation.protection import Decoded, ProtectedLine, with_marks
from nmt.translation.request import TextHypothesis

A, B = MARKS[:2]


def placed(marked, target, weights, *, known=0, alignment=None):
    """Where marks go: source and target are words of one token, weights (T, S)."""
    line = ProtectedLine(marked, ("x",) * sum(mark in marked for mark in MARKS), known)
    surfaces, words = [f"▁{word}" for word in line.given.split()], target.split()
    ends = [len(" ".join(words[: i + 1])) for i in range(len(words))]
    hypothesis = TextHypothesis(target, 0.0, 0.0, True, [*range(len(words))], alignment)
    found = with_marks(hypothesis, line, Decoded(ends, surfaces, None if weights is None else np.array(weights)))
    assert dataclasses.replace(found, text=target, alignment=alignment) == hypothesis
    return found if alignment is not None else found.text


# The source has two words and an end; the target has them in the other order, behind a word of its own.
CROSSED = [[0.1, 0.1, 0.8], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (f"{A} one two", f"{A} so zwei eins"),
        (f"one two {A}", f"so zwei eins {A}"),
        (f"{A}one two", f"{A} so zwei eins"),
        (f"one {A} two", f"so {A} zwei eins"),  # behind "so" the token attends to "two"
        (f"one two{A}", f"so zwei eins{A}"),
        (f"{A} one two {B}", f"{A} so zwei eins {B}"),
        (f"{A} {B} one two", f"{A} {B} so zwei eins"),
        (f"one two {A}{B}", f"so zwei eins {A}{B}"),
    ],
)
def test_a_mark_goes_where_its_neighbours_went(marked, expected):
    assert placed(marked, "so zwei eins", CROSSED) == expected


def test_a_mark_between_neighbours_that_stay_neighbours_stays_between_them():
    weights = [[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]]
    assert placed(f"one {A} two three", "eins zwei drei", weights) == f"eins {A} zwei drei"
    assert placed(f"one two {A} three", "eins zwei drei", weights) == f"eins zwei {A} drei"
    assert placed(f"one {A} two {B} three", "eins zwei drei", weights) == f"eins {A} zwei {B} drei"


def test_marks_that_the_model_knows_are_source_positions_too():
    weights = [[0.8, 0.1, 0.1, 0.0], [0.1, 0.1, 0.8, 0.0]]
    assert placed(f"one {A} two", "eins zwei", weights, known=1) == f"eins {A} zwei"


def test_no_mark_breaks_a_term():
    line = ProtectedLine(f"one {A} two", ("x",))
    hypothesis = TextHypothesis("so zwei eins", 0.0, 0.0, True, [1, 2, 3])
    decoded = Decoded([2, 7, 12], ["▁one", "▁two"], np.array(CROSSED))
    assert with_marks(hypothesis, line, decoded).text == f"so {A} zwei eins"
    for terms in (["so zwei"], ["gar", "so zwei eins"]):
        found = with_marks(hypothesis, line, decoded._replace(terms=terms)).text
        assert terms[-1] in found
        assert A in found


def test_no_mark_breaks_a_word():
    line = ProtectedLine(f"ab {A} c", ("x",))
    hypothesis = TextHypothesis("wort ende", 0.0, 0.0, True, [1, 2, 3])
    # Its first word is two tokens, and attention puts the mark between these.
    decoded = Decoded([2, 4, 9], ["▁ab", "▁c"], np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0, 0, 1]]))
    assert with_marks(hypothesis, line, decoded).text in {f"wort {A} ende", f"{A} wort ende"}


def test_without_attention_a_mark_keeps_its_share_of_the_line():
    assert placed(f"one two {A} three four", "eins zwei drei vier", None) == f"eins zwei {A} drei vier"


def test_behind_a_source_that_was_cut_a_mark_goes_to_the_end():
    assert placed(f"one two three {A} four", "eins zwei", [[0.9, 0.1], [0.1, 0.9]]) == f"eins zwei {A}"


def test_alignments_count_the_words_of_the_line_and_of_its_translation():
    found = placed(f"{A} one {B} two", "zwei eins", [[0, 0.9, 0.1], [0.9, 0.0, 0.1]], alignment=[(1, 0), (0, 1)])
    words = found.text.split()
    assert {(source, words[target]) for source, target in found.alignment} == {
        (0, A),
        (1, "eins"),
        (2, B),
        (3, "zwei"),
    }
    glued = placed(f"one{A} two", "eins zwei", [[0.9, 0.1, 0], [0, 0.9, 0.1]], alignment=[(0, 0), (1, 1)])
    assert glued.text == f"eins{A} zwei"
    assert glued.alignment == [(0, 0), (1, 1)]
