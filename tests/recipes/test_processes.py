"""Calls in processes of their own: all at once or one by one, and what ends them."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import nmt
from nmt.errors import ConfigError, RunError
from nmt.recipes.processes import call_each

ROOT = Path(nmt.__file__).parents[1]
# Says that it runs, and waits; what stops it is written down.
WAITS = """
import os, pathlib, time
path = pathlib.Path({path!r})
try:
    path.write_text("runs")
    time.sleep(60)
except KeyboardInterrupt:
    path.write_text(path.read_text() + ", saved")
    raise
"""


def waits(path):
    return partial(exec, WAITS.format(path=str(path)))


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def runs(path):
    return path.exists() and path.read_text() == "runs"


@pytest.mark.parametrize("at_once", [True, False])
def test_each_call_is_made_and_its_lines_stand_behind_its_name(tmp_path, capfd, at_once):
    source = "import logging, os, sys\nopen({!r}, 'x').write(str(os.getpid()))\n"
    source += "logging.getLogger('nmt').info('%s', 'told')\nsys.stderr.write('half a '); sys.stderr.write('line\\n')"
    paths = {name: tmp_path / name for name in ("first", "second")}
    call_each({name: partial(exec, source.format(str(path))) for name, path in paths.items()}, at_once=at_once)
    assert len({path.read_text() for path in paths.values()} | {str(os.getpid())}) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.splitlines()) == [f"{name}: {line}" for name in paths for line in ("half a line", "told")]


def test_one_by_one_the_second_waits_for_the_first(tmp_path):
    path = tmp_path / "there"
    first = f"import time; time.sleep(1); open({str(path)!r}, 'x')"
    call_each({"first": partial(exec, first), "second": partial(open, path)}, at_once=False)


def test_where_one_fails_the_other_is_stopped_and_its_error_is_raised(tmp_path):
    fails = f"""
import os, time
from nmt.errors import ConfigError
while not os.path.exists({str(tmp_path / "first")!r}):
    time.sleep(0.05)
raise ConfigError("corpus.train is wrong")"""
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"^corpus\.train is wrong$"):
        call_each({"first": waits(tmp_path / "first"), "second": partial(exec, fails)}, at_once=True)
    assert time.monotonic() - began < 50
    assert (tmp_path / "first").read_text() == "runs, saved"


def test_a_full_disk_stays_one(tmp_path):
    source = "import errno, os; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'x')"
    with pytest.raises(OSError, match="No space left on device: 'x'"):
        call_each({"first": partial(exec, source)}, at_once=False)


def test_a_defect_is_told_with_its_traceback(capfd):
    with pytest.raises(RunError, match=r"^first: ZeroDivisionError: this is a defect of nmt; please report"):
        call_each({"first": partial(exec, "1 / 0")}, at_once=False)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "first: Traceback (most recent call last):"
    assert lines[-1] == "first: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9"),
        ("import os; os._exit(3)", "ended with exit code 3"),
    ],
)
def test_a_process_that_was_killed(source, how):
    with pytest.raises(RunError, match=f"^the process of first {how}; run the same command again"):
        call_each({"first": partial(exec, source)}, at_once=False)


@pytest.fixture
def caller(tmp_path):
    """A command in a session of its own that calls a function in a process, which runs."""
    source = "import sys\nfrom functools import partial\nfrom nmt.cli.common import run\n"
    source += "from nmt.recipes.processes import call_each\n"
    source += f"call = partial(exec, {WAITS.format(path=str(tmp_path / 'it'))!r})\n"
    source += "if __name__ == '__main__': sys.exit(run(lambda: call_each({'it': call}, at_once=True), 'test'))\n"
    script = tmp_path / "script.py"
    script.write_text(source)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = {"stderr": subprocess.PIPE, "text": True, "start_new_session": True, "env": environment}
    with subprocess.Popen([sys.executable, script], **options) as process:
        until(lambda: runs(tmp_path / "it"))
        yield process
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)] if os.name != "nt" else []
)
def test_a_signal_of_the_terminal_reaches_the_process_once(caller, tmp_path, number, code):
    if number == signal.SIGTERM:
        caller.terminate()
    else:
        os.killpg(caller.pid, number)
    assert caller.communicate(timeout=60) == (None, "")
    assert caller.returncode == code
    assert (tmp_path / "it").read_text() == "runs, saved"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_ends_with_its_caller(caller, tmp_path):
    caller.kill()
    until(lambda: (tmp_path / "it").read_text() == "runs, saved")
