"""Keep the recorded numbers: write their page, check it and the README, and run a number again.

    python tools/results.py tables                   # docs/results/README.md from docs/results/runs.jsonl
    python tools/results.py check                    # that page is new, and each number of README.md is in a run
    python tools/results.py list                     # every number, and the command that makes it again
    python tools/results.py reproduce demo           # run it again and compare; demo/bleu compares that number alone

`make check` runs the check. A new number is a new line of runs.jsonl; tools/recorded/runs.py describes its fields.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recorded.again import compare, entries_to_run, report_lines, run_again, this_machine
from recorded.page import read_tables, write_page
from recorded.readme import check_readme
from recorded.runs import Entry, read_entries

from nmt.cli.common import Parser, report, run
from nmt.errors import ConfigError

NAME = "results.py"
ROOT = Path(__file__).parents[1]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code: 1 when a number that is run again differs."""
    return run(lambda: command(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("verb", metavar="VERB", choices=("tables", "check", "list", "reproduce"), help="see above")
    parser.add_argument("id", metavar="ID", nargs="?", help="of reproduce: a run, or RUN/METRIC")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIRECTORY", help="the checkout (default: this one)")
    arguments = parser.parse_args(argv)
    if (arguments.verb == "reproduce") != bool(arguments.id):
        what = "needs the ID of a run" if arguments.verb == "reproduce" else f"takes no {arguments.id}"
        raise ConfigError(f"{arguments.verb} {what}; see {NAME} --help")
    return arguments


def command(arguments: argparse.Namespace) -> int:
    """Do what the command line asks for.

    Raises:
        ConfigError: the check found something, or an argument or a file is not what it should be.
        RunError: a command that is run again failed.
    """
    root: Path = arguments.root
    entries = read_entries(root / "docs/results/runs.jsonl")
    if arguments.verb == "list":
        print("\n".join(map(listed, entries)))
        return 0
    if arguments.verb == "reproduce":
        return reproduce(entries, arguments.id, root=root)
    page = root / "docs/results/README.md"
    text = write_page(entries, read_tables(root / "docs/results/tables.json"))
    if arguments.verb == "tables":
        page.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        raise ConfigError("docs/results/README.md is stale: run python tools/results.py tables, and commit the page")
    check_readme(root / "README.md", entries)
    return 0


def listed(entry: Entry) -> str:
    """Write a number and its command as one line."""
    return f"{entry.id}\t{entry.written()} {entry.unit}\t{entry.command or '-'}"


def reproduce(entries: Sequence[Entry], name: str, *, root: Path) -> int:
    """Run the commands of a run again, and print then and now; 1 where a number is out of its tolerance.

    Raises:
        ConfigError: nothing under this name can be run again, or a variable is missing.
        RunError: a command failed, or did not print its number.
    """
    found = entries_to_run(entries, name)
    compared = []
    for words in dict.fromkeys(str(entry.command) for entry in found):
        same = [entry for entry in found if entry.command == words]
        report(NAME, f"running {words}")
        compared += compare(same, run_again(words, root=root, configuration=same[0].configuration or ()))
    print("\n".join(report_lines(compared, this_machine())))
    return int(not all(one.agrees for one in compared))


if __name__ == "__main__":
    sys.exit(main())
