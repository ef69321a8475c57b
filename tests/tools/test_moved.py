"""Scripts that are commands now say so in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.mark.parametrize(
    ("script", "successor"),
    [
        ("fetch_corpus", "nmt corpus fetch"),
        ("split_corpus", "nmt corpus split"),
        ("back_translate", "nmt augment back-translate"),
        ("diversify", "nmt augment diversify"),
        ("summarize_runs", "nmt runs table"),
        ("plot_training", "nmt runs plot"),
        ("choose_translations", "nmt-translate --rerank mbr"),
    ],
)
def test_a_script_that_is_gone_names_its_successor(script, successor):
    words = [sys.executable, TOOLS / f"{script}.py", "--input", "x"]
    finished = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == f"{script}.py: error: tools/{script}.py is gone; take: {successor}\n"
