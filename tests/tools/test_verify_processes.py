"""The tool that starts several processes again and again: the command passes, one that fails or hangs is told."""

import sys

import pytest


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("verify_processes")


@pytest.fixture
def imposter(tmp_path, monkeypatch):
    """A function that puts a program in the place of python -m torch.distributed.run."""

    def replace(program):
        path = tmp_path / "imposter"
        path.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return replace


def test_a_start_by_torchrun_ends_with_0(run_tool, tmp_path):
    finished = run_tool("verify_processes", "--starts", 1, "--processes", 1, "--keep", tmp_path / "failed")
    said = [file.read_text(encoding="utf-8") for file in tmp_path.glob("failed/*")]
    assert (finished.code, finished.out) == (0, "1 starts of 1 processes: 0 failed\n"), said


def test_a_start_that_fails_is_told_and_what_it_said_kept(tool, imposter, tmp_path, capsys):
    # The second start is aborted, as a shell tells of it; the others leave what a training leaves.
    imposter(
        "import pathlib, sys\n"
        "run_dir = next(word.partition('=')[2] for word in sys.argv if word.startswith('run_dir='))\n"
        "if run_dir.endswith('-2'):\n"
        "    sys.exit('terminate called without an active exception')\n"
        "best = pathlib.Path(run_dir) / 'best'\n"
        "best.mkdir(parents=True)\n"
        "(best / 'config.json').touch()\n"
    )
    keep = tmp_path / "failed"
    assert tool.main(["--starts", "3", "--at-once", "2", "--keep", str(keep)]) == 1
    told = capsys.readouterr()
    assert told.out == f"start 2: exit code 1 ({keep / 'start-2.txt'})\n3 starts of 2 processes: 1 failed\n"
    assert told.err == f"verify_processes.py: error: 1 of 3 starts failed; what they said is in {keep}\n"
    assert [file.name for file in keep.iterdir()] == ["start-2.txt"]
    assert (keep / "start-2.txt").read_text(encoding="utf-8") == "terminate called without an active exception\n"


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import time\ntime.sleep(60)\n", "start 1: still running after 0.5 s"),
        ("", "start 1: exit code 0, but there is no bundle"),
    ],
)
def test_a_start_that_hangs_or_saves_nothing_fails(tool, imposter, tmp_path, capsys, program, told):
    imposter(program)
    assert tool.main(["--starts", "1", "--seconds", "0.5", "--keep", str(tmp_path / "failed")]) == 1
    assert capsys.readouterr().out.startswith(told)


def test_impossible_numbers_are_refused(tool, capsys):
    assert tool.main(["--at-once", "0"]) == 2
    expected = "verify_processes.py: error: --at-once 0 is not possible: it must be above 0\n"
    assert capsys.readouterr().err == expected
