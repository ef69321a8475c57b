import shutil
import subprocess
from pathlib import Path

import pytest

import nmt

ROOT = Path(nmt.__file__).parent.parent


@pytest.mark.skipif(not shutil.which("make") or not (ROOT / "Makefile").exists(), reason="needs make and a checkout")
@pytest.mark.parametrize("words", [[], ["help"]])
def test_make_lists_its_verbs(words):
    finished = subprocess.run(["make", *words], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert all(words[0] == "make" for words in lines)
    assert {"demo", "test", "check"} <= {words[1] for words in lines}
    assert all(len(words) > 4 for words in lines)  # each with a description
