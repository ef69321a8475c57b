"""Options of what is done to lines around a translator: see `nmt.translation.layers`."""

from __future__ import annotations

import argparse
from typing import Any

from nmt.errors import ConfigError


def add_layer_options(group: Any) -> None:
    """Add them to a group of a parser."""
    group.add_argument(
        "--split-sentences",
        action="store_true",
        help="translate each sentence of a line by itself, so that a line may hold several, and long ones",
    )


def check_layers(arguments: argparse.Namespace) -> None:
    """Refuse options that lines in parts cannot have: ConfigError."""
    is_list = arguments.n_best > 1 and not (arguments.rerank and arguments.sample and arguments.format == "text")
    if arguments.split_sentences and is_list:
        raise ConfigError("--n-best is for whole lines, and --split-sentences has only the best of each sentence")
