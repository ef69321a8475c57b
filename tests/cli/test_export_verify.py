"""nmt-export --verify as a command: a line for each promise, an exit code, and nothing written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.export.variant import export

ROOT = Path(nmt.__file__).parent.parent


def run(*words):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def exported(bundle_path, make_sentences, tmp_path_factory):
    """A bundle with both variants, and a few sentences beside it."""
    path = tmp_path_factory.mktemp("verify") / "a model"
    shutil.copytree(bundle_path, path)
    export(path, "int8")
    (path.parent / "test.en").write_text("".join(f"{line}\n" for line in make_sentences(6)), encoding="utf-8")
    return path


def contents(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_every_promise_has_a_line_and_nothing_is_written(exported):
    before = contents(exported)
    # Its own modules, whatever the current directory has.
    (exported.parent / "json.py").write_text("raise ImportError", encoding="utf-8")
    source = exported.parent / "test.en"
    code = "import sys; sys.path.pop(0); from nmt.cli.export import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, exported.name, "--verify", "--source", source.name]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(words, env=environment, cwd=exported.parent, capture_output=True, text=True, timeout=300)
    (exported.parent / "json.py").unlink()
    assert (finished.returncode, finished.stderr) == (0, "nmt-export: checking with 6 lines of test.en\n")
    lines = finished.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert {line.split()[1] for line in lines} == {"bundle", "pytorch", "fp32", "int8"}
    assert len(lines) > 20
    assert any(line.startswith("ok      int8     two workers translate as one: 6 lines") for line in lines)
    assert contents(exported) == before


def test_a_broken_promise_is_exit_code_1(exported, new_command, tmp_path):
    path = tmp_path / "damaged"
    shutil.copytree(exported, path)
    step = path / "int8" / "step.onnx"
    step.write_bytes(step.read_bytes()[:100])
    finished = new_command("nmt")("export", path, "--verify", "--variant", "int8", "--quiet")
    assert finished.code == 1
    assert finished.err == "nmt-export: error: promises broken: 2 of 2; see FAILED above, and report the first\n"
    lines = finished.lines[:-1]
    assert [line.partition(": ")[0] for line in lines] == [
        "FAILED  bundle   files are as they were written",
        "FAILED  int8     loads",
    ]
    assert all(f"{step} is missing or damaged (it has 100 bytes, and had " in line for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["MODEL"], "give --precision NAME to make a variant, or --verify to check what is promised"),
        (
            ["MODEL", "--verify", "--precision", "int8"],
            "give --precision NAME to make a variant, or --verify to check what is promised",
        ),
        (["MODEL", "--verify", "--shortlist", "5"], "--shortlist goes not with --verify: leave one out"),
        (
            ["MODEL", "--precision", "int8", "--source", "x"],
            "--source goes only with --verify: add that, or leave it out",
        ),
        (["MODEL", "--verify", "--variant", "int4"], "argument --variant: invalid choice: 'int4' (choose from"),
        (["nowhere", "--verify"], "nowhere does not exist; name a directory that nmt-train made"),
    ],
)
def test_wrong_use_is_told_in_one_line(options, message):
    finished = run("nmt.cli.export", *options, "--quiet")
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"nmt-export: error: {message}")
    assert (finished.stderr.count("\n"), finished.stdout) == (1, "")


def test_a_text_without_sentences_is_refused(exported, tmp_path):
    (tmp_path / "blank").write_text("\n \n", encoding="utf-8")
    finished = run("nmt.cli.export", exported, "--verify", "--source", tmp_path / "blank")
    assert finished.returncode == 2
    assert finished.stderr == (
        f"nmt-export: error: --source {tmp_path / 'blank'} has no text: give sentences, one a line\n"
    )
    finished = run("nmt.cli.export", exported, "--verify", "--source", tmp_path / "none")
    assert finished.returncode == 2
    assert str(tmp_path / "none") in finished.stderr
