"""The demo corpus of labelled sentences is what its script makes."""

import subprocess
import sys
from pathlib import Path

import corpora
from nmt.corpus.labelled import Labelled
from nmt.corpus.reader import read_pairs

FOLDER = Path(corpora.__file__).parent / "demo_labelling"


def test_the_script_makes_the_same_bytes(tmp_path):
    subprocess.run([sys.executable, FOLDER / "generate.py", "--output", tmp_path], check=True)
    for name in ("train", "valid", "test"):
        assert (tmp_path / f"{name}.conll").read_bytes() == (FOLDER / f"{name}.conll").read_bytes()


def test_no_sentence_occurs_twice_and_the_textbooks_example_never():
    files = [Labelled().find(str(FOLDER / f"{name}.conll"), ("", ""), key="") for name in ("train", "valid", "test")]
    pairs = [list(read_pairs(paths)) for paths in files]
    assert list(map(len, pairs)) == [600, 100, 100]
    sources = [pair.source for part in pairs for pair in part]
    assert len(set(sources)) == 800
    assert "我 爱 北京 天安门" not in sources
