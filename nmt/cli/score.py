"""nmt score: how probable a model thinks given translations are, line by line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from nmt.cli.common import EXIT_CODES, Parser, report, run, standard_output
from nmt.cli.lines import Text, Unknown, decode, raw_lines, standard_input
from nmt.cli.options import (
    add_machine_options,
    add_search_options,
    chosen_tag,
    search_config,
    warn_of_direction,
    with_languages,
)
from nmt.cli.windows import Window, text_windows
from nmt.config.choices import TaskName
from nmt.errors import ConfigError
from nmt.translation.formats import pharaoh

if TYPE_CHECKING:
    from nmt.translation.scorer import ScoredPair, Scorer

NAME = "nmt score"

_DESCRIPTION = """\
Score given translations: a line of output for each pair of lines, in order.

The first number is the natural logarithm of the model's probability of the target, that of its end included. The
second is the same normalised by length, as nmt-translate --scores has it. Higher is better. Each target is scored in
its own best subwords. What the model does not know of it counts as the unknown symbol."""

_EXAMPLES = f"""\
examples:
  nmt score runs/demo/best --source input.en --target output.de
  nmt score runs/demo/best --source input.en --target output.de --alignments | cut -f 3      align words
  nmt score runs/demo/best --source pairs.tsv --format jsonl                                 source, tab, target
  paste input.en output.de | nmt score runs/demo/best --source - | paste - pairs.tsv | sort -n

formats:
  text    log-probability, tab, score; with --alignments a tab and these, as 0-0 1-2: source word, target word
  jsonl   an object for each pair: line (its number), log_prob, score, tokens (target subwords, the end counted), and
          with --alignments alignment, a list of pairs (source word, target word)

{EXIT_CODES}"""

_SETTINGS = (
    "length_penalty",
    "normalization",
    "max_source_tokens",
    "batch_size",
    "source_tag",
    "to",
    "source_language",
    "protect",
)
"""The settings of search that say something about a score."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: score(_parse(argv)), NAME)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(NAME, usage=f"{NAME} MODEL [MODEL ...] [options]", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="a bundle: a directory that nmt-train saved, as runs/demo/best; several are one ensemble",
    )
    text = parser.add_argument_group("text")
    text.add_argument(
        "--source",
        metavar="FILE",
        required=True,
        help="what was translated, line by line, -: standard input; without --target a .tsv file, or -, has both",
    )
    text.add_argument("--target", metavar="FILE", help="its translations, line by line, -: standard input")
    text.add_argument("--tag", metavar="TAG", help="name or number of the tag before every source, as --source-tag")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=("text", "jsonl"), default="text", help="see below (default: text)")
    output.add_argument("--alignments", action="store_true", help="say which source word each target word translates")
    output.add_argument("--quiet", action="store_true", help="no warnings on standard error")
    add_search_options(parser, only=_SETTINGS)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    if arguments.tag is not None and arguments.source_tag is not None:
        raise ConfigError("--tag and --source-tag say the same: leave one of them out")
    for option in ("source", "target"):
        if getattr(arguments, option) == "":
            raise ConfigError(f"--{option} is empty: name a file, or - for standard input")
    if arguments.source == arguments.target == "-":
        raise ConfigError("--source - and --target - cannot both be standard input: name a file for one of them")
    if arguments.target is None and arguments.source != "-" and not arguments.source.endswith(".tsv"):
        raise ConfigError(f"--target is missing: name the translations of {arguments.source}, or a .tsv file with both")
    return arguments


def score(arguments: argparse.Namespace) -> None:
    """Score the pairs, window by window.

    Raises:
        NmtError: an option, the model or the text is not what it should be.
        OSError: a stream failed.
    """
    out, unknown = standard_output(), Unknown()
    with ExitStack() as files:
        source = _opened(arguments.source, files)
        target = None if arguments.target is None else _opened(arguments.target, files)
        scorer = _scorer(arguments)
        windows = text_windows(source, full=scorer.window, first=scorer.search.batch_size)
        pairs = _columns(windows, arguments) if target is None else _sides(windows, target, arguments)
        for window, targets in pairs:
            scored = scorer.score((line.text, target) for line, target in zip(window.lines, targets, strict=True))
            _write(out, window, scored, arguments)
            unknown = unknown.and_then(Unknown.of(scored, window.first_line))
    if unknown.lines and not arguments.quiet:
        report(NAME, f"warning: {unknown.named}; they are scored as the unknown symbol")


