"""Tests of the stand-in for an older processor. Where it cannot work, nothing of it is tested but its messages."""

import shutil
import signal
import sys
from pathlib import Path

import pytest

CPU = Path("/proc/cpuinfo")
can_hide = pytest.mark.skipif(
    not (shutil.which("cc") and CPU.exists() and "cpuid_fault" in CPU.read_text(encoding="utf-8", errors="replace")),
    reason="it needs a C compiler, and a processor that can hide what it is",
)
# The thread blocks all signals, as libraries let their own do, and is the first to ask for the processor.
ASKS = """
import faulthandler, signal, subprocess, sys, threading
faulthandler.enable()
def ask():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    import torch
    print(torch.backends.cpu.get_cpu_capability(), flush=True)
thread = threading.Thread(target=ask)
thread.start()
thread.join()
if not sys.argv[1:]:
    subprocess.run([sys.executable, *sys.orig_argv[1:], "again"], check=True)
"""


@can_hide
def test_a_command_and_what_it_starts_find_an_older_processor(run_tool):
    code, printed, _ = run_tool("older_processor", sys.executable, "-c", ASKS)
    assert (printed.split(), code) == (["AVX2", "AVX2"], 0)


@can_hide
def test_the_code_of_the_command_is_returned(run_tool):
    assert run_tool("older_processor", sys.executable, "-c", "raise SystemExit(7)")[0] == 7


@can_hide
@pytest.mark.parametrize("how", ["import ctypes; ctypes.string_at(0)", "import os; os.kill(os.getpid(), 11)"])
def test_other_faults_end_the_command_as_ever(run_tool, how):
    code = run_tool("older_processor", sys.executable, "-c", how)[0]
    assert code == 128 + signal.SIGSEGV


@can_hide
def test_the_report_of_a_benchmark_names_the_stand_in(run_tool):
    words = "import sys; sys.path.insert(0, 'tools'); from benchmarking.processor import header; print(header())"
    code, printed, _ = run_tool("older_processor", sys.executable, "-c", words)
    assert "stands in for an older one: OLDER_PROCESSOR=avx2" in printed
    assert code == 0


def test_a_compiler_that_is_not_there_is_named(load_tool, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CC", "no-such-compiler -O3")
    assert load_tool("older_processor").main(["true"]) == 2
    assert "there is no C compiler no-such-compiler: install one, or name it in CC" in capsys.readouterr().err


def test_a_compiler_that_fails_is_quoted(load_tool, monkeypatch, capsys):
    monkeypatch.setenv("CC", f"{sys.executable} -c 'import sys; sys.exit(\"not for this machine\")'")
    assert load_tool("older_processor").main(["true"]) == 1
    assert "not for this machine" in capsys.readouterr().err


@can_hide
def test_a_command_that_is_not_there_is_named(run_tool):
    code, _, errors = run_tool("older_processor", "no-such-command")
    assert (errors, code) == ("older_processor.py: error: there is no command no-such-command\n", 2)
