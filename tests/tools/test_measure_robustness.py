"""tools/measure_robustness.py: how it changes a text, and what it prints."""

import re

import pytest

from nmt.bundle.weights import save_bundle
from nmt.corpus.reader import Pair

PAIRS = [
    Pair("the old river's end", "das Ende straße"),
    Pair("a small red house, 3rd", "ein Haus"),
    Pair("it stands near", "es steht"),
]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("measure_robustness")


def test_both_sides_change_their_letter_case_together(tool):
    forms = tool.forms(PAIRS, seed=1)
    assert list(forms) == ["as it is", "in capitals", "in title case", "with typing errors", "two joined"]
    assert forms["as it is"] == PAIRS
    assert forms["in capitals"][:2] == [
        Pair("THE OLD RIVER'S END", "DAS ENDE STRASSE"),
        Pair("A SMALL RED HOUSE, 3RD", "EIN HAUS"),
    ]
    assert forms["in title case"][0] == Pair("The Old River's End", "Das Ende Straße")
    assert [pair.target for pair in forms["with typing errors"]] == [pair.target for pair in PAIRS]


def test_a_text_without_capitals_has_no_such_forms(tool):
    forms = tool.forms([Pair("老河", "old river"), Pair("红房子", "red house")], seed=1)
    assert list(forms) == ["as it is", "with typing errors", "two joined"]
    assert forms["two joined"] == [Pair("老河红房子", "old river red house")]


def test_two_pairs_are_one_line_and_none_is_lost(tool):
    joined = tool.forms(PAIRS, seed=1)["two joined"]
    assert joined == [
        Pair("the old river's end a small red house, 3rd", "das Ende straße ein Haus"),
        Pair("it stands near", "es steht"),
    ]


@pytest.mark.parametrize("length", [1, 7, 40])
def test_one_word_of_ten_has_a_typing_error_wherever_lines_end(tool, length):
    words = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}oo" for i in range(200)]
    lines = [" ".join(words[i : i + length]) + " a 17 of." for i in range(0, 200, length)]
    changed = tool.with_typos(lines, seed=3)
    assert all(line.endswith(" a 17 of.") for line in changed)
    after = " ".join(line.removesuffix(" a 17 of.") for line in changed).split(" ")
    wrong = [i for i, (one, other) in enumerate(zip(words, after, strict=True)) if one != other]
    assert [i // 10 for i in wrong] == list(range(20))
    assert len({i % 10 for i in wrong}) > 3
    assert tool.with_typos(lines, seed=3) == changed != tool.with_typos(lines, seed=4)


def test_a_word_that_an_error_may_leave_alone_is_tried_again(tool):
    for seed in range(20):
        (line,) = tool.with_typos(["eee " * 10], seed=seed)
        assert sum(word != "eee" for word in line.split()) == 1


def test_a_bundle_has_a_row_for_each_form(tool, make_bundle, tmp_path, capsys):
    save_bundle(make_bundle(), tmp_path / "bundle")
    for side, lines in zip(("en", "zh"), zip(*PAIRS, strict=True), strict=True):
        (tmp_path / f"test.{side}").write_text("".join(f"{line}\n" for line in [*lines, ""]), encoding="utf-8")
    words = [str(tmp_path / "bundle"), str(tmp_path / "test"), "--threads", "1"]
    assert tool.main(words) == 0
    head, _, *rows, empty, bleu, chrf = capsys.readouterr().out.splitlines()
    assert (head, empty) == ("| text | lines | BLEU | chrF2 |", "")
    assert [row.split(" | ")[:2] for row in rows] == [
        ["| as it is", "3"],
        ["| in capitals", "3"],
        ["| in title case", "3"],
        ["| with typing errors", "3"],
        ["| two joined", "2"],
    ]
    assert all(re.search(r"\| \d+\.\d\d \| \d+\.\d\d \|$", row) for row in rows)
    assert re.match(r"BLEU: nrefs:1\|case:mixed\|.*tok:zh\|", bleu)
    assert chrf.startswith("chrF2: nrefs:1|case:mixed|")
    assert tool.main([*words, "--split-sentences"]) == 0
    assert capsys.readouterr().out.splitlines()[-4].startswith("| two joined | 2 | ")
    assert tool.main([*words, "--lines", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| as it is | 1 | ")


def test_wrong_use_is_one_line(tool, make_bundle, tmp_path, capsys):
    save_bundle(make_bundle(), tmp_path / "bundle")
    for side in ("en", "zh"):
        (tmp_path / f"blank.{side}").write_text(" \n")
    blank = str(tmp_path / "blank")
    for words, message in (
        ([blank, "--lines", "0"], "--lines 0 is not possible: it must be 1 or more"),
        ([str(tmp_path / "none")], "PREFIX="),
        ([blank], f"{blank} has no pair with text on both sides; name another test text"),
    ):
        assert tool.main([str(tmp_path / "bundle"), *words]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"measure_robustness.py: error: {message}")
