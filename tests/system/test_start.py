"""What a command imports before it works, which is most of its time on a short text."""

import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.bundle.weights import load_bundle

ROOT = Path(nmt.__file__).parent.parent
COMPILER = ("torch._dynamo", "torch._inductor")

RUN = f"""
import sys
from nmt.cli.main import main
code = main(sys.argv[1:])
assert "torch" in sys.modules
print(*[name for name in {COMPILER} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def imports_compiler(tmp_path):
    """Run a command whole; tell whether it imported PyTorch's compiler."""

    def check(*words, text=""):
        finished = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{RUN}", *map(str, words)],
            input=text,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
        )
        assert finished.returncode == 0, finished.stderr
        return bool(finished.stderr.splitlines()[-1].strip())

    return check


def test_neither_training_nor_translation_imports_the_compiler(imports_compiler, tiny, tmp_path):
    limits = ("trainer.max_updates=2", "trainer.validate_every=1", "corpus.test=valid")
    assert not imports_compiler("train", *tiny, *limits)
    assert load_bundle(tmp_path / "run" / "last").metadata["updates"] == 2
    assert not imports_compiler("translate", tmp_path / "run" / "best", text="A dog runs.\n")


def test_the_check_sees_the_compiler(imports_compiler, tiny):
    # With trainer.deterministic PyTorch imports it, whatever the device is.
    assert imports_compiler("train", *tiny, "trainer.max_updates=1", "trainer.deterministic=true")
