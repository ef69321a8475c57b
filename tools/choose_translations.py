r"""Choose one translation of each line from an n-best list, by something else than the model's own ranking.

A filter behind nmt-translate, from its --format jsonl to one line of text for each:

    nmt-translate runs/mine/best --beam-size 10 --n-best 10 --format jsonl < input.en \
        | python tools/choose_translations.py > output.de

--by agreement (the default) takes the translation that resembles the others most: the one of the highest expected
similarity, where the model's probabilities, flattened to their power --sharpness, say how likely each other one is to
be right (minimum Bayes risk: Kumar & Byrne 2004, with chrF as here Freitag et al. 2022). On Multi30k it is worth 0.7 to
1.0 chrF, for some 25 ms a line of ten translations (docs/RESULTS.md).

--by reference takes the one most like the line of --reference, and --by chance any one: both make texts to train on,
the first from a translation of a text's sources (sequence-level interpolation: Kim & Rush 2016), the second a more
varied one than the best translations are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nmt.cli.common import Parser, run, standard_output
from nmt.errors import ConfigError, CorpusError

NAME = "choose_translations.py"
SHARPNESS = 0.5

Similarity = Callable[[str, str], float]


class Candidate(NamedTuple):
    """One translation of a line."""

    text: str
    log_prob: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: choose(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument(
        "--by", choices=("agreement", "reference", "chance"), default="agreement", help="see above (default: agreement)"
    )
    parser.add_argument(
        "--sharpness",
        type=float,
        default=SHARPNESS,
        metavar="X",
        help=f"of the probabilities, for agreement; 0: all count alike (default: {SHARPNESS:g})",
    )
    parser.add_argument("--reference", type=Path, metavar="FILE", help="a line for each line, plain or .gz")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of chance (default: 1)")
    arguments = parser.parse_args(argv)
    if not (math.isfinite(arguments.sharpness) and arguments.sharpness >= 0):
        raise ConfigError(f"--sharpness {arguments.sharpness:g} is not possible: it must be 0 or more")
    if (arguments.reference is not None) != (arguments.by == "reference"):
        raise ConfigError("--by reference and --reference FILE belong together: give both, or neither")
    if arguments.reference is not None and not arguments.reference.is_file():
        raise CorpusError(f"--reference {arguments.reference}: there is no such file; check the path")
    return arguments


def choose(arguments: argparse.Namespace) -> None:
    """Read lists from standard input and write what is chosen to standard output, line by line.

    Raises:
        ConfigError: a stream is closed.
        CorpusError: the input is not what nmt-translate writes, or the reference has another number of lines.
    """
    from nmt.data.corpus import read_lines
    from nmt.evaluation.metrics import sentence_chrf

    if sys.stdin is None:
        raise ConfigError(f"standard input is closed: pipe nmt-translate --n-best 10 --format jsonl into {NAME}")
    out = standard_output()
    lists = read_lists(sys.stdin.buffer)
    chosen: Iterator[str]
    if arguments.by == "reference":
        lines = read_lines(arguments.reference)
        chosen = (
            nearest(candidates, line, similarity=sentence_chrf)
            for candidates, line in beside(lists, lines, name=str(arguments.reference))
        )
    elif arguments.by == "chance":
        chosen = (any_of(candidates, f"{arguments.seed} {n}") for n, candidates in enumerate(lists))
    else:
        likeliest = partial(agreed, similarity=sentence_chrf, sharpness=arguments.sharpness)
        chosen = map(likeliest, lists)
    for text in chosen:
        out.write(f"{text}\n".encode())
        out.flush()


def read_lists(lines: Iterable[bytes]) -> Iterator[list[Candidate]]:
    """Read what nmt-translate --format jsonl writes: the finished translations of each line, or all if none is.

    Raises:
        CorpusError: a line is something else.
    """
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            hypotheses = found.get("hypotheses", [found])
            finished = [each for each in hypotheses if each["finished"]] or hypotheses
            candidates = [Candidate(str(each["text"]), float(each["log_prob"])) for each in finished]
            likeliest = max(candidate.log_prob for candidate in candidates)
        except (ValueError, KeyError, TypeError, AttributeError):
            likeliest = math.nan
        if not math.isfinite(likeliest):
            raise CorpusError(
                f"standard input, line {number}: this is no list of translations; "
                "pipe nmt-translate --n-best 10 --format jsonl into it"
            )
        yield candidates


def beside(
    lists: Iterable[list[Candidate]], lines: Iterable[str], *, name: str
) -> Iterator[tuple[list[Candidate], str]]:
    """Pair lists and lines; raises CorpusError where one side ends first."""
    for number, (candidates, line) in enumerate(itertools.zip_longest(lists, lines), start=1):
        if candidates is None or line is None:
            side = "standard input" if candidates is None else name
            raise CorpusError(f"{side} has {number - 1} lines, the other side more; give a reference of the same text")
        yield candidates, line


def nearest(candidates: Sequence[Candidate], line: str, *, similarity: Similarity) -> str:
    """Take the translation most like a line, of equals the first."""
    return max((candidate.text for candidate in candidates), key=lambda text: similarity(text, line))


def any_of(candidates: Sequence[Candidate], seed: str) -> str:
    """Take one at random, all being equally likely; the same of the same list with the same seed."""
    return random.Random(seed).choice(candidates).text


def agreed(candidates: Sequence[Candidate], *, similarity: Similarity, sharpness: float) -> str:
    """Take the translation of the highest expected similarity to what may be right, of equals the first.

    Translations that read alike count as one, with the sum of their probabilities.
    """
    largest = max(candidate.log_prob for candidate in candidates)
    weights: dict[str, float] = {}
    for text, log_prob in candidates:
        weights[text] = weights.get(text, 0.0) + math.exp(sharpness * (log_prob - largest))
    return max(weights, key=lambda text: sum(weight * similarity(text, other) for other, weight in weights.items()))


if __name__ == "__main__":
    sys.exit(main())
