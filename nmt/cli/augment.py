"""``nmt augment``: more training text, made by models of text that is there."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.common import EXIT_CODES, Parser, report, run, standard_output
from nmt.cli.options import add_machine_options, add_search_options, search_config
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.recipes.teacher import Teacher

BACK_TRANSLATE, DISTILL, DIVERSIFY = "nmt augment back-translate", "nmt augment distill", "nmt augment diversify"
_SHARE = 0.3

_BACK_TRANSLATE = """\
Make parallel text from text in the target language alone: back-translation (Sennrich et al. 2016).

A bundle of the opposite direction translates the lines of a file, plain or .gz. PREFIX.TARGET gets those lines as they
are, PREFIX.SOURCE their translations, line by line. At the end, the command prints the settings that train on both
texts. They have a tag that tells the model which sources are synthetic (tagged back-translation, Caswell et al. 2019).

The command can be stopped at any time: the same command goes on where it stopped."""

_BACK_TRANSLATE_EXAMPLES = f"""\
example:
  nmt augment back-translate runs/de_en/best --input mono.de.gz --output data/back --source en --target de

{EXIT_CODES}"""

_DISTILL = """\
Make training text for a smaller, faster model from a larger model's translations: sequence-level knowledge distillation
(Kim & Rush 2016).

The bundle translates the sources of its training text. PREFIX.SOURCE gets these as they are, PREFIX.TARGET the best
translation of each, line by line. At the end, the command prints the settings that train on this text too.

Several bundles of the same subwords translate as one ensemble, so that a single model learns from all of them (Freitag
et al. 2017). The first bundle says how to search.

The command can be stopped at any time: the same command goes on where it stopped."""

_DISTILL_EXAMPLES = f"""\
examples:
  nmt augment distill runs/mine/best --train data/train --output data/again
  nmt-train name=fast corpus.train=data/train corpus.source=en corpus.target=de model.encoder_layers=1 \\
      "corpus.extra=[data/again]"
  nmt augment distill runs/one/best runs/two/best --train data/train --output data/again      an ensemble

{EXIT_CODES}"""

_DIVERSIFY = """\
Train on a text and on two models' translations of it: data diversification (Nguyen et al. 2020).

One model is trained on the text, and one in the opposite direction. The first translates the sources of the text, the
second its targets. A third model is trained on the text and both translations; this model is the result. The command
takes what nmt-train takes, and leaves in run_dir what nmt-train leaves there.

trainer.max_minutes is the time of all three trainings and of the translating together. On a CPU with two cores or more
the first two models are trained at the same time, each on half of the threads. Translating takes less of the time with
int8 (pip install onnx onnxruntime).

The command can be stopped at any time: the same command goes on where it stopped."""

_DIVERSIFY_EXAMPLES = f"""\
examples:
  nmt augment diversify experiment=multi30k_en_de name=diversified trainer.max_minutes=90
  nmt augment diversify experiment=multi30k_en_de name=diversified --teacher model.dropout=0.2

{EXIT_CODES}"""


def back_translate(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt augment back-translate`` and return its exit code."""
    return run(lambda: _back_translate(_parse_back_translate(argv)), BACK_TRANSLATE)


