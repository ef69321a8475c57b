"""Other toolkits, run beside ours where they are installed: each by its own Python, since they need old packages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarking.machine import environment
from nmt.errors import ConfigError, RunError

_INSIDE = Path(__file__).parent / "inside_peers"


class Toolkit(NamedTuple):
    """A toolkit that can be measured."""

    title: str
    package: str
    """what Python imports"""
    distribution: str
    """what pip installs"""


TOOLKITS = {
    "onmt": Toolkit("OpenNMT-py", "onmt", "OpenNMT-py"),
    "joey": Toolkit("JoeyNMT", "joeynmt", "joeynmt"),
    "ctranslate2": Toolkit("CTranslate2", "ctranslate2", "ctranslate2"),
}


class Peer(NamedTuple):
    """A toolkit on this machine."""

    kind: str
    python: str
    version: str

    @property
    def title(self) -> str:
        """Its name and version, as tables show them."""
        return f"{TOOLKITS[self.kind].title} {self.version}"

    def run(self, script: str, request: dict[str, Any], *, threads: int) -> dict[str, Any]:
        """Run one of the scripts inside the peer, and return what it found.

        Args:
            script: its name without .py.
            request: what it reads; "result", the file that it writes, is added.
            threads: of the process.

        Raises:
            RunError: it ended without a result.
        """
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder) / "result.json"
            words = [self.python, "-W", "ignore", str(_INSIDE / f"{script}.py")]
            finished = subprocess.run(
                [*words, json.dumps(request | {"result": str(result)})],
                cwd=folder,
                env=environment(threads),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
            if finished.returncode or not result.exists():
                raise RunError(
                    f"{self.title} does not run: it ended with exit code {finished.returncode} and the words "
                    f"{_last_words(finished.stdout)!r}; try a version of it that suits its Python, {self.python}"
                )
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
            return found


def find_peers(kinds: Sequence[str], pythons: Sequence[str]) -> list[Peer]:
    """Find toolkits: with one Python for all of them, or one for each in their order.

    Raises:
        ConfigError: a kind is unknown, a Python is missing, or has not the toolkit.
    """
    for kind in kinds:
        if kind not in TOOLKITS:
            raise ConfigError(f"--peer {kind} is unknown: take one of {', '.join(TOOLKITS)}")
    if len(pythons) not in (0, 1, len(kinds)):
        raise ConfigError(
            f"there are {len(pythons)} --peer-python for {len(kinds)} --peer: give one for all, or one for each"
        )
    chosen = list(pythons) if len(pythons) == len(kinds) else list(pythons or [sys.executable]) * len(kinds)
    return [_find(kind, python) for kind, python in zip(kinds, chosen, strict=True)]


def _find(kind: str, python: str) -> Peer:
    toolkit = TOOLKITS[kind]
    program = shutil.which(python)
    if not program:
        raise ConfigError(f"--peer-python {python}: there is no such program; name the Python of {toolkit.title}")
    code = f"import {toolkit.package}, importlib.metadata as m; print(m.version({toolkit.distribution!r}))"
    finished = subprocess.run([program, "-W", "ignore", "-c", code], capture_output=True, text=True)
    if finished.returncode:
        raise ConfigError(
            f"{toolkit.title} cannot be imported by {python} ({_last_words(finished.stderr)}); install it into an "
            "environment of its own and name that one's python with --peer-python"
        )
    # Not the resolved path: an environment's python is a link, and finds its packages by the link's own place.
    return Peer(kind, str(Path(program).absolute()), finished.stdout.strip().splitlines()[-1])


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "nothing said"
