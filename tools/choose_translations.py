r"""Choose of each line's translations the one that resembles the others most, instead of the likeliest.

A filter behind nmt-translate, from its --format jsonl to one line of text for each:

    nmt-translate runs/mine/best --beam-size 10 --n-best 10 --format jsonl < input.en \
        | python tools/choose_translations.py > output.de

It takes the translation of the highest expected chrF, where the model's probabilities, flattened to their power
--sharpness, say how likely each other one is to be right (minimum Bayes risk: Kumar & Byrne 2004; of n-best lists with
such metrics: Freitag et al. 2022). On Multi30k that is worth 0.7 to 1.0 chrF, for some 25 ms a line of ten translations
(docs/RESULTS.md).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        "--sharpness",
        type=float,
        default=SHARPNESS,
        metavar="X",
        help=f"of the probabilities; 0: all count alike (default: {SHARPNESS:g})",
    )
    arguments = parser.parse_args(argv)
    if not (math.isfinite(arguments.sharpness) and arguments.sharpness >= 0):
        raise ConfigError(f"--sharpness {arguments.sharpness:g} is not possible: it must be 0 or more")
    return arguments


def choose(arguments: argparse.Namespace) -> None:
    """Read lists from standard input and write what is chosen to standard output, line by line.

    Raises:
        ConfigError: a stream is closed.
        CorpusError: the input is not what nmt-translate writes.
    """
    from nmt.evaluation.metrics import sentence_chrf

    if sys.stdin is None:
        raise ConfigError(f"standard input is closed: pipe nmt-translate --n-best 10 --format jsonl into {NAME}")
    out = standard_output()
    for candidates in read_lists(sys.stdin.buffer):
        text = agreed(candidates, similarity=sentence_chrf, sharpness=arguments.sharpness)
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
