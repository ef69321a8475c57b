"""The demo corpus of classified lines is what its script makes."""

import subprocess
import sys
from pathlib import Path

import corpora
from nmt.corpus.classified import Classified
from nmt.corpus.reader import read_pairs

FOLDER = Path(corpora.__file__).parent / "demo_classification"


def test_the_script_makes_the_same_bytes(tmp_path):
    subprocess.run([sys.executable, FOLDER / "generate.py", "--output", tmp_path], check=True)
    for name in ("train", "valid", "test"):
        assert (tmp_path / f"{name}.tsv").read_bytes() == (FOLDER / f"{name}.tsv").read_bytes()


def test_no_text_occurs_twice_and_the_examples_of_the_pages_never():
    files = [Classified().find(str(FOLDER / f"{name}.tsv"), ("", ""), key="") for name in ("train", "valid", "test")]
    pairs = [list(read_pairs(paths)) for paths in files]
    assert list(map(len, pairs)) == [300, 50, 50]
    texts = [pair.source for part in pairs for pair in part]
    assert len(set(texts)) == 400
    assert not {"This film is not good .", "这 部 电 影 一 点 也 不 好 。"} & set(texts)
    for part in pairs:
        assert {pair.target for pair in part} == {"negative", "neutral", "positive"}
