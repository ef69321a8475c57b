"""All pairs of options of nmt-translate work together, or one line says why they do not."""

import functools
import itertools
import json

import pytest

import nmt.bundle.ensemble
from nmt.cli.score import main as score

LINES = ["The old river {x} 12. A house.", "", "Many green trees 😀"]

OPTIONS = {
    "prefixes": ("--prefixes", "PREFIXES"),
    "jsonl in": ("--input-format", "jsonl"),
    "tag": ("--tag", 1),
    "source tag": ("--source-tag", 1),
    "ensemble": ("MODEL",),
    "fp32": ("--precision", "fp32"),
    "greedy": ("--beam-size", 1),
    "beam": ("--beam-size", 3),
    "sample": ("--sample",),
    "mbr samples": ("--mbr-samples", 4),
    "n-best": ("--n-best", 2, "--format", "jsonl"),
    "rerank": ("--rerank", "mbr"),
    "sharpness": ("--sharpness", 1),
    "min length": ("--min-length", 4),
    "no repeat": ("--no-repeat-ngram", 2),
    "alignments": ("--alignments",),
    "unprotected": ("--no-protect",),
    "glossary": ("--glossary", "GLOSSARY"),
    "hard terms": ("--glossary", "GLOSSARY", "--terms", "hard"),
    "sentences": ("--split-sentences",),
    "markup": ("--markup", "html"),
}
REFUSED = {
    ("prefixes", "jsonl in"): "--prefixes is for lines of text",
    ("tag", "source tag"): "--tag and --source-tag say the same",
    ("greedy", "beam"): None,  # the same option: the last one counts
    ("greedy", "sample"): "--beam-size is for a beam",
    ("beam", "sample"): "--beam-size is for a beam",
    ("greedy", "n-best"): "--n-best 2 is more than the beam holds",
    ("greedy", "rerank"): "--rerank needs several hypotheses",
    ("sample", "rerank"): "--rerank needs several samples",
    ("sample", "sharpness"): "--sharpness is for a beam",
    ("greedy", "mbr samples"): "--beam-size and --mbr-samples are two ways to choose",
    ("beam", "mbr samples"): "--beam-size and --mbr-samples are two ways to choose",
    ("sample", "mbr samples"): "--sample true writes samples as they are drawn",
    ("mbr samples", "rerank"): "--rerank and --mbr-samples are two ways to choose",
    ("mbr samples", "sharpness"): None,
    ("mbr samples", "hard terms"): "terms=hard is for a beam",
    ("greedy", "hard terms"): "terms=hard needs a beam",
    ("sample", "hard terms"): "terms=hard is for a beam",
    ("n-best", "sentences"): "--n-best is for whole lines",
    ("n-best", "markup"): "--n-best is for whole lines",
    ("prefixes", "markup"): "--prefixes is for lines without tags",
    ("jsonl in", "markup"): "a prefix is for lines without markup",
    ("alignments", "markup"): "--alignments counts the words of lines without tags",
}


@pytest.fixture
def loads_once(monkeypatch):
    """Bundles are loaded once for all commands of a test."""
    monkeypatch.setattr(nmt.bundle.ensemble, "load", functools.cache(nmt.bundle.ensemble.load))


def test_all_pairs_of_options(translate_here, loads_once, bundle_path, tmp_path):
    (tmp_path / "prefixes").write_text("Man\n\nthe 😀 \n", encoding="utf-8")
    (tmp_path / "glossary").write_text("river\tred men\nx\ty\n", encoding="utf-8")
    words = {"MODEL": bundle_path, "PREFIXES": tmp_path / "prefixes", "GLOSSARY": tmp_path / "glossary"}
    for pair in itertools.combinations(OPTIONS, 2):
        options = [words.get(word, word) for name in pair for word in OPTIONS[name]]
        objects = [json.dumps({"text": line, "prefix": "Man", "id": 7}) for line in LINES]
        text = "\n".join(objects if "jsonl in" in pair else LINES) + "\n"
        found = translate_here(bundle_path, "--quiet", *options, text=text)
        reason = REFUSED.get(pair)
        if reason is not None:
            assert (found.code, found.out, found.err.count("\n")) == (2, b"", 1), pair
            assert found.err.startswith(f"nmt-translate: error: {reason}"), pair
            continue
        assert (found.code, found.err, found.out.count(b"\n")) == (0, "", 3), pair
        texts = [json.loads(line)["text"] if "n-best" in pair else line for line in found.lines[:-1]]
        if "prefixes" in pair:
            assert texts[0].startswith("Man"), pair
            assert texts[2].startswith("the 😀 "), pair
        if "hard terms" in pair:
            assert "red men" in texts[0], pair
        if "jsonl in" in pair:
            assert all(each.startswith("Man") for each in texts), pair


def test_pairs_of_options_of_nmt_score(translate_here, loads_once, bundle_path):
    options = [("--alignments",), ("--tag", 2), (bundle_path,), ("--format", "jsonl"), ("--no-protect",)]
    options += [("--normalization", "gnmt"), ("--length-penalty", 0), ("--batch-size", 1)]
    text = "".join(f"{line}\tthe {line}\n" for line in LINES)
    for one, other in itertools.combinations(options, 2):
        models = [word for word in (*one, *other) if word == bundle_path]
        words = [word for word in (*one, *other) if word != bundle_path]
        found = translate_here(bundle_path, *models, *words, "--source", "-", text=text, main=score)
        assert (found.code, found.out.count(b"\n")) == (0, 3), (one, other, found.err)
