"""Verify that what a translation must give back comes back: odd characters, URLs and placeholders in real text.

    python tools/verify_protection.py runs/demo/best --corpus corpora/demo/test
    python tools/verify_protection.py BUNDLE --corpus corpora/multi30k/test_2016_flickr --lines 5000 --precision int8

Each line of the test text gets one to three insertions, at places that a seed draws. A line is kept if each of them
stands in its translation as often as in the line. The share of kept lines is printed, with the first lines that are not
kept; the exit code is 1 where the share is below --least.
"""

from __future__ import annotations

import argparse
import random
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.cli.common import Parser, run
from nmt.cli.options import Asked, add_machine_options, add_search_options, load_translator
from nmt.corpus.reader import read_lines
from nmt.errors import ConfigError, RunError

NAME = "verify_protection.py"
_SHOWN = 10
_WORDS = ("news", "shop", "data", "Home", "x1", "user_7", "ärzte", "2024", "index", "Q")
_FORMS = (
    "https://{}.example.com/{}?{}=1",
    "http://{}.org/{}#{}",
    "www.{}-{}.net/{}",
    "{}.{}@{}.example.org",
    "@{}{}_{}",
    "#{}{}{}",
    "%({}_{}_{})s",
    "{{{}_{}_{}}}",
    "${{{}.{}.{}}}",
    "&{}{}{};",
)
_SHORT = ("%s", "%d", "%1$s", "%.2f", "{}", "{0}", "{x}", "&amp;", "&#39;", "&nbsp;")


class Changed(NamedTuple):
    """A line, and what was put into it."""

    text: str
    inserted: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: verify(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", help="what translates")
    parser.add_argument("--corpus", required=True, metavar="PREFIX", help="of the test text")
    parser.add_argument("--source", default="en", metavar="LANGUAGE", help="suffix of its source (default: en)")
    parser.add_argument("--lines", type=int, default=5000, metavar="N", help="the text is repeated (default: 5000)")
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="seed of the insertions (default: 1)")
    parser.add_argument("--least", type=float, default=99.5, metavar="PERCENT", help="(default: 99.5)")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.lines < 1:
        raise ConfigError(f"--lines {arguments.lines} is not possible: it must be 1 or more")
    return arguments


def changed_lines(lines: Sequence[str], *, count: int, seed: int) -> Iterator[Changed]:
    """Put one to three insertions into each of so many lines."""
    draw = random.Random(seed)
    for number in range(count):
        words, inserted = lines[number % len(lines)].split(" "), []
        for _ in range(draw.randint(1, 3)):
            new = insertion(draw)
            if any(new in old or old in new for old in [*inserted, " ".join(words)]):
                continue  # it could not be counted
            words.insert(draw.randint(0, len(words)), new)
            inserted.append(new)
        yield Changed(" ".join(words), inserted)


def insertion(draw: random.Random) -> str:
    """Draw a run of random characters, a URL, an address, a name or a placeholder."""
    kind = draw.random()
    if kind < 0.4:
        return "".join(_character(draw) for _ in range(draw.randint(1, 4)))
    if kind < 0.6:
        return draw.choice(_SHORT)
    parts = [draw.choice(_WORDS) for _ in range(3)]
    form = draw.choice(_FORMS)
    if form.startswith("&"):
        parts = [part for part in parts if part.isascii() and part.isalpha()] + ["x", "y", "z"]
    return form.format(*parts[:3])


def _character(draw: random.Random) -> str:
    """Draw a visible character of any script that Unicode has."""
    while True:
        character = chr(draw.randrange(0xA1, 0x30000))
        if unicodedata.category(character)[0] in "LNPS":
            return character


def verify(arguments: argparse.Namespace) -> None:
    """Translate, count and print.

    Raises:
        RunError: fewer lines are kept than asked for.
    """
    texts = [*read_lines(Path(f"{arguments.corpus}.{arguments.source}"))]
    changed = list(changed_lines(texts, count=arguments.lines, seed=arguments.draws))
    translator = load_translator(arguments, arguments.bundle, Asked()).translator
    translations = translator.translate([each.text for each in changed])
    lost: Counter[str] = Counter()
    for each, translation in zip(changed, translations, strict=True):
        if all(translation.text.count(new) == each.text.count(new) for new in each.inserted):
            continue
        lost["lines"] += 1
        if lost["lines"] <= _SHOWN:
            print(f"{each.text}\n  → {translation.text}")
    share = 100 * (1 - lost["lines"] / len(changed))
    print(
        f"{arguments.bundle}: {share:.2f} % of {len(changed):,} lines give back each insertion, {lost['lines']} do not"
    )
    if share < arguments.least:
        raise RunError(f"{share:.2f} % is below --least {arguments.least:g}")


if __name__ == "__main__":
    sys.exit(main())
