import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import nmt
from nmt.cli.common import HungUp, Parser, Terminated, report, run
from nmt.errors import BundleError, ConfigError, NmtError, RunError


@pytest.fixture(autouse=True)
def _signals():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def raising(error):
    def command():
        raise error

    return command


def script(body, **options):
    """Run a command's body in a Python of its own, as `command` under `run(command, "nmt-test")`."""
    source = "import os, signal, sys, time\nfrom nmt.cli.common import *\ndef command():\n"
    source += textwrap.indent(textwrap.dedent(body), "    ")
    source += '\nsys.exit(run(command, "nmt-test"))\n'
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    root = os.path.dirname(os.path.dirname(nmt.__file__))
    return subprocess.Popen([sys.executable, "-c", source], cwd=root, **options)


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def test_a_command_that_returns_nothing_is_done():
    assert run(lambda: None, "nmt-test") == 0
    assert run(lambda: 3, "nmt-test") == 3


@pytest.mark.parametrize(
    ("error", "code"), [(NmtError("x"), 2), (ConfigError("x"), 2), (BundleError("x"), 2), (RunError("x"), 1)]
)
def test_our_errors_are_one_line_and_their_exit_code(error, code, capsys):
    assert run(raising(error), "nmt-test") == code
    assert capsys.readouterr().err == "nmt-test: error: x\n"


def test_an_error_of_several_lines_becomes_one(capsys):
    run(raising(ConfigError("first\n  second")), "nmt-test")
    assert capsys.readouterr().err == "nmt-test: error: first second\n"


class OrtError(Exception):
    """As ONNX Runtime's own, which have no public name."""

    __module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (OSError(28, "No space left on device"), 1, "No space left on device; free some space, then run it again"),
        (FileNotFoundError(2, "No such file or directory", "a b"), 2, "a b: No such file or directory"),
        (PermissionError(13, "Permission denied", b"caf\xc3\xa9"), 2, "café: Permission denied"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "xxx"), 2, "xxx: File name too long; name a shorter path"),
        (OSError(errno.ELOOP, "Too many links", "x"), 2, "x: Too many links; name a path whose links lead somewhere"),
        (MemoryError(), 1, "out of memory; use smaller batches, or close other programs, then run it again"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            1,
            "out of memory; use smaller batches, or close other programs, then run it again",
        ),
        (
            OrtError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 9"),
            1,
            "out of memory; use smaller batches, or close other programs, then run it again",
        ),
        (
            RuntimeError("Could not determine home directory."),
            2,
            "a path begins with ~ and a name that is no user's of this machine; ~/ is your own home directory",
        ),
    ],
)
def test_the_systems_errors_are_one_line(error, code, text, capsys):
    assert run(raising(error), "nmt-test") == code
    assert capsys.readouterr().err == f"nmt-test: error: {text}\n"


def test_an_unforeseen_exception_keeps_its_traceback(capsys):
    assert run(raising(ZeroDivisionError("oh")), "nmt-test") == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ZeroDivisionError: oh" in err
    assert err.splitlines()[-1] == (
        f"nmt-test: error: ZeroDivisionError: this is a defect of nmt {nmt.__version__}; please report the lines above"
    )


def test_a_user_that_is_not_there_is_told(capsys):
    def command():
        Path("~nobody-of-this-name/data").expanduser()

    assert run(command, "nmt-test") == 2
    assert capsys.readouterr().err.startswith("nmt-test: error: a path begins with ~ and a name ")


def test_signals_end_quietly_with_their_own_codes(capsys):
    assert run(raising(KeyboardInterrupt()), "nmt-test") == 130
    assert run(raising(Terminated()), "nmt-test") == 143
    assert run(raising(HungUp()), "nmt-test") == 129
    assert capsys.readouterr().err == ""


def test_the_handler_of_sigterm_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    run(lambda: seen.append(signal.getsignal(signal.SIGTERM)), "nmt-test")
    assert seen != [before]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_signal_ends_a_real_process_quietly(number, code):
    process = script("print('ready', flush=True); time.sleep(60)")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert finish(process) == (code, "", "")


def test_ctrl_c_inside_exec_is_told_by_the_exit_code_too(tmp_path):
    # With -m alone Python ends by the signal itself after a Ctrl-C that left an exec(), even if it was caught.
    (tmp_path / "interrupted.py").write_text(
        "import sys\nfrom nmt.cli.common import run\n"
        "sys.exit(run(lambda: exec('raise KeyboardInterrupt'), 'nmt-test'))\n"
    )
    path = os.pathsep.join([os.path.dirname(os.path.dirname(nmt.__file__)), str(tmp_path)])
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_closed_reader_ends_it_quietly():
    process = script("while True: print('line')")
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(60), error) == (0, "")


