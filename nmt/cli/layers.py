"""Options of what is done to lines around a translator: see `nmt.translation.layers`."""

from __future__ import annotations

import argparse
from typing import Any

from nmt.errors import ConfigError

_MARKUP = ("html", "tags")


def add_layer_options(group: Any) -> None:
    """Add them to a group of a parser."""
    group.add_argument(
        "--split-sentences",
        action="store_true",
        help="translate each sentence of a line by itself, so that a line may hold several, and long ones",
    )
    group.add_argument(
        "--markup",
        choices=_MARKUP,
        help="take the tags out of a line and put them back where their words went: those of html, whose blocks are "
        "translated by themselves, or tags of any name, as XLIFF has",
    )


def check_layers(arguments: argparse.Namespace) -> None:
    """Refuse options that lines in parts cannot have: ConfigError."""
    is_list = arguments.n_best > 1 and not (arguments.rerank and arguments.sample and arguments.format == "text")
    for option, is_on in (("--split-sentences", arguments.split_sentences), ("--markup", arguments.markup is not None)):
        if is_on and is_list:
            raise ConfigError(f"--n-best is for whole lines, and {option} has only the best of each part")
    if arguments.markup is not None and arguments.prefixes is not None:
        raise ConfigError("--prefixes is for lines without tags, which would stand in its way: leave --markup out")
    if arguments.markup is not None and arguments.alignments:
        raise ConfigError("--alignments counts the words of lines without tags: leave --markup out")
