"""Run a command as if this processor had AVX2, and nothing that came later.

    python tools/older_processor.py make test
    python tools/older_processor.py python tools/benchmark_decoding.py MODEL --source FILE

All libraries of the command and of what it starts believe it: MKL, oneDNN, ONNX Runtime, CTranslate2. So what runs is
what would run on an older processor. The speeds are those of this one with such code. Reports name the stand-in.

It needs Linux, an x86 processor that can hide what it is (``cpuid_fault`` in /proc/cpuinfo), and a C compiler: ``cc``,
or what CC names.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.common import Parser, run
from nmt.errors import ConfigError, RunError

NAME = "older_processor.py"
SOURCE = Path(__file__).with_suffix(".c")
EMULATED = "OLDER_PROCESSOR"
"""The environment variable that says so to the command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return the exit code of the command."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(NAME, description=__doc__, usage=f"{NAME} COMMAND …")
    parser.add_argument("command", metavar="COMMAND", help="with its arguments")

    def command() -> int:
        parser.parse_args(words[:1])
        with tempfile.TemporaryDirectory() as directory:
            library = Path(directory) / "older_processor.so"
            build(library)
            return run_older(words, library)

    return run(command, NAME)


def build(library: Path) -> None:
    """Compile what is loaded before a program's libraries.

    Raises:
        ConfigError: there is no C compiler.
        RunError: it failed.
    """
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    # The loader runs what has initfirst before the libraries that ask for the processor when they are loaded.
    words = [*compiler, "-O2", "-shared", "-fPIC", "-Wl,-z,initfirst", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        finished = subprocess.run(words, capture_output=True, text=True)
    except OSError as error:
        raise ConfigError(f"there is no C compiler {compiler[0]}: install one, or name it in CC") from error
    if finished.returncode:
        raise RunError(f"{compiler[0]} could not compile {SOURCE}, which is for Linux on x86:\n{finished.stderr}")


def run_older(words: Sequence[str], library: Path) -> int:
    """Run a command with the library loaded, and return its exit code.

    Raises:
        ConfigError: there is no such command.
    """
    preloaded = ":".join(filter(None, (str(library), os.environ.get("LD_PRELOAD"))))
    try:
        code = subprocess.run(words, env=os.environ | {"LD_PRELOAD": preloaded, EMULATED: "avx2"}).returncode
    except FileNotFoundError as error:
        raise ConfigError(f"there is no command {words[0]}") from error
    return 128 - code if code < 0 else code  # as a shell tells the signal that ended it


if __name__ == "__main__":
    sys.exit(main())