def test_a_reader_that_closed_before_the_last_flush_is_quiet_too():
    read, write = os.pipe()
    process = script("time.sleep(0.2); print('line')", stdout=write)
    os.close(write)
    os.close(read)
    assert finish(process) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("body", ["print('line')", "print('line'); sys.stdout.flush()"])
def test_a_full_disk_is_one_line(body):
    with open("/dev/full", "wb") as full:
        code, _, error = finish(script(body, stdout=full))
    assert code == 1
    assert error == "nmt-test: error: No space left on device; free some space, then run it again\n"


@pytest.mark.skipif(os.name == "nt", reason="closed standard streams of POSIX")
def test_without_stderr_messages_do_not_go_to_stdout():
    code, out, _ = finish(script("sys.stderr = None; report('nmt-test', 'warning: x'); print('out')"))
    assert (code, out) == (0, "out\n")


def test_without_stdout_a_command_that_needs_it_says_so(monkeypatch, capsys):
    from nmt.cli.common import standard_output

    monkeypatch.setattr(sys, "stdout", None)
    assert run(lambda: standard_output() and None, "nmt-test") == 2
    err = capsys.readouterr().err
    assert err == "nmt-test: error: standard output is closed: send it to a file, or to /dev/null\n"


def test_report_writes_one_line(capsys):
    report("nmt-test", "warning: line 3: é")
    assert capsys.readouterr().err == "nmt-test: warning: line 3: é\n"


def parser():
    options = Parser("nmt-test")
    options.add_argument("--beam-size", type=int)
    options.add_argument("model", metavar="MODEL")
    return options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam-sze", "3", "m"], "unrecognized arguments: --beam-sze; did you mean --beam-size?"),
        (["--beam", "3", "m"], "unrecognized arguments: --beam; did you mean --beam-size?"),
        (["--beam=3", "m"], "unrecognized arguments: --beam; did you mean --beam-size?"),
        (["--verison"], "unrecognized arguments: --verison; did you mean --version?"),
        (["--attention"], "unrecognized arguments: --attention; see nmt-test --help"),
        (["--xyzzy", "m"], "unrecognized arguments: --xyzzy; see nmt-test --help"),
        (["m", "more"], "unrecognized arguments: more; see nmt-test --help"),
        ([], "the following arguments are required: MODEL; see nmt-test --help"),
        (["--beam-size", "x", "m"], "argument --beam-size: invalid int value: 'x'; see nmt-test --help"),
    ],
)
def test_options_that_do_not_exist_are_one_line_with_a_proposal(arguments, message, capsys):
    assert run(lambda: parser().parse_args(arguments) and None, "nmt-test") == 2
    assert capsys.readouterr() == ("", f"nmt-test: error: {message}\n")


def test_words_after_two_dashes_are_no_options():
    assert parser().parse_args(["--", "--beam"]).model == "--beam"


def test_help_and_version_are_on_stdout(capsys):
    assert run(lambda: parser().parse_args(["--version"]) and None, "nmt-test") == 0
    assert capsys.readouterr() == (f"nmt-test {nmt.__version__}\n", "")
    assert run(lambda: parser().parse_args(["--help"]) and None, "nmt-test") == 0
    assert "--beam-size" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", {}, "64"),
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}, "7"),
        ("LRU_CACHE_CAPACITY", {}, "1"),
        ("LRU_CACHE_CAPACITY", {"LRU_CACHE_CAPACITY": "7"}, "7"),
        ("GOMP_SPINCOUNT", {}, "10000"),
        ("GOMP_SPINCOUNT", {"GOMP_SPINCOUNT": "7"}, "7"),
        ("GOMP_SPINCOUNT", {"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_what_libraries_read_is_set_unless_the_user_says_otherwise(monkeypatch, name, given, found):
    for variable in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(variable, "")  # so that monkeypatch puts back what was there
        monkeypatch.delenv(variable)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    seen = []
    assert run(lambda: seen.append(os.environ.get(name)), "nmt-test") == 0
    assert seen == [found]


def test_what_somebody_typed_is_repeated_in_part_where_it_is_endless(capsys):
    assert run(raising(ConfigError(f"--n-best {'9' * 100_000}; see --help")), "nmt-test") == 2
    assert capsys.readouterr().err == f"nmt-test: error: --n-best {'9' * 200}…{'9' * 99}; see --help\n"
    assert run(raising(ConfigError("so many words " * 1000 + "; see --help")), "nmt-test") == 2
    line = capsys.readouterr().err
    assert 1900 < len(line) < 2100
    assert " … " in line
    assert line.endswith("; see --help\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the directory")
def test_a_current_directory_that_is_gone_is_told(tmp_path):
    path = str(tmp_path / "gone")
    process = script(f"os.mkdir({path!r}); os.chdir({path!r}); os.rmdir({path!r}); os.getcwd()")
    assert finish(process) == (
        2,
        "",
        "nmt-test: error: the current directory was deleted; change to one that exists\n",
    )
