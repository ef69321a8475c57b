"""Commands that tests fork are as those that are started."""

import signal
import subprocess

import pytest

TOOL = """
import os, sys
print(os.getpid(), os.getcwd(), *sys.argv[1:], sys.path[0], __name__)
sys.exit(sys.stdin.read())
"""

# Starts a command as it is, one that finds other packages, and a process of multiprocessing's.
STARTS = """
import multiprocessing, os, subprocess, sys
if __name__ == "__main__":
    for changed in ({}, {"PYTHONPATH": os.environ["PYTHONPATH"] + os.pathsep + "elsewhere"}):
        words = [sys.executable, "-m", "nmt", "--version"]
        with subprocess.Popen(words, env=os.environ | changed, stdout=subprocess.PIPE, text=True) as process:
            print(type(process).__name__, process.communicate()[0].split()[0], process.returncode, flush=True)
    code = "import sys; print('torch' in sys.modules, flush=True); sys.exit(3)"
    process = multiprocessing.get_context("spawn").Process(target=exec, args=(code,))
    process.start()
    process.join()
    print(process.exitcode)
"""


@pytest.fixture
def forked(new_command, may_fork):
    """A function that makes a command which is forked, whatever ran in this process before."""
    if not may_fork:
        pytest.skip("nothing is forked here")

    def make(name, **options):
        command = new_command(name, **options)
        with command.start("--version") as process:
            assert type(process) is not subprocess.Popen
            process.communicate()
        return command

    return make


@pytest.mark.parametrize("words", [["--version"], ["translate", "--help"], ["train", "trainer.max_update=3"], ["x"]])
def test_it_says_what_a_started_one_says(forked, start_command, words, tmp_path):
    options = {"cwd": tmp_path, "encoding": "utf-8"}
    assert forked("nmt", **options)(*words) == start_command("nmt", **options)(*words)


def test_a_script_has_its_words_its_directory_and_its_streams(forked, start_command, tmp_path):
    (tmp_path / "tool.py").write_text(TOOL, encoding="utf-8")
    for make in (forked, start_command):
        with make(tmp_path / "tool.py", cwd=tmp_path).start("a b", "ü") as process:
            out, err = process.communicate("nö".encode())
        expected = f"{process.pid} {tmp_path} a b ü {tmp_path} __main__\n"
        assert (process.returncode, out.decode(), err.decode()) == (1, expected, "nö\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(forked, tmp_path, number):
    (tmp_path / "tool.py").write_text("print(1, flush=True)\ninput()\n", encoding="utf-8")
    with forked(tmp_path / "tool.py").start() as process:
        process.stdout.readline()
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(number)
        assert process.wait(60) == process.poll() == -number


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda command: command.environment.update(OMP_NUM_THREADS="2"), {}),
        (lambda command: command.environment.update(LC_ALL="C"), {}),
        (lambda command: command.words.insert(0, "nohup"), {}),
        (lambda command: None, {"start_new_session": True}),
    ],
)
def test_what_a_fork_cannot_show_is_started(forked, change, options):
    command = forked("nmt")
    change(command)
    with command.start("--version", **options) as process:
        assert type(process) is subprocess.Popen
        assert process.communicate()[0].startswith(b"nmt ")


def test_what_a_forked_command_starts_is_forked_where_that_is_as_good(forked, start_command, tmp_path):
    (tmp_path / "tool.py").write_text(STARTS, encoding="utf-8")
    words = {"Forked nmt 0": forked, "Popen nmt 0": start_command}
    for first, make in words.items():
        finished = make(tmp_path / "tool.py", encoding="utf-8")()
        has_torch = str(make is forked)
        assert (finished.code, finished.err) == (0, "")
        assert finished.out.splitlines() == [first, "Popen nmt 0", has_torch, "3"]


def test_where_nobody_wants_forks_nothing_is_forked(new_command, monkeypatch):
    monkeypatch.setenv("NMT_TESTS_FORK", "0")
    with new_command("nmt").start("--version") as process:
        assert type(process) is subprocess.Popen
        assert process.communicate()[0].startswith(b"nmt ")
