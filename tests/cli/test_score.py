"""nmt score: a line for each pair, and an answer to whatever does not fit together."""

import json
from pathlib import Path

import pytest

import nmt
from nmt.bundle.weights import load_bundle
from nmt.cli.score import main
from nmt.translation.scorer import Scorer

DOCS = Path(nmt.__file__).parent.parent / "docs"
HOSTILE = ["", "  ", "a\0b", "The \u2028 river.", "漢字 🙂", "Many green trees. " * 60, "x\r"]


@pytest.fixture
def score(translate_here):
    return lambda *words, text=b"": translate_here(*words, text=text, main=main)


@pytest.fixture
def files(tmp_path, make_sentences):
    """Twenty lines of a source and of a target, hostile ones among them."""
    sides = [make_sentences(13, seed=1) + HOSTILE, HOSTILE[::-1] + make_sentences(13, seed=2)]
    paths = [tmp_path / "in.en", tmp_path / "out.de"]
    for path, lines in zip(paths, sides, strict=True):
        path.write_bytes("\n".join(lines).encode())
    return sides, paths


def test_each_pair_has_a_line(score, translate_here, bundle_path, files):
    (sources, targets), (source, target) = files
    texts = [[line.removesuffix("\r") for line in side] for side in (sources, targets)]
    expected = Scorer(load_bundle(bundle_path), alignments=True).score(zip(*texts, strict=True))
    for words in ((), ("--precision", "fp32", "--batch-size", 3)):
        found = score(bundle_path, "--source", source, "--target", target, "--alignments", *words)
        assert found.code == 0
        rows = [line.split("\t") for line in found.lines[:-1]]
        for (log_prob, value, alignment), one in zip(rows, expected, strict=True):
            assert float(log_prob) == pytest.approx(one.log_prob, abs=1e-4)
            assert float(value) == pytest.approx(one.score, abs=1e-4)
            assert alignment == " ".join(f"{i}-{j}" for i, j in one.alignment)
    warnings = found.err.splitlines()
    assert any("subwords were cut to max_source_tokens=50" in line for line in warnings)
    assert warnings[-1] == (
        "nmt score: warning: 2 lines have characters that the model's vocabulary lacks, the first is line 1 ('x'); "
        "they are scored as the unknown symbol"
    )
    here = score(bundle_path, "--source", "-", "--target", target, "--quiet", text=source.read_bytes())
    there = score(bundle_path, "--source", source, "--target", "-", "--quiet", text=target.read_bytes())
    assert (here.out, here.err) == (there.out, there.err)
    assert here.err == ""
    objects = score(bundle_path, "--source", source, "--target", target, "--format", "jsonl").lines[:-1]
    schema = json.loads((DOCS / "schemas" / "score-output.json").read_text(encoding="utf-8"))
    for number, (line, row, one) in enumerate(zip(objects, here.lines, expected, strict=False), 1):
        assert {*schema["required"]} <= json.loads(line).keys() <= schema["properties"].keys()
        log_prob, value = map(float, row.split("\t"))
        assert json.loads(line) == {"line": number, "log_prob": log_prob, "score": value, "tokens": one.target_tokens}


def test_translations_have_the_scores_that_the_search_gave_them(score, translate_here, bundle_path, make_sentences):
    lines = make_sentences(12)
    words = ("--max-length-ratio", 4, "--normalization", "gnmt", "--tag", 2)
    found = translate_here(bundle_path, *words, "--format", "jsonl", text="\n".join(lines))
    rows = [json.loads(line) for line in found.lines[:-1]]
    pairs = "".join(f"{line}\t{row['text']}\n" for line, row in zip(lines, rows, strict=True))
    scored = score(bundle_path, "--source", "-", *words[2:], text=pairs).lines[:-1]
    # Where the target's best subwords are those of the search; none is much better than that.
    same = [abs(float(line.split("\t")[1]) - row["score"]) < 1e-4 for line, row in zip(scored, rows, strict=True)]
    assert any(same)


@pytest.mark.parametrize("columns", [True, False])
def test_a_line_that_does_not_fit_is_told_after_all_before_it(score, bundle_path, tmp_path, columns):
    source, target = tmp_path / "pairs.tsv", tmp_path / "out.de"
    if columns:
        for line, told in (("ab", "no tab"), ("a\tb\tc", "2 tabs"), ("", "no tab")):
            source.write_text(f"a\tb\nthe\t\n{line}\na\tb\n")
            found = score(bundle_path, "--source", source)
            message = f"line 3 of {source} has {told}: it must be a source, a tab and its translation"
            assert (found.code, found.err) == (2, f"nmt score: error: {message}\n")
            assert found.out.count(b"\n") == 2
        return
    for lines, told in ((2, f"{target} has 2 and {source} has more"), (4, f"{source} has 3 and {target} has more")):
        source.write_text("a\nb\nc\n")
        target.write_text("the\n" * lines)
        found = score(bundle_path, "--source", source, "--target", target)
        message = f"{source} and {target} have different numbers of lines: {told}"
        assert (found.code, found.err) == (2, f"nmt score: error: {message}\n")
        assert found.out.count(b"\n") == min(3, lines)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--source", "-", "--target", "-"),
            "--source - and --target - cannot both be standard input: name a file for one of them",
        ),
        (("--source", "a"), "--target is missing: name the translations of a, or a .tsv file with both"),
        (
            ("--source", "-", "--tag", "1", "--source-tag", "1"),
            "--tag and --source-tag say the same: leave one of them out",
        ),
        (
            ("--source", "-", "--tag", "polite"),
            "there is no tag 'polite': the model has no names, take a number (0 to 15), or -1 for none",
        ),
        (("--source", ""), "--source is empty: name a file, or - for standard input"),
        (("--source", "no/where.tsv"), "no/where.tsv: No such file or directory"),
        (("--source", "-", "--batch-size", "0"), "--batch-size 0 is not possible: it must be between 1 and 1000000"),
        ((), "the following arguments are required: --source; see nmt score --help"),
    ],
)
def test_wrong_use_is_one_line(score, bundle_path, words, told):
    found = score(bundle_path, *words)
    assert (found.code, found.out, found.err) == (2, b"", f"nmt score: error: {told}\n")
