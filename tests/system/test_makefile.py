import os
import shutil
import subprocess
from pathlib import Path

import pytest

import nmt

ROOT = Path(nmt.__file__).parent.parent


@pytest.mark.skipif(not shutil.which("make") or not (ROOT / "Makefile").exists(), reason="needs make and a checkout")
@pytest.mark.parametrize("words", [[], ["help"]])
def test_make_lists_its_verbs(words):
    # Under `make test` this is a make within a make, which would announce its directory.
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    command = ["make", *words]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True)
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert all(words[0] == "make" for words in lines)
    assert {"demo", "test", "check"} <= {words[1] for words in lines}
    assert all(len(words) > 4 for words in lines)  # each with a description
