"""Fixtures of the tests of tools: a tool as a module, and a tool as a command."""

import importlib
import os
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


@pytest.fixture(scope="session")
def load_tool():
    """A function from the name of a tool, or of what tools share (``benchmarking.peers``), to the module."""
    sys.path.insert(0, str(TOOLS))  # as Python does for a script
    yield importlib.import_module
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="session")
def python_that_finds(tmp_path_factory):
    """A function that makes a Python, for a peer, that finds the packages of one more directory."""

    def make(directory):
        program = tmp_path_factory.mktemp("python") / "python"
        path = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))
        words = f'PYTHONPATH={shlex.quote(path)} exec {shlex.quote(sys.executable)} "$@"'
        program.write_text(f"#!/bin/sh\n{words}\n", encoding="utf-8")
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture(scope="session")
def run_tool(new_command):
    """A function that runs a tool as a command with one thread, and returns what it printed and its exit code."""

    def run(name, *words):
        return new_command(TOOLS / f"{name}.py", encoding="utf-8")(*words)

    return run
