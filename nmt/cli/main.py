"""``nmt``: one door to all commands; it names them, finds the one that is meant, and calls it."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from nmt.cli.common import EXIT_CODES, run
from nmt.errors import ConfigError
from nmt.version import __version__

NAME = "nmt"


class Command(NamedTuple):
    """One thing that ``nmt`` can do."""

    name: str
    """the words after ``nmt``, as in ``corpus fetch``"""
    place: str
    """module and function that take the words after these and return an exit code"""
    summary: str


COMMANDS = (
    Command(
        "train",
        "nmt.cli.hydra.train:main",
        "train a model that translates, labels, classifies or continues text (nmt-train)",
    ),
    Command("translate", "nmt.cli.translate:main", "translate standard input line by line (nmt-translate)"),
    Command("translate-file", "nmt.cli.translate_file:main", "translate a document: .txt, .html, .po, .xliff, .srt"),
    Command("predict", "nmt.cli.predict:main", "run a model of any task over standard input line by line"),
    Command("evaluate", "nmt.cli.evaluate:main", "score a model or translations (nmt-evaluate)"),
    Command("score", "nmt.cli.score:main", "score given translations line by line, and align their words"),
    Command("export", "nmt.cli.export:main", "make a bundle fast on a CPU, also without PyTorch (nmt-export)"),
    Command("corpus fetch", "nmt.cli.corpus:fetch", "fetch a public corpus, verified"),
    Command("corpus split", "nmt.cli.corpus:split", "take a test set off the end of a training text"),
    Command("augment back-translate", "nmt.cli.augment:back_translate", "make pairs of text in the target language"),
    Command(
        "augment distill", "nmt.cli.augment:distill", "make text for a smaller model from a larger model's translations"
    ),
    Command("augment diversify", "nmt.cli.augment:diversify", "train on a text and on two models' translations of it"),
    Command("runs table", "nmt.cli.runs:table", "compare runs, the best settings first"),
    Command("runs plot", "nmt.cli.runs:plot", "draw the course of runs"),
    Command("runs show", "nmt.cli.runs:show", "show the settings, scores and times of a run"),
    Command("lab gradients", "nmt.cli.lab:gradients", "draw how far gradients of cells reach, and what they remember"),
)

_ENDING = f"""\
NMT COMMAND --help has the options of each and examples.

{EXIT_CODES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Call the command that the first words name, and return its exit code."""
    command_line = list(sys.argv[1:] if argv is None else argv)
    for command in COMMANDS:
        parts = command.name.split()
        if command_line[: len(parts)] == parts:
            module, _, function = command.place.partition(":")
            code: int = getattr(importlib.import_module(module), function)(command_line[len(parts) :])
            return code
    group = command_line[0] if command_line and command_line[0] in _groups() else ""
    rest = command_line[1:] if group else command_line
    return run(lambda: _answer(group, rest), f"{NAME} {group}".rstrip())


def overview(group: str = "") -> str:
    """List all commands, or those of a group."""
    listed = [command for command in COMMANDS if not group or command.name.startswith(f"{group} ")]
    width = max(len(command.name) for command in listed)
    head = f"usage: {NAME} {group}{' ' if group else ''}COMMAND [options]"
    lines = [f"  {NAME} {command.name:<{width}}  {command.summary}" for command in listed]
    return "\n".join([head, "", *lines, "", _ENDING.replace("NMT", f"{NAME} {group}".rstrip())])


def _answer(group: str, words: list[str]) -> None:
    """Print what was asked for where no command was named.

    Raises:
        ConfigError: the word is neither an option nor a command.
    """
    word = words[0] if words else "--help"
    if word in ("-h", "--help", "help"):
        print(overview(group))
    elif word == "--version":
        print(f"{NAME} {__version__}")
    else:
        raise ConfigError(f"there is no command {word}; {_hint(group, word)}")


def _groups() -> set[str]:
    return {command.name.split()[0] for command in COMMANDS if " " in command.name}


def _hint(group: str, word: str) -> str:
    """Name the command that a word is most like, by its own last word or by its group; those of the group first."""
    here = [command.name for command in COMMANDS if command.name.startswith(f"{group} ")]
    for names in (here, [command.name for command in COMMANDS]):
        meant = {part: name for name in reversed(names) for part in (name.split()[0], name.split()[-1])}
        meant |= {name: name for name in _groups()} if names is not here else {}
        if near := difflib.get_close_matches(word, meant, n=1):
            return f"did you mean {NAME} {meant[near[0]]}?"
    return f"{NAME} {group}{' ' if group else ''}--help lists them"


if __name__ == "__main__":
    sys.exit(main())
