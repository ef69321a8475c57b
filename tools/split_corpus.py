r"""Take a test set off the end of a training text, the same pairs on every machine.

The last pairs of the training text become the test set, without those one side of which also is in the rest of the
training text, in the validation text, or earlier in the test set. Writes train, test and, where one is given, valid
into a new directory; what is given is left as it is.

    python tools/split_corpus.py corpora/3am/train --valid corpora/3am/val --source zh --target en --last 1000 \
        --output corpora/3am_zh_en
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from nmt.cli.common import Parser, run
from nmt.corpus.reader import Pair, read_pairs, resolve
from nmt.errors import ConfigError

NAME = "split_corpus.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: split(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("train", metavar="PREFIX", help="training text: PREFIX.SOURCE, PREFIX.TARGET; or .tsv")
    parser.add_argument("--valid", metavar="PREFIX", help="validation text, named likewise")
    parser.add_argument("--source", metavar="LANGUAGE", required=True, help="suffix of the source files")
    parser.add_argument("--target", metavar="LANGUAGE", required=True, help="suffix of the target files")
    parser.add_argument("--last", type=int, default=1000, metavar="N", help="pairs to take off (default: 1000)")
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", required=True, help="a new directory")
    arguments = parser.parse_args(argv)
    if arguments.last < 1:
        raise ConfigError(f"--last {arguments.last} is not possible: it must be 1 or more")
    if arguments.output.exists():
        raise ConfigError(f"--output {arguments.output} is there already: name a new directory, or remove it first")
    return arguments


def split(arguments: argparse.Namespace) -> None:
    """Read, split and write, all or nothing.

    Raises:
        CorpusError: a text is missing or misaligned.
        ConfigError: the training text has no more than --last pairs.
        OSError: the directory cannot be written.
    """
    languages = (arguments.source, arguments.target)
    given = {"train": arguments.train, "valid": arguments.valid}
    texts = {
        key: list(read_pairs(resolve(name, source=languages[0], target=languages[1], key=key)))
        for key, name in given.items()
        if name
    }
    train, last = texts["train"], arguments.last
    if len(train) <= last:
        raise ConfigError(f"--last {last} leaves nothing of the {len(train)} pairs of {arguments.train}; lower it")
    texts["train"] = train[:-last]
    texts["test"] = unseen(train[-last:], seen=(pair for name in given if name in texts for pair in texts[name]))
    output: Path = arguments.output
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, pairs in texts.items():
            for side, language in enumerate(languages):
                with open(partial / f"{name}.{language}", "w", encoding="utf-8", newline="\n") as file:
                    file.writelines(f"{pair[side]}\n" for pair in pairs)
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    counts = ", ".join(f"{len(pairs):,} {name}" for name, pairs in texts.items())
    print(f"{output}: {counts} pairs; {last - len(texts['test'])} of the last {last:,} were left out as seen before")


def unseen(pairs: Iterable[Pair], *, seen: Iterable[Pair]) -> list[Pair]:
    """List the pairs neither side of which is a side of those seen, or of an earlier pair; outer spaces are nothing."""
    known: tuple[set[str], set[str]] = (set(), set())

    def see(pair: Pair) -> None:
        for side, text in zip(known, pair, strict=True):
            side.add(text.strip())

    for pair in seen:
        see(pair)
    kept = []
    for pair in pairs:
        if not any(text.strip() in side for side, text in zip(known, pair, strict=True)):
            kept.append(pair)
        see(pair)
    return kept


if __name__ == "__main__":
    sys.exit(main())
