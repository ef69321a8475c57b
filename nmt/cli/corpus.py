"""``nmt corpus``: fetch public corpora, and take a test set off a text."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.common import EXIT_CODES, Parser, report, run
from nmt.errors import ConfigError

FETCH, SPLIT = "nmt corpus fetch", "nmt corpus split"

_FETCH = """\
Fetch a public corpus, verified, whole or not at all.

A recipe says where the files of a corpus are. It has their checksums, the licence and what to cite. Files that are
there already, with the right checksum, are not fetched again."""

_FETCH_EXAMPLES = f"""\
examples:
  nmt corpus fetch --list
  nmt corpus fetch multi30k
  nmt corpus fetch multi30k --from /data/multi30k --output data/multi30k

{EXIT_CODES}"""

_SPLIT = """\
Take a test set off the end of a training text, the same pairs on every machine.

The last pairs of the training text become the test set. A pair is left out if the rest of the training text,
the validation text or an earlier test pair has one of its sides.

Writes train, test and, where you give one, valid into a new directory. The texts that you name stay as they are."""

_SPLIT_EXAMPLES = f"""\
example:
  nmt corpus split corpora/3am/train --valid corpora/3am/val --source zh --target en --last 1000 \\
      --output corpora/3am_zh_en

{EXIT_CODES}"""


def fetch(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt corpus fetch`` and return its exit code."""
    return run(lambda: _fetch(_parse_fetch(argv)), FETCH)


def split(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt corpus split`` and return its exit code."""
    return run(lambda: _split(_parse_split(argv)), SPLIT)


def _parse_fetch(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(FETCH, description=_FETCH, epilog=_FETCH_EXAMPLES)
    parser.add_argument("corpus", nargs="?", metavar="NAME", help="which corpus; see --list")
    parser.add_argument(
        "--from", dest="address", default="", metavar="DIR-OR-URL", help="a copy to use instead of the public one"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the files go (default: corpora/NAME)")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe of your own instead of NAME")
    parser.add_argument("--list", action="store_true", help="list the known corpora and their licences")
    return parser.parse_args(argv)


def _fetch(arguments: argparse.Namespace) -> None:
    from nmt.files import saving
    from nmt.recipes.fetch import fetch, known_recipes, load_recipe

    recipes = known_recipes()
    if arguments.list:
        for path in recipes.values():
            recipe = load_recipe(path)
            print(f"{recipe.name}: {recipe.description} [{recipe.licence}]")
        return
    if arguments.recipe is None and arguments.corpus not in recipes:
        what = f"{arguments.corpus}: unknown corpus" if arguments.corpus else "no corpus is named"
        raise ConfigError(f"{what}; known: {', '.join(recipes)}")
    address = arguments.address.rstrip("/") or arguments.address
    if address and "://" not in address and not Path(address).is_dir():
        raise ConfigError(f"--from {address}: there is no such directory; name a directory or a URL")
    recipe = load_recipe(arguments.recipe or recipes[arguments.corpus])
    output = arguments.output or Path("corpora") / recipe.name
    with saving(output, elsewhere="choose another --output"):
        fetched = fetch(recipe, output, address=address, progress=lambda name: report(FETCH, f"fetching {name}"))
    state = "complete" if fetched else "already complete"
    print(f"{recipe.name}: {state} in {output} ({len(recipe.files)} files verified)")
    print(f"licence: {recipe.licence}\nplease cite: {recipe.citation}")


def _parse_split(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(SPLIT, description=_SPLIT, epilog=_SPLIT_EXAMPLES)
    parser.add_argument("train", metavar="PREFIX", help="training text: PREFIX.SOURCE, PREFIX.TARGET; or .tsv")
    parser.add_argument("--valid", default="", metavar="PREFIX", help="validation text, named in the same way")
    parser.add_argument("--source", metavar="LANGUAGE", required=True, help="suffix of the source files")
    parser.add_argument("--target", metavar="LANGUAGE", required=True, help="suffix of the target files")
    parser.add_argument("--last", type=int, default=1000, metavar="N", help="pairs to take off (default: 1000)")
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", required=True, help="a new directory")
    arguments = parser.parse_args(argv)
    if arguments.last < 1:
        raise ConfigError(f"--last {arguments.last} is not possible: it must be 1 or more")
    return arguments


def _split(arguments: argparse.Namespace) -> None:
    from nmt.recipes.split import split

    languages = {"source": arguments.source, "target": arguments.target}
    result = split(arguments.train, arguments.output, valid=arguments.valid, last=arguments.last, **languages)
    counts = ", ".join(f"{count:,} {name}" for name, count in result.pairs.items())
    last = f"{result.seen} of the last {arguments.last:,} were left out as seen before"
    print(f"{arguments.output}: {counts} pairs; {last}")
