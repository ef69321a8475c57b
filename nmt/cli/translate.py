"""nmt-translate: a Unix filter from lines to their translations."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn

from nmt.cli.common import EXIT_FAILED, Parser, explained, report, run, standard_output
from nmt.cli.lines import RawLine, Text, Unknown, decode, no_text, read_windows
from nmt.cli.options import add_machine_options, add_search_options, load_translator, search_config
from nmt.errors import ConfigError
from nmt.translation import workers

if TYPE_CHECKING:
    from nmt.translation.translator import TextHypothesis, Translation

NAME = "nmt-translate"
FORMATS = ("text", "jsonl", "moses")

_DESCRIPTION = """\
Translate standard input to standard output: one line of output for each line of input, in order.

Blank lines stay blank, only "\\n" ends a line, and warnings go to standard error. Lines are translated as soon as
input pauses, so the command answers a person, or a program on the other end of a pipe, line by line."""

_EXAMPLES = """\
examples:
  nmt-translate runs/demo/best < input.en > output.de
  echo "A dog runs." | nmt-translate runs/demo/best
  nmt-translate runs/demo/best --beam-size 1 --workers 0 < big.en > big.de      the fastest way: a process per core
  nmt-translate runs/demo/best --scores < input.en | sort -n | cut -f 2-        the least certain ones first
  nmt-translate runs/demo/best --n-best 5 --format jsonl < input.en             five translations of each line

formats:
  text    the translation; with --scores its score and a tab before it
  jsonl   an object for each line of input: line (its number), text, score, log_prob, finished (false where the
          length limit cut it), and with --n-best above 1 all hypotheses, the best first
  moses   a line for each hypothesis: line number from 0 ||| text ||| log_prob= ... ||| score

exit codes: 0 done, 1 failed, 2 wrong use, 129, 130 or 143 stopped by a signal"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: translate(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line and check all that can be checked without the model; raises ConfigError."""
    usage = "nmt-translate MODEL [options] < input > output"
    words = list(sys.argv[1:] if argv is None else argv)
    parser = Parser(NAME, usage=usage, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help="a bundle: a directory that nmt-train saved, as runs/demo/best")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="see below (default: text)")
    output.add_argument("--n-best", type=int, default=1, metavar="N", help="hypotheses of each line (default: 1)")
    output.add_argument("--scores", action="store_true", help="begin lines of text with the score and a tab")
    output.add_argument("--quiet", action="store_true", help="no warnings and no hints on standard error")
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
    arguments, more = parser.parse_known_args(words)
    if more:
        command = f"{NAME} {arguments.model} < {more[0]}"
        hint = "" if more[0].startswith("-") else f"; the text comes from standard input: {command}"
        parser.error(f"unrecognized arguments: {' '.join(more)}{hint}")
    search_config(arguments)
    arguments.words = words
    arguments.workers = workers.worker_count(arguments.workers)
    if arguments.n_best < 1:
        raise ConfigError(f"--n-best {arguments.n_best} is not possible: it must be 1 or more")
    if arguments.n_best > 1 and arguments.format == "text":
        raise ConfigError(
            f"--n-best {arguments.n_best} needs --format jsonl or --format moses: text has one line for each of input"
        )
    return arguments


def translate(arguments: argparse.Namespace) -> None:
    """Translate stdin to stdout, window by window.

    Raises:
        NmtError: an option, the model, a stream or a worker is not what it should be.
        OSError: a stream failed.
    """
    read, out = _standard_input(), standard_output()
    unknown = Unknown()
    if arguments.workers == 1:
        sizes, answer = prepare(arguments)
        _hint(arguments)
        for share in _shares(read, sizes, 1):
            reply = answer(share.request())
            _write(out, share, reply, arguments)
            unknown = unknown.and_then(Unknown(*reply["unknown"]))
    else:
        command = workers.worker_command("nmt.cli.translate", "serve", arguments.words)
        with workers.Workers(command, arguments.workers) as pool:
            _hint(arguments)
            shares = _shares(read, pool.greeting, arguments.workers)
            for share, reply in pool.map((share, share.request()) for share in shares):
                _write(out, share, reply, arguments)
                unknown = unknown.and_then(Unknown(*reply["unknown"]))
    if unknown.warning and not arguments.quiet:
        report(NAME, f"warning: {unknown.warning}")


def prepare(arguments: argparse.Namespace) -> tuple[workers.Message, Callable[[workers.Message], workers.Message]]:
    """Load the model: the sizes of windows of lines, and the function that answers what `Share.request` asks.

    Raises:
        NmtError: the model or an option is not what it should be.
    """
    translator = load_translator(arguments, arguments.model).translator
    search = translator.search
    if arguments.n_best > search.beam_size:
        raise ConfigError(
            f"--n-best {arguments.n_best} is more than the beam holds: set --beam-size {arguments.n_best} or more "
            f"(it is {search.beam_size})"
        )

    from nmt.translation.translator import WINDOW_BATCHES

    def answer(request: workers.Message) -> workers.Message:
        first: int = request["first_line"]
        translations = translator.translate(request["lines"], n_best=arguments.n_best, first_line=first)
        rendered = (
            line
            for number, translation in enumerate(translations, first)
            for line in render(
                translation, number, style=arguments.format, scores=arguments.scores, several=arguments.n_best > 1
            )
        )
        output = "".join(line + "\n" for line in rendered)
        return {
            "output": output,
            "warnings": [translation.warnings for translation in translations],
            "unknown": Unknown.of(translations, first),
        }

    return {"full": search.batch_size * WINDOW_BATCHES, "first": search.batch_size}, answer


