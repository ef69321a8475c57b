"""``nmt runs``: compare runs, draw their course, and show one of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from nmt.cli.common import EXIT_CODES, Parser, report, run, standard_output
from nmt.errors import ConfigError

TABLE, PLOT, SHOW = "nmt runs table", "nmt runs plot", "nmt runs show"

_TABLE = """\
Compare runs: one row for each setting, its scores averaged over seeds, the best first.

Every run below the directories counts, as soon as it has reached one of its limits. The columns are the settings that
differ. Below the table are the runs that failed as jobs of a sweep, that go on, and that were stopped."""

_TABLE_EXAMPLES = f"""\
examples:
  nmt runs table runs/lr
  nmt runs table runs/demo runs/mine --format markdown

{EXIT_CODES}"""

_PLOT = """\
Draw the course of one or several runs: loss, perplexity, validation score and learning rate.

Needs matplotlib: pip install matplotlib. Other toolkits' validation BLEU is drawn beside ours from files that were
written by hand: CSV with the head name,minutes,bleu, or JSON {"name": [[minutes, bleu], ...]}."""

_PLOT_EXAMPLES = f"""\
examples:
  nmt runs plot runs/demo --output demo.png
  nmt runs plot runs/lr/* --against minutes --output lr.svg
  nmt runs plot runs/multi30k_en_de --panels bleu --against minutes --points peers.csv

{EXIT_CODES}"""

_SHOW = """\
Show a run: its updates and minutes, its scores and how they were made, where its translator is, and the settings that
differ from the defaults."""

_SHOW_EXAMPLES = f"""\
example:
  nmt runs show runs/demo

{EXIT_CODES}"""


def table(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt runs table`` and return its exit code."""
    return run(lambda: _table(_parse_table(argv)), TABLE)


def plot(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt runs plot`` and return its exit code."""
    return run(lambda: _plot(_parse_plot(argv)), PLOT)


def show(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt runs show`` and return its exit code."""
    return run(lambda: _show(_parse_show(argv)), SHOW)


def _parse_table(argv: Sequence[str] | None) -> argparse.Namespace:
    from nmt.runs.tables import FORMATS

    parser = Parser(TABLE, description=_TABLE, epilog=_TABLE_EXAMPLES)
    parser.add_argument("directories", metavar="DIR", nargs="+", help="a run directory, or one above several")
    parser.add_argument("--format", choices=FORMATS, default="text", help="tsv is for programs (default: text)")
    parser.add_argument("--unfinished", action="store_true", help="count runs that have reached none of their limits")
    return parser.parse_args(argv)


def _table(arguments: argparse.Namespace) -> None:
    """Print the table to stdout; what is wrong with a run's files goes to stderr.

    Raises:
        ConfigError: a directory is not there, or has no run in it.
    """
    from nmt.runs.results import find_runs, read_results
    from nmt.runs.tables import Summary

    # One that was named twice, or lies below two of the directories, is one run.
    directories: dict[Path, Path] = {}
    for directory in arguments.directories:
        for path in find_runs(Path(directory)):
            directories.setdefault(path.resolve(), path)
    runs = [read_results(path) for path in directories.values()]
    for results in runs:
        _warn(TABLE, results.problems)
    summary = Summary(runs, unfinished=arguments.unfinished)
    text = summary.text(arguments.format)
    if arguments.format == "tsv":  # which has no place for notes
        text = f"{summary.table('tsv')}\n" if summary.groups else ""
        for note in summary.notes():
            report(TABLE, note)
    _print(text)


def _parse_plot(argv: Sequence[str] | None) -> argparse.Namespace:
    from nmt.runs.plots import AXES, PANELS, SUFFIXES

    parser = Parser(PLOT, description=_PLOT, epilog=_PLOT_EXAMPLES)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run directory; several make curves with a legend")
    parser.add_argument("--output", default="curves.png", metavar="FILE", help="ends in .png, .svg or .pdf")
    parser.add_argument("--against", choices=list(AXES), default="updates", help="(default: updates)")
    parser.add_argument(
        "--panels", nargs="+", choices=list(PANELS), help="(default: loss perplexity rate, and the runs' own score)"
    )
    parser.add_argument("--points", action="append", default=[], metavar="FILE", help="minutes and BLEU of others")
    arguments = parser.parse_args(argv)
    if arguments.points and (arguments.against != "minutes" or "bleu" not in (arguments.panels or ["bleu"])):
        raise ConfigError("--points are BLEU against minutes: they need --against minutes, and bleu among --panels")
    output = Path(arguments.output)
    if not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no directory {output.parent}; make it first")
    if output.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--output {output}: its name must end in .png, .svg or .pdf")
    return arguments


def _plot(arguments: argparse.Namespace) -> None:
    """Read the runs and draw them.

    Raises:
        ConfigError: a run has no metrics, a file of points is none, or matplotlib is not installed.
        OSError: the picture cannot be written.
    """
    from nmt.runs.metrics import read_metrics
    from nmt.runs.plots import AXES, PANELS, Points, common_panels, draw, names, read_points

    peers: dict[str, Points] = {}
    for file in arguments.points:
        peers |= read_points(Path(file))
    runs = {}
    for name, directory in zip(names(arguments.runs), arguments.runs, strict=True):
        metrics = read_metrics(Path(directory) / "metrics.jsonl")
        _warn(PLOT, metrics.problems)
        if not metrics.lines:
            raise ConfigError(f"{directory} has no metrics yet; wait for trainer.log_every updates")
        runs[name] = metrics
    panels = [PANELS[name] for name in dict.fromkeys(arguments.panels or common_panels(runs.values()))]
    draw(runs, AXES[arguments.against], Path(arguments.output), panels=panels, others=peers)


def _parse_show(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(SHOW, description=_SHOW, epilog=_SHOW_EXAMPLES)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="a run directory, as runs/demo")
    return parser.parse_args(argv)


def _show(arguments: argparse.Namespace) -> None:
    """Print an overview of each run.

    Raises:
        ConfigError: a directory is not there, or is no run.
    """
    from nmt.cli.hydra.train_help import defaults
    from nmt.config.schema import flatten, to_dict
    from nmt.runs.results import find_runs, read_results
    from nmt.runs.tables import overview

    usual, texts = flatten(to_dict(defaults())), []
    for directory in map(Path, arguments.runs):
        below = find_runs(directory)
        if directory not in below:
            raise ConfigError(
                f"{directory} is no run but has {len(below)} below it; name one, such as {below[0]}, or compare them: "
                f"{TABLE} {directory}"
            )
        results = read_results(directory)
        _warn(SHOW, results.problems)
        texts.append(overview(results, usual))
    _print("\n".join(texts))


def _warn(name: str, problems: Sequence[str]) -> None:
    for problem in problems:
        report(name, f"warning: {problem}")


def _print(text: str) -> None:
    out = standard_output()
    out.write(text.encode("utf-8", errors="backslashreplace"))  # paths need not be UTF-8
    out.flush()
