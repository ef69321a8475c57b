"""The Makefile: its verbs, and which PyTorch it installs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import nmt

ROOT = Path(nmt.__file__).parent.parent
pytestmark = pytest.mark.skipif(
    not shutil.which("make") or not (ROOT / "Makefile").exists(), reason="needs make and a checkout"
)
# Under `make test` this is a make within a make, which would announce its directory and know its variables.
MAKES = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
# In the place of python3: makes an environment whose python is this program, and keeps the words of every pip.
PYTHON = """#!/bin/sh
case "$*" in
"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
*) shift 3; echo "$*" >> "$LOG" ;;
esac
case "$*" in
*--index-url*) echo "a long story" >&2; exit "$INDEX_CODE" ;;
esac
"""
INDEX = "https://download.pytorch.org/whl/cpu"
FROM_INDEX = f"--quiet --no-deps --timeout 10 --retries 1 --index-url {INDEX}"
REST = "--quiet -e .[dev]"


@pytest.fixture
def install(tmp_path):
    """A function that lets make make an environment on a machine without an NVIDIA driver: what pip is told, stderr."""
    for name, program in (("python", PYTHON), ("uname", '#!/bin/sh\necho "$SYSTEM"\n')):
        (tmp_path / name).write_text(program, encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    def make(*variables, index_code=0, system="Linux"):
        environment = {name: value for name, value in os.environ.items() if name not in MAKES}
        environment |= {"LOG": str(tmp_path / "log"), "INDEX_CODE": str(index_code), "SYSTEM": system}
        environment |= {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        venv = tmp_path / "venv"
        settings = [f"PYTHON={tmp_path / 'python'}", f"VENV={venv}", "TORCH=torch==9.9", "NVIDIA_DRIVER=", *variables]
        finished = subprocess.run(
            ["make", *settings, f"{venv}/installed"], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8"
        )
        assert finished.returncode == 0, finished.stderr
        return (tmp_path / "log").read_text(encoding="utf-8").splitlines(), finished.stderr

    return make


def test_without_a_driver_pytorch_is_its_cpu_build(install):
    told, errors = install()
    assert told == [f"{FROM_INDEX} torch==9.9", "--quiet torch==9.9", REST]
    assert errors == ""


def test_where_pytorchs_index_cannot_be_reached_the_package_index_is_taken_and_one_line_says_so(install):
    told, errors = install(index_code=1)
    assert told == [f"{FROM_INDEX} torch==9.9", "--quiet torch==9.9", REST]
    assert errors == f"No CPU build of torch==9.9 at {INDEX}: going on with the package index.\n"


@pytest.mark.parametrize(
    ("variable", "system"),
    [
        ("NVIDIA_DRIVER=/proc/driver/nvidia/version", "Linux"),
        ("TORCH_INDEX=", "Linux"),
        ("TORCH=torch==9.9+cu999", "Linux"),
        ("TORCH=wheels/torch-9.9-any.whl", "Linux"),
        ("NVIDIA_DRIVER=", "Darwin"),
    ],
)
def test_elsewhere_pip_takes_what_it_always_took(install, variable, system):
    told, errors = install(variable, system=system)
    torch = variable.removeprefix("TORCH=") if variable.startswith("TORCH=") else "torch==9.9"
    assert told == [f"--quiet {torch}", REST]
    assert errors == ""


def test_a_driver_is_found_by_its_command(tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in (*MAKES, "NVIDIA_DRIVER")}
    environment |= {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "--dry-run", f"VENV={tmp_path}/venv", f"{tmp_path}/venv/installed"]
    planned = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True)
    assert INDEX not in planned.stdout
    assert "pip install --quiet 'torch==" in planned.stdout


@pytest.mark.parametrize("words", [[], ["help"]])
def test_make_lists_its_verbs(words):
    environment = {name: value for name, value in os.environ.items() if name not in MAKES}
    command = ["make", *words]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True)
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert all(words[0] == "make" for words in lines)
    assert {"demo", "test", "check"} <= {words[1] for words in lines}
    assert all(len(words) > 4 for words in lines)  # each with a description