def distill(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt augment distill`` and return its exit code."""
    return run(lambda: _distill(_parse_distill(argv)), DISTILL)


def diversify(argv: Sequence[str] | None = None) -> int:
    """Run ``nmt augment diversify`` and return its exit code."""
    return run(lambda: _diversify(_parse_diversify(argv)), DIVERSIFY)


def training_settings(prefix: str, *, tag: int | None = None) -> str:
    """Write the settings of nmt-train, ready for a shell, that add a text to corpus.train.

    Args:
        prefix: of the files of the text.
        tag: control symbol before its sources; None: no tags.
    """
    from nmt.cli.hydra.overrides import quote_text

    settings = [f"corpus.extra=[{quote_text(prefix)}]", "corpus.weights=[1,1]"]
    settings += [] if tag is None else [f"corpus.tags=[-1,{tag}]"]
    return " ".join(map(shlex.quote, settings))


def _parse_back_translate(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(BACK_TRANSLATE, description=_BACK_TRANSLATE, epilog=_BACK_TRANSLATE_EXAMPLES)
    parser.add_argument(
        "model", metavar="BUNDLE", nargs="+", help="a bundle that translates TARGET to SOURCE; several are one ensemble"
    )
    parser.add_argument("--input", required=True, metavar="FILE", help="text in the target language, a sentence a line")
    parser.add_argument("--source", required=True, metavar="LANGUAGE", help="what the new model will read")
    parser.add_argument("--target", required=True, metavar="LANGUAGE", help="what it will write, and FILE is in")
    return _parse_translating(parser, argv)


def _parse_distill(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DISTILL, description=_DISTILL, epilog=_DISTILL_EXAMPLES)
    parser.add_argument("model", metavar="BUNDLE", nargs="+", help="the larger model; several are one ensemble")
    parser.add_argument(
        "--train", required=True, metavar="PREFIX", help="training text: PREFIX.SOURCE, PREFIX.TARGET; or .tsv"
    )
    return _parse_translating(parser, argv)


def _parse_translating(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Add the options that both commands share, and parse; raises ConfigError."""
    parser.add_argument("--output", required=True, metavar="PREFIX", help="writes PREFIX.SOURCE and PREFIX.TARGET")
    parser.add_argument("--overwrite", action="store_true", help="replace what another command left at PREFIX")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args(argv)
    search_config(arguments)
    return arguments


def _teacher(arguments: argparse.Namespace) -> Teacher:
    from nmt.recipes.teacher import Teacher

    path, *other_paths = map(Path, arguments.model)
    return Teacher(
        path,
        other_paths=tuple(other_paths),
        search=lambda default: search_config(arguments, default),
        precision=arguments.precision,
        device=arguments.device,
        threads=arguments.threads,
    )


def _back_translate(arguments: argparse.Namespace) -> None:
    from nmt.recipes.back_translation import TAG, back_translate

    languages = {"source": arguments.source, "target": arguments.target}
    with _telling(BACK_TRANSLATE):
        text = Path(arguments.input)
        back_translate(_teacher(arguments), text, arguments.output, overwrite=arguments.overwrite, **languages)
    _print(training_settings(arguments.output, tag=TAG))


def _distill(arguments: argparse.Namespace) -> None:
    from nmt.recipes.distillation import distill

    with _telling(DISTILL):
        distill(_teacher(arguments), arguments.train, arguments.output, overwrite=arguments.overwrite)
    _print(training_settings(arguments.output))


def _parse_diversify(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(DIVERSIFY, description=_DIVERSIFY, epilog=_DIVERSIFY_EXAMPLES)
    parser.add_argument("words", metavar="KEY=VALUE", nargs="+", help="what nmt-train takes; its options after --")
    parser.add_argument(
        "--teacher", metavar="KEY=VALUE", action="append", default=[], help="a setting of the first two models alone"
    )
    parser.add_argument(
        "--share", metavar="X", type=float, default=_SHARE, help=f"of the minutes, for these two (default: {_SHARE:g})"
    )
    arguments = parser.parse_args(argv)
    if not 0 < arguments.share < 1:
        raise ConfigError(f"--share {arguments.share:g} is not possible: it must lie between 0 and 1")
    return arguments


def _diversify(arguments: argparse.Namespace) -> None:
    from nmt.cli.hydra.compose import compose
    from nmt.recipes.diversification import diversify

    config, teacher = compose(arguments.words), compose([*arguments.words, *arguments.teacher])
    with _telling(DIVERSIFY):
        diversify(config, teacher, share=arguments.share)


class _Report(logging.Handler):
    """Writes the log to standard error as a command's messages."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._command = name

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        report(self._command, f"{kind}{record.getMessage()}")


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Let the user read what recipes log; a training within has a log of its own."""
    log = logging.getLogger("nmt")
    before = log.level, log.propagate, log.handlers[:]
    log.setLevel(logging.INFO)
    log.propagate, log.handlers[:] = False, [_Report(name)]
    try:
        yield
    finally:
        level, log.propagate, log.handlers[:] = before
        log.setLevel(level)


def _print(line: str) -> None:
    out = standard_output()
    out.write(f"{line}\n".encode())
    out.flush()
