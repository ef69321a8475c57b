"""What users run: the demo in int8, with and without a shortlist, from the commands and from Python."""

import importlib
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.corpus.reader import read_lines, resolve
from nmt.export.variant import export, learn_shortlist

ROOT = Path(nmt.__file__).parent.parent
CORPUS = importlib.resources.files("nmt.corpora") / "demo"


@pytest.fixture(scope="module", params=[None, 50], ids=["whole", "shortlist"])
def exported(request, demo_bundle, tmp_path_factory):
    """The demo's bundle with a variant in int8."""
    path = tmp_path_factory.mktemp("exported") / "best"
    shutil.copytree(demo_bundle, path)
    shortlist = None
    if request.param:
        train = resolve(str(CORPUS / "train"), source="en", target="de", key="corpus.train")
        shortlist = lambda description: learn_shortlist(description, [train], size=request.param)  # noqa: E731
    export(path, "int8", shortlist=shortlist)
    return path


@pytest.mark.parametrize("beam_size", [1, 5])
def test_int8_translates_as_well_as_fp32(exported, beam_size):
    source, reference = (list(read_lines(CORPUS / f"test.{side}"))[:250] for side in ("en", "de"))
    scores = {}
    for precision in ("int8", "fp32"):
        translator = nmt.load(exported, precision=precision, beam_size=beam_size, threads=1)
        report = nmt.evaluate(translator, source, reference)
        scores[precision] = report.scores[0].value
    assert scores["int8"] > 96
    assert abs(scores["int8"] - scores["fp32"]) < 1, scores


def test_lines_in_capitals_are_translated_as_well_as_others(exported):
    source, reference = ([line.upper() for line in read_lines(CORPUS / f"test.{side}")][:250] for side in ("en", "de"))
    scores = {}
    for capitals in (True, False):
        translator = nmt.load(exported, precision="int8", threads=1, capitals=capitals)
        scores[capitals] = nmt.evaluate(translator, source, reference).scores[0].value
    assert scores[True] > 93, scores
    assert scores[False] < 5, scores


def test_alignments_follow_the_words(exported):
    """Names and numbers are spelt alike on both sides: each is aligned with itself."""
    translator = nmt.load(exported, alignments=True, threads=1)
    lines = list(read_lines(CORPUS / "test.en"))[:200]
    right, wrong = 0, []
    for line, translation in zip(lines, translator.translate(lines), strict=True):
        source, target = (text.rstrip(".?!").replace(",", "").split(" ") for text in (line, translation.text))
        alignment = translation.hypotheses[0].alignment
        for j, word in enumerate(target):
            if source.count(word) == target.count(word) == 1 and len(word) > 2:
                if (source.index(word), j) in alignment:
                    right += 1
                else:
                    wrong.append((line, translation.text, alignment))
    assert right > 40
    assert len(wrong) <= 0.1 * right, wrong


def test_a_forced_prefix_holds_whatever_the_shortlist_has(exported):
    translator = nmt.load(exported, threads=1)
    lines = ["A dog runs.", "The happy doctor thinks that we drive to Berlin."]
    for prefix in ("Meine Ärztin", "Berlin weint", "Der"):
        for translation in translator.translate([nmt.Request(line, prefix=prefix) for line in lines]):
            assert translation.text.startswith(prefix)
            assert translation.hypotheses[0].finished


def test_the_promises_are_kept(exported, new_command, tmp_path):
    source = tmp_path / "test.en"
    source.write_text("".join(f"{line}\n" for line in list(read_lines(CORPUS / "test.en"))[:20]), encoding="utf-8")
    finished = new_command("nmt")("export", exported, "--verify", "--variant", "int8", "--source", source)
    assert finished.code == 0, finished
    lines = finished.lines[:-1]
    assert all(line.startswith("ok ") for line in lines)
    [close] = [line for line in lines if "is close to pytorch" in line]
    difference = re.search(r"differ by (\d\.\d+) \(root mean square\); (\d+) of 20 lines", close)
    assert float(difference[1]) < 0.05
    assert int(difference[2]) >= 19
    shortlist = [line for line in lines if " shortlist: " in line]
    assert len(shortlist) == (exported / "int8" / "shortlist.npz").exists()


def test_the_example_of_the_readme_runs(demo_bundle, tmp_path):
    """As it stands there, in a directory whose runs/demo/best is the demo."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = text.partition("### From Python\n\n```python\n")[2].partition("```")[0]
    assert "nmt.load(" in code
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    (tmp_path / "runs" / "demo" / "best").symlink_to(demo_bundle)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert finished.stderr == ""
    lines = finished.stdout.splitlines()
    assert all(re.fullmatch(r".+ -\d+\.\d+", line) for line in lines[:2])
    assert lines[2].startswith("Der Hund")
    assert lines[3].startswith("BLEU ")


def test_what_is_put_into_real_text_comes_back(exported, monkeypatch):
    """Odd characters, URLs and placeholders, each exactly once: by graphs, with a shortlist and without."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    changed_lines = importlib.import_module("verify_protection").changed_lines
    changed = list(changed_lines(list(read_lines(CORPUS / "test.en")), count=200, seed=5))
    translator = nmt.load(exported, precision="int8", threads=1)
    found = translator.translate([each.text for each in changed])
    for each, translation in zip(changed, found, strict=True):
        assert all(translation.text.count(new) == 1 for new in each.inserted), each.text
    # The model itself wrote nearly all.
    assert sum(20 <= token < 28 for each in found for token in each.hypotheses[0].tokens) > 300
