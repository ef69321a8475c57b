"""Compare runs: one row for each setting, its scores averaged over seeds, the best first.

Every run below the directories counts, as soon as it has reached one of its limits; the columns are the settings that
differ. Runs that failed as jobs of a sweep, and those that go on or were stopped, are listed below the table.

    python tools/summarize_runs.py runs/lr
    python tools/summarize_runs.py runs/demo runs/mine --format markdown
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.common import Parser, report, run, standard_output

NAME = "summarize_runs.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: summarize(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    from nmt.runs.tables import FORMATS

    parser = Parser(NAME, description=__doc__)
    parser.add_argument("directories", metavar="DIR", nargs="+", help="a run directory, or one above several")
    parser.add_argument("--format", choices=FORMATS, default="text", help="tsv is for programs (default: text)")
    parser.add_argument("--unfinished", action="store_true", help="count runs that have reached none of their limits")
    return parser.parse_args(argv)


def summarize(arguments: argparse.Namespace) -> None:
    """Print the table to stdout; what is wrong with a run's files goes to stderr.

    Raises:
        ConfigError: a directory is not there, or has no run in it.
    """
    from nmt.runs.results import find_runs, read_results
    from nmt.runs.tables import Summary

    # One that was named twice, or lies below two of the directories, is one run.
    found: dict[Path, Path] = {}
    for directory in arguments.directories:
        for path in find_runs(Path(directory)):
            found.setdefault(path.resolve(), path)
    runs = [read_results(path) for path in found.values()]
    for results in runs:
        for problem in results.problems:
            report(NAME, f"warning: {problem}")
    summary = Summary(runs, unfinished=arguments.unfinished)
    text = summary.text(arguments.format)
    if arguments.format == "tsv":  # which has no place for notes
        text = f"{summary.table('tsv')}\n" if summary.groups else ""
        for note in summary.notes():
            report(NAME, note)
    out = standard_output()
    out.write(text.encode("utf-8"))
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