def _opened(name: str, files: ExitStack) -> Callable[[int], bytes | None]:
    if name == "-":
        return standard_input(NAME)
    return files.enter_context(open(name, "rb", buffering=0)).read


def _scorer(arguments: argparse.Namespace) -> Scorer:
    """Load the model; raises NmtError where it or an option is wrong."""
    import dataclasses

    from nmt.bundle.ensemble import load_all
    from nmt.translation.scorer import Scorer

    machine = {"device": arguments.device, "threads": arguments.threads}
    bundle = load_all(arguments.models, precision=arguments.precision, **machine)
    if bundle.task is not TaskName.translation:
        raise ConfigError(
            f"nmt score is for translations, and {arguments.models[0]} {bundle.task.does}: use nmt-evaluate"
        )
    search = search_config(arguments, bundle.search)
    if arguments.tag is not None:
        search = dataclasses.replace(search, source_tag=chosen_tag(arguments.tag, bundle.tags))
    warn_of_direction(NAME, arguments, arguments.models[0])
    bundle = with_languages(bundle, search, arguments.models[0])
    return Scorer(bundle, search=search, alignments=arguments.alignments)


def _sides(
    windows: Iterator[Window], target: Callable[[int], bytes | None], arguments: argparse.Namespace
) -> Iterator[tuple[Window, list[str]]]:
    """Add the targets to windows of sources; an error comes after all pairs before it."""
    lines, number = raw_lines(target), 0
    different = f"{arguments.source} and {arguments.target} have different numbers of lines"
    for window in windows:
        targets: list[str] = []
        for source, raw in zip(window.lines, lines, strict=False):
            number += 1
            decoded = decode(raw, number)
            source.warnings.extend(f"{arguments.target}: {warning}" for warning in decoded.warnings)
            targets.append(decoded.text)
        if targets:
            yield window._replace(lines=window.lines[: len(targets)]), targets
        if len(targets) < len(window.lines):
            raise ConfigError(f"{different}: {arguments.target} has {number} and {arguments.source} has more")
    if next(lines, None) is not None:
        raise ConfigError(f"{different}: {arguments.source} has {number} and {arguments.target} has more")


def _columns(windows: Iterator[Window], arguments: argparse.Namespace) -> Iterator[tuple[Window, list[str]]]:
    """Cut lines into two columns; an error comes after all pairs before it."""
    for window in windows:
        rows = [line.text.split("\t") for line in window.lines]
        count = next((i for i, row in enumerate(rows) if len(row) != 2), len(rows))
        if count:
            lines = [Text(row[0], line.warnings) for row, line in zip(rows[:count], window.lines, strict=False)]
            yield window._replace(lines=lines), [row[1] for row in rows[:count]]
        if count < len(rows):
            has = "no tab" if len(rows[count]) == 1 else f"{len(rows[count]) - 1} tabs"
            line = f"line {window.first_line + count} of {arguments.source}"
            raise ConfigError(f"{line} has {has}: it must be a source, a tab and its translation")


def _write(out: Any, window: Window, scored: Sequence[ScoredPair], arguments: argparse.Namespace) -> None:
    """Write the scores of a window, and its warnings line by line."""
    rendered: list[str] = []
    for number, (line, pair) in enumerate(zip(window.lines, scored, strict=True), window.first_line):
        warnings = [*line.warnings, *(f"line {number}: {warning}" for warning in pair.warnings)]
        for warning in () if arguments.quiet else warnings:
            report(NAME, f"warning: {warning}")
        rendered.append(_RENDERED[arguments.format](number, pair))
    out.write("".join(f"{line}\n" for line in rendered).encode("utf-8"))
    out.flush()


def _text(number: int, pair: ScoredPair) -> str:
    columns = [f"{pair.log_prob:.6f}", f"{pair.score:.6f}"]
    return "\t".join(columns if pair.alignment is None else [*columns, pharaoh(pair.alignment)])


def _jsonl(number: int, pair: ScoredPair) -> str:
    values: dict[str, Any] = {"line": number, "log_prob": round(pair.log_prob, 6), "score": round(pair.score, 6)}
    values["tokens"] = pair.target_tokens
    return json.dumps(values if pair.alignment is None else values | {"alignment": pair.alignment})


_RENDERED = {"text": _text, "jsonl": _jsonl}