def serve() -> NoReturn:
    """Be one of the processes of ``--workers``, with the command's own words."""

    def explain(error: Exception) -> tuple[str, int]:
        known = explained(error)
        if known is None:
            traceback.print_exception(type(error), error, error.__traceback__)
            return f"{type(error).__name__} in a worker: please report the lines above", EXIT_FAILED
        return known.message, known.exit_code

    arguments = parse(sys.argv[1:])
    arguments.threads = arguments.threads or 1
    workers.serve(lambda: prepare(arguments), explain)


class Share(NamedTuple):
    """Lines that go to one process."""

    first_line: int
    """number of the first of them, counted from 1"""
    lines: list[Text]

    def request(self) -> workers.Message:
        """Put into words what `prepare`'s function is to do."""
        return {"first_line": self.first_line, "lines": [line.text for line in self.lines]}


def _shares(read: Callable[[int], bytes | None], sizes: workers.Message, count: int) -> Iterator[Share]:
    """Read lines in windows, and cut each into as many shares as there are workers."""
    number, wrong = 1, ""
    for window in read_windows(read, max_lines=sizes["full"] * count, first_lines=sizes["first"] * count):
        if number == 1:
            wrong = no_text(window)
        for part in split(window, count):
            lines = [decode(line, number + i, is_text=not wrong) for i, line in enumerate(part)]
            if wrong and number == 1:
                lines[0].warnings.insert(0, wrong)
            yield Share(number, lines)
            number += len(part)


def split(window: Sequence[RawLine], count: int) -> Iterator[Sequence[RawLine]]:
    """Cut a window into at most `count` parts of about as many bytes each, none empty; their order is kept."""
    total = sum(len(line.content) + 1 for line in window)
    start = held = done = 0
    for end, line in enumerate(window, 1):
        held += len(line.content) + 1
        if held * count >= total * (done + 1) or end == len(window):
            yield window[start:end]
            start, done = end, held * count // total


def _write(out: IO[bytes], share: Share, reply: workers.Message, arguments: argparse.Namespace) -> None:
    """Write what became of a share, and its warnings line by line."""
    if not arguments.quiet:
        for line, warnings in zip(share.lines, reply["warnings"], strict=True):
            for warning in (*line.warnings, *warnings):
                report(NAME, f"warning: {warning}")
    out.write(reply["output"].encode("utf-8"))
    out.flush()


def _hint(arguments: argparse.Namespace) -> None:
    if sys.stdin.isatty() and not arguments.quiet:
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        report(NAME, f"type a sentence and press Enter; {end} ends")


def render(
    translation: Translation, number: int, *, style: str = "text", scores: bool = False, several: bool = False
) -> Iterator[str]:
    """Write a translation as the lines of an output format, without their ends.

    Args:
        translation: of line `number`, counted from 1.
        number: the line's number.
        style: one of FORMATS; see the command's help.
        scores: put the score before the text, in the format text.
        several: list the hypotheses even where there is one, in the format jsonl.
    """
    best, hypotheses = translation.hypotheses[0], translation.hypotheses
    if style == "text":
        yield f"{best.score:.4f}\t{best.text}" if scores else best.text
    elif style == "jsonl":
        values: dict[str, Any] = {"line": number} | _plain(best)
        if several or len(hypotheses) > 1:
            values["hypotheses"] = [_plain(hypothesis) for hypothesis in hypotheses]
        yield json.dumps(values, ensure_ascii=False)
    else:
        for hypothesis in hypotheses:
            # Moses writes its own separator in a text like this.
            text = hypothesis.text.replace("|||", "&#124;&#124;&#124;")
            yield f"{number - 1} ||| {text} ||| log_prob= {hypothesis.log_prob:.4f} ||| {hypothesis.score:.4f}"


def _plain(hypothesis: TextHypothesis) -> dict[str, Any]:
    return {
        "text": hypothesis.text,
        "score": round(hypothesis.score, 6),
        "log_prob": round(hypothesis.log_prob, 6),
        "finished": hypothesis.finished,
    }


def _standard_input() -> Callable[[int], bytes | None]:
    if sys.stdin is None:
        raise ConfigError("standard input is closed: give the text as in nmt-translate MODEL < input.txt")
    # Unbuffered: a thread that still waits in a buffered stream would bar Python's way out.
    raw: Any = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    read: Callable[[int], bytes | None] = raw.read
    return read


if __name__ == "__main__":
    sys.exit(main())
