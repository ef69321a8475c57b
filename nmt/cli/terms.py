"""Options of terms: ``--glossary`` and ``--terms``."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmt.cli.common import report
from nmt.config.choices import TermMode
from nmt.errors import ConfigError
from nmt.text.glossary import read_glossary
from nmt.text.terms import Term


def add_term_options(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument(
        "--glossary",
        metavar="FILE",
        help="terms: on each line a source, a tab and its target; further tabs and forms of the target may follow",
    )
    group.add_argument(
        "--terms",
        choices=[mode.name for mode in TermMode],
        help="soft: targets of terms are favoured, and may inflect; hard: each is written in one of its forms, which "
        "takes a beam of 2 or more (default: as the model was saved with, soft as a rule)",
    )


def check_terms(arguments: argparse.Namespace) -> None:
    """Refuse what means nothing, and warn of what is odd in a glossary.

    Raises:
        ConfigError: an option means nothing, the glossary cannot be read, or a line of it is no term.
    """
    if arguments.glossary == "":
        raise ConfigError("--glossary is empty: name a file of terms")
    if arguments.terms is not None and arguments.glossary is None and arguments.input_format == "text":
        raise ConfigError("--terms says what terms are, and there are none: add --glossary FILE, or leave it out")
    if arguments.glossary is not None:
        for warning in () if arguments.quiet else read_glossary(Path(arguments.glossary)).warnings:
            report(arguments.command.name, f"warning: {warning}")


def glossary_of(arguments: argparse.Namespace) -> tuple[Term, ...]:
    """Read the terms of all lines; errors as of `check_terms`."""
    return () if arguments.glossary is None else read_glossary(Path(arguments.glossary)).terms
