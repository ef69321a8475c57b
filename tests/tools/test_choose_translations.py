"""Of an n-best list the translation of the highest expected similarity is chosen, as computed by hand."""

import json
import math
import subprocess
import sys
from functools import partial

import pytest

from nmt.bundle.weights import save_bundle
from nmt.evaluation.metrics import chrf, sentence_chrf


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("choose_translations")


@pytest.fixture
def candidates(tool):
    """Alike: b and c; the model prefers a, which is like nothing else."""
    return [
        tool.Candidate("a", math.log(0.4)),
        tool.Candidate("b", math.log(0.35)),
        tool.Candidate("c", math.log(0.25)),
    ]


def similarity(one, other):
    """1 for the same, 0.5 for b against c, 0.7 for c against b; nothing is like a."""
    return 1.0 if one == other else {"bc": 0.5, "cb": 0.7}.get(one + other, 0.0)


@pytest.mark.parametrize(
    ("sharpness", "expected"),
    [
        (0, "c"),  # 1, 1.5 and 1.7
        (1, "c"),  # 0.4, 0.35 + 0.5 · 0.25 = 0.475 and 0.25 + 0.7 · 0.35 = 0.495
        (3, "a"),  # 0.064, 0.0429 + 0.5 · 0.0156 = 0.0507 and 0.0156 + 0.7 · 0.0429 = 0.0456
        (2, "a"),  # 0.16, 0.1225 + 0.5 · 0.0625 = 0.1538 and 0.0625 + 0.7 · 0.1225 = 0.1483
    ],
)
def test_the_highest_expected_similarity_wins(tool, candidates, sharpness, expected):
    assert tool.agreed(candidates, similarity=similarity, sharpness=sharpness) == expected


def test_translations_that_read_alike_count_as_one(tool):
    twice = [tool.Candidate("a", math.log(0.3)), tool.Candidate("b", math.log(0.2)), tool.Candidate("b", math.log(0.2))]
    alone = tool.agreed(twice[:2], similarity=lambda one, other: float(one == other), sharpness=1)
    assert (alone, tool.agreed(twice, similarity=lambda one, other: float(one == other), sharpness=1)) == ("a", "b")


def test_improbable_lists_do_not_underflow(tool):
    lists = [tool.Candidate("x", -2000.0), tool.Candidate("y", -1999.0)]
    assert tool.agreed(lists, similarity=lambda one, other: float(one == other), sharpness=1) == "y"


def test_sentence_chrf_is_chrf_of_one_sentence():
    assert sentence_chrf("a cat sleeps", "the cat sleeps") == chrf(["a cat sleeps"], ["the cat sleeps"]).value


def line(*hypotheses):
    """A line as nmt-translate --format jsonl writes it: (text, log_prob, finished) each."""
    found = [{"text": text, "score": 0.0, "log_prob": lp, "finished": finished} for text, lp, finished in hypotheses]
    return json.dumps({"line": 1, **found[0], "hypotheses": found})


def filtered(words, text):
    done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def command(tool):
    return partial(filtered, [sys.executable, tool.__file__])


LISTS = [
    line(("a dog runs", -1.0, True), ("the cat sleeps", -1.2, True), ("the cat sleep", -1.3, True)),
    line(("cut off", -0.1, False), ("whole", -9.0, True)),
    line(("cut off", -0.1, False)),
    json.dumps({"line": 4, "text": "", "score": 0.0, "log_prob": 0.0, "finished": True}),
]
TEXT = "".join(f"{each}\n" for each in LISTS)


def test_a_filter_of_lists(command):
    assert command(TEXT) == (0, "the cat sleeps\nwhole\ncut off\n\n", "")
    assert command("") == (0, "", "")


def test_behind_nmt_translate(make_bundle, command, tmp_path):
    save_bundle(make_bundle(), tmp_path / "model")
    words = [tmp_path / "model", "--beam-size", 4, "--n-best", 4, "--threads", 1, "--quiet"]
    translate = [sys.executable, "-m", "nmt.cli.translate", *map(str, words)]
    code, lists, _ = filtered([*translate, "--format", "jsonl"], "the old river\n\na small house\n")
    assert code == 0
    hypotheses = [{each["text"] for each in json.loads(found)["hypotheses"]} for found in lists.splitlines()]
    assert max(map(len, hypotheses)) > 1
    code, out, err = command(lists)
    assert (code, err) == (0, "")
    assert all(text in found for text, found in zip(out.split("\n")[:-1], hypotheses, strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        "a line of text",
        "[1]",
        '{"text": "x"}',
        line(("x", math.nan, True)),
        '{"hypotheses": []}',
        '{"hypotheses": [{"text": "x", "finished": true, "log_prob": null}]}',
    ],
)
def test_what_is_no_list_is_told_with_its_line(command, wrong):
    code, out, err = command(f"{LISTS[0]}\n{wrong}\n")
    assert (code, out) == (2, "the cat sleeps\n")
    assert err == (
        "choose_translations.py: error: standard input, line 2: this is no list of translations; "
        "pipe nmt-translate --n-best 10 --format jsonl into it\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sharpness", "-1"], "--sharpness -1 is not possible: it must be 0 or more"),
        (["--sharpness", "nan"], "--sharpness nan is not possible: it must be 0 or more"),
    ],
)
def test_wrong_use_is_one_line(tool, capsys, words, message):
    assert tool.main(words) == 2
    assert capsys.readouterr() == ("", f"choose_translations.py: error: {message}\n")


def test_a_closed_standard_input_is_told(tool, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", None)
    assert tool.main([]) == 2
    message = "standard input is closed: pipe nmt-translate --n-best 10 --format jsonl into choose_translations.py"
    assert capsys.readouterr() == ("", f"choose_translations.py: error: {message}\n")
