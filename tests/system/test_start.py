"""What a command imports before it works, which is most of its time on a short text."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import nmt
from nmt.bundle.weights import load_bundle

ROOT = Path(nmt.__file__).parent.parent
COMPILER = ("torch._dynamo", "torch._inductor", "sympy")

# Runs one command after the other in one process, and writes down after each what is imported of the compiler.
RUN = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from nmt.cli.main import main
for words in json.loads(sys.argv[1]):
    code = main(words)
    assert code == 0, words
    assert "torch" in sys.modules
    with open("imported", "a") as file:
        print(words[0], *[name for name in {COMPILER} if name in sys.modules], file=file)
"""


def test_no_command_imports_the_compiler(tiny, tmp_path):
    text = [str(tmp_path / f"valid.{side}") for side in ("en", "de")]
    best = str(tmp_path / "run" / "best")
    limits = ("trainer.max_updates=2", "trainer.validate_every=1", "corpus.test=valid")
    commands = [
        ["train", *tiny, *limits],
        ["train", *tiny, *limits, "init_from=run/best", "run_dir=tuned"],
        ["translate", best],
        ["evaluate", best, "--source", text[0], "--reference", text[1], "--quiet"],
        ["score", best, "--source", text[0], "--target", text[1], "--quiet"],
        ["lab", "gradients", "lab", "--cells", "rnn", "--distances", "4", "--updates", "1", "--seeds", "1"],
    ]
    if importlib.util.find_spec("onnx"):
        commands.insert(-1, ["export", best, "--precision", "int8", "--quiet"])
    # With trainer.deterministic PyTorch imports it, whatever the device is: the last shows that it would be seen.
    commands.append(["train", *tiny, "trainer.max_updates=1", "trainer.deterministic=true", "run_dir=deterministic"])
    words = [sys.executable, "-c", RUN, json.dumps(commands)]
    finished = subprocess.run(words, input="A dog runs.\n", capture_output=True, text=True, cwd=tmp_path, timeout=200)
    assert finished.returncode == 0, finished.stderr
    assert load_bundle(tmp_path / "tuned" / "last").metadata["updates"] == 2
    imported = [line.split() for line in (tmp_path / "imported").read_text(encoding="utf-8").splitlines()]
    *others, deterministic = imported
    assert others == [[words[0]] for words in commands[:-1]]
    assert deterministic[:2] == ["train", "torch._dynamo"]
