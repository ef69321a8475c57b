"""nmt-evaluate: score a model, or translations that are there already, against raw references."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nmt.cli.common import Parser, report, run, standard_output
from nmt.cli.lines import Unknown
from nmt.cli.options import (
    add_machine_options,
    add_search_options,
    load_translator,
    search_config,
    warn_of_direction,
)
from nmt.cli.reference import evaluation_of
from nmt.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from nmt.evaluation.report import Report, Speed

NAME = "nmt-evaluate"

_DESCRIPTION = """\
Score translations against reference translations: BLEU, chrF and TER, each with its sacrebleu signature.

Give a model with the source text, or the translations themselves. References are read as they are: detokenised,
only "\\n" ends a line, UTF-8; any file may be gzipped (.gz)."""

_EXAMPLES = """\
examples:
  nmt-evaluate runs/demo/best --source test.en --reference test.de
  nmt-evaluate runs/demo/best --source test.en --reference test.de --beam-size 1 --output test.out.de
  nmt-evaluate --hypotheses test.out.de --reference test.de --format json
  nmt-evaluate runs/demo_labelling/best --reference test.conll               F1 of entities, or accuracy, by type
  nmt-evaluate runs/demo_classification/best --reference test.tsv            F1 of each label, and confusions
  nmt-evaluate runs/demo_generation/best --reference test.en                 bits per character of a language model

BLEU's tokenizer follows the target language: zh for Chinese, char for Korean and for languages without spaces between
words (Japanese, Thai, Lao, Khmer, Burmese, Tibetan and others), 13a for all others. Without a model the language is the
suffix of the reference file; where it says nothing of the kind, the script of the references decides.

