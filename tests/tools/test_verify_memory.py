"""The tool that watches nmt-translate's memory: a sound command passes, one that grows or waits does not."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from nmt.bundle.weights import save_bundle
from nmt.errors import ConfigError
from nmt.export.variant import export

PATH = Path(__file__).parents[2] / "tools" / "verify_memory.py"
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")

# In the place of python -m nmt.cli.translate: reads all, or keeps all that it reads.
GROWING = "import sys\nkept = []\nfor line in sys.stdin.buffer:\n    kept.append(line * 5000)\n"
GROWING += "    sys.stdout.buffer.write(line)\n    sys.stdout.buffer.flush()\n"
WAITING = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n"


@pytest.fixture(scope="module")
def tool():
    specification = importlib.util.spec_from_file_location("verify_memory", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def imposter(tmp_path, program):
    """A program that runs whatever its arguments are."""
    path = tmp_path / "imposter"
    path.write_text(f"#!{sys.executable}\n{program}")
    path.chmod(0o755)
    return str(path)


def test_a_sound_command_passes(tool, make_bundle, tmp_path, capfdbinary):
    save_bundle(make_bundle(), tmp_path / "bundle")
    export(tmp_path / "bundle", "fp32")
    (tmp_path / "text").write_text("a small red house\nnear the old river\n\n" * 40)
    words = [str(tmp_path / "bundle"), str(tmp_path / "text"), "--lines", "300", "6000"]
    assert tool.main([*words, "--growth", "60", "--", "--beam-size", "1", "--threads", "1"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert [re.sub(r"[\d.]+ \|", "0 |", line) for line in lines[2:]] == ["| 0 | 0 | 0 |", "| 6,0 | 0 | 0 |"]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (GROWING, r"memory grew by \d+\.\d MiB, more than 20"),
        (WAITING, "no translation came in 2 s while the input had not ended"),
        ("import sys\nsys.exit(3)\n", "nmt-translate ended early"),
    ],
)
def test_a_command_that_breaks_its_promise_is_found(tool, tmp_path, monkeypatch, capfd, program, told):
    (tmp_path / "text").write_text("a house\n" * 100)
    monkeypatch.setattr(tool, "_PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(sys, "executable", imposter(tmp_path, program))
    assert tool.main([str(tmp_path / "bundle"), str(tmp_path / "text"), "--lines", "100", "2000"]) == 1
    assert re.search(f"^verify_memory.py: error: {told}$", capfd.readouterr().err, re.MULTILINE)


def test_impossible_numbers_are_refused(tool):
    with pytest.raises(ConfigError, match="--lines 0 is not possible: it must be 1 or more"):
        tool.parse(["bundle", "text", "--lines", "0"])
