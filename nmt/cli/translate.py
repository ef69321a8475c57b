"""nmt-translate: a Unix filter from lines to their translations."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

from nmt.cli.common import EXIT_FAILED, Parser, explained, report, run, standard_output
from nmt.cli.layers import add_layer_options, check_layers
from nmt.cli.lines import Unknown, standard_input
from nmt.cli.option_checks import check_attention, check_sharpness
from nmt.cli.options import (
    Asked,
    add_machine_options,
    add_search_options,
    load_translator,
    search_config,
    warn_of_direction,
)
from nmt.cli.requests import INPUT_FORMATS, asked, asking_of
from nmt.cli.terms import add_term_options, check_terms, glossary_of
from nmt.cli.windows import Window, check_count, require_samples, text_windows, windows_from_nothing
from nmt.config.choices import TaskName
from nmt.errors import ConfigError
from nmt.translation.formats import FORMATS, Line

if TYPE_CHECKING:
    from nmt.translation.pool import TranslatorPool
    from nmt.translation.request import Translation
    from nmt.translation.translator import Translator

NAME = "nmt-translate"

_DESCRIPTION = """\
Translate standard input to standard output: one line of output for each line of input, in order.

Blank lines stay blank, only "\\n" ends a line, and warnings go to standard error. Lines are translated as soon as
input pauses, so the command answers a person, or a program on the other end of a pipe, line by line."""

_EXAMPLES = """\
examples:
  nmt-translate runs/demo/best < input.en > output.de
  echo "A dog runs." | nmt-translate runs/demo/best
  nmt-translate runs/demo/best --beam-size 1 --workers 0 < big.en > big.de      the fastest way: a process per core
  nmt-translate runs/one/best runs/two/best < input.en > output.de              an ensemble
  nmt-translate runs/demo/best --scores < input.en | sort -n | cut -f 2-        the least certain ones first
  nmt-translate runs/demo/best --n-best 5 --format jsonl < input.en             five translations of each line
  nmt-translate runs/demo/best --prefixes begun.de < input.en                   each begins as its line of begun.de
  nmt-translate runs/demo/best --glossary terms.tsv < input.en                  "dog<tab>Hund" on a line of terms.tsv
  nmt-translate runs/demo/best --markup html --split-sentences < lines.html     tags come back, no sentence is lost
  nmt-translate runs/demo/best --input-format jsonl --format jsonl < requests.jsonl
  nmt-translate runs/americas/best --to gn < input.es > output.gn               of a model of several languages

input:
  text    a sentence a line
  jsonl   an object a line: text, and perhaps prefix (of its translation), tag (a number or a name), terms (an object
          from words to their targets), to (the target language) and id (a text or a whole number, which comes back)

formats:
  text    the translation; with --scores its score and a tab before it; with --alignments a tab and these behind it
  jsonl   an object for each line of input: line (its number), id, text, score, log_prob, finished (false where the
          length limit cut it), and with --n-best above 1 all hypotheses, the best first; with --alignments
          alignment, a list of pairs (source word, word)
  moses   a line for each hypothesis: line number from 0 ||| text ||| log_prob= ... ||| score, ||| and alignments

