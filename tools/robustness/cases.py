"""A case: one run of a command, whose conditions follow from a seed, a kind and a number, and from nothing else."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Change = Callable[[Path], None]
"""Changes the files of a case, given the directory in which its command will run."""

MODEL = "model"
"""Where a case has its model: the directory of a run, of which BUNDLE is one part."""
BUNDLE = f"{MODEL}/best"
OTHER = "other/best"
"""Where a case has a second bundle, of another model."""


@dataclass(frozen=True)
class Part:
    """What can be left out of a case so that a case remains."""

    about: str
    """what it does, for people to read"""
    words: tuple[str, ...] = ()
    """words of the command line"""
    change: Change | None = None


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What the command reads and writes, and how much it may write."""

    stdin: str = "text"
    """text or closed"""
    stdout: str = "file"
    """file, closed, full (/dev/full) or gone (a pipe that nobody reads)"""
    stderr: str = "pipe"
    """pipe or closed"""
    file_limit: int | None = None
    """bytes that a file may have (ulimit -f)"""
    directory_gone: bool = False
    """whether the current directory has been removed"""
    ascii_locale: bool = False
    """whether the command starts as a process of its own in the locale C, where Python may not turn to UTF-8"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run of a command."""

    kind: str
    number: int
    command: str
    """its name, as in nmt-translate"""
    words: tuple[str, ...] = ()
    """the first words of the command line; bytes that are not UTF-8 are surrogates, as in sys.argv"""
    parts: tuple[Part, ...] = ()
    """what is odd about the case"""
    ending: tuple[str, ...] = ()
    """the last words of the command line"""
    text: bytes = b""
    """standard input"""
    model: str | None = None
    """name of the model that lies in MODEL"""
    other: str | None = None
    """name of the model that lies in OTHER"""
    whole_run: bool = False
    """whether all of a run lies in MODEL, its state too"""
    alone: tuple[int, ...] = ()
    """numbers of lines, counted from 0, whose translations must be those of the lines alone"""
    streams: Streams = field(default_factory=Streams)

    @property
    def name(self) -> str:
        """The name that --only takes."""
        return f"{self.kind}:{self.number}"

    def arguments(self) -> list[str]:
        """Return the whole command line after the command's name."""
        return [*self.words, *(word for part in self.parts for word in part.words), *self.ending]

    def shell(self) -> str:
        """Write the command line for a shell, what is not ASCII escaped."""
        return " ".join([self.command, *map(quoted, self.arguments())])

    def without(self, number: int) -> Case:
        """Return the case without one of its parts."""
        return dataclasses.replace(self, parts=(*self.parts[:number], *self.parts[number + 1 :]))


def quoted(word: str) -> str:
    """Quote a word for bash, in ASCII; long ones are cut in the middle, which is said."""
    if len(word) > 200:
        return quoted(word[:60]) + f"...({len(word)} characters)..." + quoted(word[-20:])
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    content = word.encode("utf-8", "surrogateescape")
    special = {0x27: "\\'", 0x5C: "\\\\"}
    return "$'" + "".join(special.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in content) + "'"


def generator(seed: int, kind: str, number: int) -> Random:
    """Make the source of all that is drawn for a case."""
    return Random(f"{seed}/{kind}/{number}")


def words_of(text: str) -> tuple[str, ...]:
    """Part a text at its spaces: a list of words that is easy to read."""
    return tuple(text.split())
