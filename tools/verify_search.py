"""Count, for a bundle's model in one precision, what depends on the batch: translations, and log-probabilities too.

What is promised of a bundle is checked by nmt-export MODEL --verify. This counts what nobody promises, as in bf16.

    python tools/verify_search.py runs/multi30k_en_de/best corpora/multi30k/test_2016_flickr.en --precision bf16
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.bundle.loading import load
from nmt.cli.common import Parser, run
from nmt.config.choices import PRECISIONS
from nmt.corpus.reader import read_lines
from nmt.evaluation.subject import Subject

NAME = "verify_search.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL", help="a bundle")
    parser.add_argument("source", type=Path, metavar="FILE", help="sentences to translate")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N lines (default: all)")
    parser.add_argument("--precision", choices=PRECISIONS, help="of the model (default: the fastest that it has)")

    def command() -> int:
        arguments = parser.parse_args(argv)
        lines = list(read_lines(arguments.source))[: arguments.limit or None]
        return count(Subject("", load(arguments.model, precision=arguments.precision), lines))

    return run(command, NAME)


def count(subject: Subject) -> int:
    """Print how many translations are others in a batch, and by how much the scores of the rest are; return 0."""
    total = len(subject.lines)
    for beam in (1, 5):
        for name, together in subject.in_batches(beam):
            pairs = zip(subject.alone(beam), together, strict=True)
            gaps = [abs(one.log_prob - other.log_prob) for one, other in pairs if one.tokens == other.tokens]
            differ, apart = total - len(gaps), sum(gap > 0 for gap in gaps)
            print(
                f"beam {beam}, batch {name} against 1: {total} sentences, {differ} differ; "
                f"of the others {apart} log-probabilities do, by {max(gaps, default=0):.1e} at most"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