exit codes: 0 done, 1 failed, 2 wrong use, 129, 130 or 143 stopped by a signal"""


class Filter(NamedTuple):
    """A command that turns lines into lines: this one, or `nmt.cli.predict`, which takes models of every task."""

    name: str
    description: str
    examples: str
    module: str
    """whose function ``serve`` is one of the processes of ``--workers``"""
    tasks: Collection[TaskName]
    """of the models that it takes"""


TRANSLATE = Filter(NAME, _DESCRIPTION, _EXAMPLES, "nmt.cli.translate", (TaskName.translation,))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: translate(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None, *, command: Filter = TRANSLATE) -> argparse.Namespace:
    """Parse the command line and check all that can be checked without the model; raises ConfigError."""
    usage = f"{command.name} MODEL [MODEL ...] [options] < input > output"
    command_line = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(command.name, usage=usage, description=command.description, epilog=command.examples)
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a bundle: a directory that nmt-train saved, as runs/demo/best; "
        "several, of the same subwords, translate together: the mean of their probabilities counts",
    )
    _add_input_options(parser)
    _add_output_options(parser, command)
    add_search_options(parser)
    add_machine_options(parser)
    parser.add_argument_group("processes").add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the text, each with the model and, unless --threads says otherwise, one thread: "
        "for long texts; 0: one for each core (default: 1)",
    )
    arguments, unparsed = parser.parse_known_args(command_line)
    if wrong := [word for word in unparsed if not os.path.isdir(word)]:
        right = f"{command.name} {arguments.model} < {wrong[0]}"
        hint = "" if wrong[0].startswith("-") else f"; the text comes from standard input: {right}"
        parser.error(f"unrecognized arguments: {' '.join(wrong)}{hint}")
    from nmt.translation.workers import worker_count

    search_config(arguments)
    arguments.words, arguments.command, arguments.other_bundles = command_line, command, unparsed
    check_attention(arguments)
    arguments.workers = worker_count(arguments.workers)
    check_sharpness(arguments)
    if arguments.n_best < 1:
        raise ConfigError(f"--n-best {arguments.n_best} is not possible: it must be 1 or more")
    if arguments.count is not None:
        check_count(arguments)
    if arguments.prefixes == "":
        raise ConfigError("--prefixes is empty: name a file with a line for each line of input")
    if arguments.prefixes is not None and arguments.input_format != "text":
        raise ConfigError("--prefixes is for lines of text: with --input-format jsonl each object has its own prefix")
    check_layers(arguments)
    if arguments.tag is not None and arguments.source_tag is not None:
        raise ConfigError("--tag and --source-tag say the same: leave one of them out")
    if arguments.n_best > 1 and arguments.format == "text" and not (arguments.rerank and arguments.sample):
        raise ConfigError(
            f"--n-best {arguments.n_best} needs --format jsonl or --format moses: text has one line for each of input"
        )
    return arguments


def _add_input_options(parser: Parser) -> None:
    text = parser.add_argument_group("input")
    text.add_argument("--input-format", choices=INPUT_FORMATS, default="text", help="see below (default: text)")
    text.add_argument(
        "--prefixes", metavar="FILE", help="what each translation begins with: a line for each of input, or empty ones"
    )
    add_term_options(text)
    add_layer_options(text)
    text.add_argument("--tag", metavar="TAG", help="name or number of the tag before every source, as --source-tag")


def _add_output_options(parser: Parser, command: Filter) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=tuple(FORMATS), default="text", help="see below (default: text)")
    output.add_argument("--n-best", type=int, default=1, metavar="N", help="hypotheses of each line (default: 1)")
    output.add_argument("--scores", action="store_true", help="begin lines of text with the score and a tab")
    output.add_argument(
        "--alignments",
        action="store_true",
        help="say which source word each word translates, by the model's attention: 2-1 means that word 2 of the "
        "source became word 1, counted from 0; spaces separate words",
    )
    output.add_argument(
        "--rerank",
        choices=("mbr",),
        help="choose among the hypotheses of the beam, or among --n-best samples: mbr takes the one that resembles the "
        "others most (minimum Bayes risk with chrF); use it with --beam-size 10, or --sample --n-best 16",
    )
    output.add_argument(
        "--sharpness",
        type=float,
        metavar="X",
        help="with --rerank mbr in a beam: how much the model's probabilities count; 0: not at all (default: 0.5)",
    )
    parser.set_defaults(count=None, attention=False)
    if TaskName.generation in command.tasks:
        output.add_argument(
            "--count",
            type=int,
            metavar="N",
            help="of a language model: read nothing, and write N lines that are made from nothing, by sampling",
        )
    if TaskName.classification in command.tasks:
        output.add_argument(
            "--attention",
            action="store_true",
            help="of a model that classifies: behind the label a tab, and each word with its weight by attention",
        )
    output.add_argument("--quiet", action="store_true", help="no warnings and no hints on standard error")


def translate(arguments: argparse.Namespace) -> None:
    """Translate stdin to stdout, window by window.

    Raises:
        NmtError: an option, the model, a stream or a worker is not what it should be.
        OSError: a stream failed.
    """
    out, counted = standard_output(), arguments.count is not None
    read = None if counted else standard_input(arguments.command.name)
    unknown = Unknown()
    check_terms(arguments)
    warn_of_direction(arguments.command.name, arguments, arguments.model)
    with asking_of(arguments) as asking, _translator(arguments) as translator:
        if read is None:
            windows = windows_from_nothing(arguments.count, translator.window)
        else:
            _hint(arguments)
            windows = text_windows(read, full=translator.window, first=translator.first_window)
            windows = windows if asking is None else asked(windows, asking)
        for window, _, translations in translator.map((window, window.requests()) for window in windows):
            _write(out, window, translations, arguments)
            unknown = unknown.and_then(Unknown.of(translations, window.first_line))
    if unknown.warning and not arguments.quiet:
        report(arguments.command.name, f"warning: {unknown.warning}")


@contextmanager
def _translator(arguments: argparse.Namespace) -> Iterator[Translator | TranslatorPool]:
    """Load what translates: in this process, or in several."""
    if arguments.workers == 1:
        yield _loaded(arguments)
        return
    from nmt.translation.pool import TranslatorPool
    from nmt.translation.workers import Workers, worker_command

    command = worker_command(arguments.command.module, "serve", arguments.words)
    with Workers(command, arguments.workers) as workers:
        yield TranslatorPool(workers)


def _loaded(arguments: argparse.Namespace) -> Translator:
    """Load the model; raises NmtError where the model or an option is wrong."""
    rerank = None
    if arguments.rerank:
        from nmt.translation.rerank import MinimumBayesRisk
        from nmt.translation.similarity import chrf_matrix

        # Samples count alike: the probable ones are drawn more often.
        rerank = MinimumBayesRisk(chrf_matrix, 0.0 if arguments.sample else arguments.sharpness)
    wanted = Asked(arguments.n_best, arguments.alignments, rerank, arguments.attention)
    wanted = wanted._replace(split_sentences=arguments.split_sentences, markup=arguments.markup, tag=arguments.tag)
    wanted = wanted._replace(prefixes=arguments.prefixes is not None, other_bundles=arguments.other_bundles)
    by_line = arguments.input_format == "jsonl"
    wanted = wanted._replace(glossary=glossary_of(arguments), language_by_line=by_line)
    loaded = load_translator(arguments, arguments.model, wanted)
    if loaded.bundle.task not in arguments.command.tasks:
        raise ConfigError(f"{arguments.model} does not translate, it is of task={loaded.bundle.task}: use nmt predict")
    if arguments.count is not None:
        require_samples(arguments, loaded)
    translator: Translator = loaded.translator
    return translator


def serve(command: Filter = TRANSLATE) -> NoReturn:
    """Be one of the processes of ``--workers``, with the command's own words."""
    from nmt.translation import worker
    from nmt.translation.pool import prepare

    def explain(error: Exception) -> tuple[str, int]:
        explanation = explained(error)
        if explanation is None:
            traceback.print_exception(type(error), error, error.__traceback__)
            return f"{type(error).__name__} in a worker: please report the lines above", EXIT_FAILED
        return explanation.message, explanation.exit_code

    arguments = parse(sys.argv[1:], command=command)
    arguments.threads = arguments.threads or 1
    worker.serve(lambda: prepare(_loaded(arguments)), explain)


def _write(out: IO[bytes], window: Window, translations: Sequence[Translation], arguments: argparse.Namespace) -> None:
    """Write the translations of a window, and its warnings line by line."""
    several = arguments.n_best > 1
    rendered: list[str] = []
    for number, (line, translation) in enumerate(zip(window.lines, translations, strict=True), window.first_line):
        warnings = [*line.warnings, *(f"line {number}: {warning}" for warning in translation.warnings)]
        for warning in () if arguments.quiet else warnings:
            report(arguments.command.name, f"warning: {warning}")
        options = {"scores": arguments.scores, "alignments": arguments.alignments, "attention": arguments.attention}
        rendered += FORMATS[arguments.format](Line(translation, number, several=several, **options))
    out.write("".join(f"{line}\n" for line in rendered).encode("utf-8"))
    out.flush()


def _hint(arguments: argparse.Namespace) -> None:
    if sys.stdin.isatty() and not arguments.quiet:
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        report(arguments.command.name, f"type a sentence and press Enter; {end} ends")


if __name__ == "__main__":
    sys.exit(main())