exit codes: 0 done, 1 failed, 2 wrong use, 129, 130 or 143 stopped by a signal"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: evaluate(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line and check all that can be checked without reading a file; raises ConfigError."""
    usage = "nmt-evaluate MODEL --source FILE --reference FILE [options]\n       "
    usage += "nmt-evaluate --hypotheses FILE --reference FILE [options]\n       "
    usage += "nmt-evaluate MODEL --reference FILE.conll [options]\n       "
    usage += "nmt-evaluate MODEL --reference FILE [options]     (a language model)"
    parser = Parser(NAME, usage=usage, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("model", metavar="MODEL", nargs="?", help="a bundle: a directory that nmt-train saved")
    text = parser.add_argument_group("text")
    text.add_argument("--source", metavar="FILE", help="what the model reads, line by line")
    text.add_argument("--hypotheses", metavar="FILE", help="translations to score, instead of a model's")
    text.add_argument(
        "--reference",
        metavar="FILE",
        required=True,
        help="reference translations or labels, line by line, or a "
        "labelled text that has the tokens or the text too (.conll, .bio, .conllu; .label, .tsv); the text that a "
        "language model scores",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=("table", "json"), default="table", help="of the scores (default: table)")
    output.add_argument("--output", metavar="FILE", help="keep the model's translations here")
    output.add_argument("--quiet", action="store_true", help="no warnings and no progress on standard error")
    scoring = parser.add_argument_group("scoring")
    scoring.add_argument("--tokenize", metavar="NAME", help="BLEU's tokenizer, such as 13a, intl, zh, char or none")
    scoring.add_argument("--lowercase", action="store_true", help="ignore case (TER always does)")
    scoring.add_argument("--repair-bio", action="store_true", help="of labels: read a broken I- as B-, and count them")
    scoring.add_argument(
        "--strip-token-digits", action="store_true", help="of labels: take the last digit off each token"
    )
    scoring.add_argument(
        "--coarse-labels", action="store_true", help="of classes: take what stands before a label's first colon"
    )
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    if arguments.model and arguments.hypotheses:
        raise ConfigError("a model and --hypotheses exclude each other: score one of them")
    if not arguments.model:
        if not arguments.hypotheses:
            raise ConfigError("there is nothing to score: give a MODEL with --source FILE, or --hypotheses FILE")
        for option in ("source", "output"):
            if getattr(arguments, option):
                raise ConfigError(f"--{option} needs a MODEL: --hypotheses are translated already")
    if arguments.output:
        _check_output(arguments)
    return arguments


def evaluate(arguments: argparse.Namespace) -> None:
    """Translate if there is a model, score, and print the report to stdout.

    Raises:
        NmtError: an option, the model or a file is not what it should be.
        OSError: a file cannot be written.
    """
    from nmt.evaluation.metrics import check_tokenizer, corpus_scores, default_tokenizer, reference_warnings
    from nmt.evaluation.report import Report

    out = standard_output()
    if evaluate_other := evaluation_of(arguments):
        _report_other(*evaluate_other(arguments), arguments, out)
        return
    if arguments.model and not arguments.source:
        raise ConfigError("there is nothing to translate: give the source text with --source FILE")
    if arguments.tokenize:
        check_tokenizer(arguments.tokenize)
    translated = arguments.source or arguments.hypotheses
    text, references = _read(translated), _read(arguments.reference)
    if len(text) != len(references):
        raise CorpusError(
            f"{translated} has {len(text)} lines and {arguments.reference} has {len(references)}: "
            "they need the same number, blank ones included"
        )
    if not references:
        raise CorpusError(f"{arguments.reference} is empty; name references with text")
    if not any(line.strip() for line in references):
        raise CorpusError(
            f"{arguments.reference} is blank in all its {len(references)} lines; name references with text"
        )
    if not arguments.quiet:
        for warning in reference_warnings(references, name=arguments.reference):
            report(NAME, f"warning: {warning}")
    language, speed, hypotheses = _suffix(arguments.reference), None, text
    if arguments.model:
        hypotheses, language, speed = _translate(arguments, text)
    tokenize = arguments.tokenize or default_tokenizer(language, references)
    _warn_of_tokenizer(arguments, references, tokenize=tokenize, language=language)
    metrics = _metrics(arguments, hypotheses, references, tokenize=tokenize)
    scores = corpus_scores(hypotheses, references, metrics=metrics, tokenize=tokenize, lowercase=arguments.lowercase)
    failure = _save(arguments, hypotheses) if arguments.output else None
    names = {key: getattr(arguments, key) for key in ("model", "source", "hypotheses", "reference")}
    rendered = _render(Report(len(references), scores, speed, names), arguments.format)
    out.write(f"{rendered}\n".encode("utf-8", errors="backslashreplace"))  # names of files need not be UTF-8
    out.flush()
    if failure:
        raise failure


def _report_other(rendered: str, outputs: list[str], arguments: argparse.Namespace, out: IO[bytes]) -> None:
    failure = _save(arguments, outputs) if arguments.output else None
    out.write(f"{rendered}\n".encode("utf-8", errors="backslashreplace"))
    out.flush()
    if failure:
        raise failure


def _translate(arguments: argparse.Namespace, source: list[str]) -> tuple[list[str], str, Speed]:
    """Translate the source: translations, target language, speed."""
    from tqdm import tqdm

    from nmt.evaluation.report import Speed, translate_text

    warn_of_direction(NAME, arguments, arguments.model)
    loaded = load_translator(arguments, arguments.model)
    silent = True if arguments.quiet or sys.stderr is None else None  # None: shown on a terminal only
    with tqdm(total=len(source), unit=" sentences", file=sys.stderr, disable=silent, leave=False) as bar:
        timed = translate_text(loaded.translator, source, progress=bar.update)
    if not arguments.quiet:
        for number, translation in enumerate(timed.translations, 1):
            for warning in translation.warnings:
                report(NAME, f"warning: {arguments.source}: line {number}: {warning}")
        if warning := Unknown.of(timed.translations, 1).warning:
            report(NAME, f"warning: {arguments.source}: {warning}")
    search = loaded.translator.search
    speed = Speed(timed.seconds, len(source), timed.target_tokens, loaded.device, loaded.threads, search)
    return timed.hypotheses, loaded.bundle.target_language, speed


def _metrics(
    arguments: argparse.Namespace, hypotheses: list[str], references: list[str], *, tokenize: str
) -> Sequence[str]:
    """Choose the metrics: all, but TER where a line is too long for it."""
    from nmt.evaluation.metrics import METRICS, MOST_WORDS_FOR_TER, too_long_for_ter

    number = too_long_for_ter(hypotheses, references, tokenize=tokenize)
    if not number:
        return METRICS
    if not arguments.quiet:
        report(NAME, f"warning: line {number} has over {MOST_WORDS_FOR_TER} words: TER, which is slow, is left out")
    return [metric for metric in METRICS if metric != "ter"]


def _warn_of_tokenizer(arguments: argparse.Namespace, references: list[str], *, tokenize: str, language: str) -> None:
    from nmt.evaluation.metrics import tokenizer_warnings

    if arguments.quiet:
        return
    warnings = tokenizer_warnings(
        references,
        tokenize=tokenize,
        language=None if arguments.tokenize else language,
        name=arguments.reference,
        advice="--tokenize NAME takes another",
    )
    for warning in warnings:
        report(NAME, f"warning: {warning}")


def _render(result: Report, style: str) -> str:
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False) if style == "json" else result.table()


def _read(name: str) -> list[str]:
    from nmt.corpus.reader import read_lines

    return list(read_lines(Path(name)))


def _save(arguments: argparse.Namespace, hypotheses: list[str]) -> OSError | None:
    """Keep the translations; a disk that does not take them shall not cost the scores too, so its error is returned."""
    from nmt.files import write_atomically

    try:
        write_atomically(Path(arguments.output), lambda path: _write(path, hypotheses))
    except OSError as error:
        return error
    return None


def _write(path: Path, lines: list[str]) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


def _suffix(name: str) -> str:
    return Path(name.removesuffix(".gz")).suffix.removeprefix(".")


def _check_output(arguments: argparse.Namespace) -> None:
    """Find out before the translation what would make its saving fail, or destroy a file of the test set."""
    output = Path(arguments.output)
    if not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no directory {output.parent}; make it first")
    if not os.access(output.parent, os.W_OK):
        raise ConfigError(f"--output {output}: {output.parent} cannot be written; name a file elsewhere")
    if output.exists() and not output.is_file():
        raise ConfigError(f"--output {output} is not a regular file: name one")
    for option in ("source", "reference"):
        if not getattr(arguments, option):
            continue
        other = Path(getattr(arguments, option))
        if output.exists() and other.exists() and output.samefile(other):
            raise ConfigError(f"--output {output} is the file of --{option}: name another one")


if __name__ == "__main__":
    sys.exit(main())
