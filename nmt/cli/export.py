"""nmt-export: a bundle that translates as fast as a CPU allows, also where PyTorch is not installed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.common import Parser, report, run
from nmt.cli.options import task_of
from nmt.config.choices import VARIANTS, TaskName
from nmt.errors import ConfigError, RunError

if TYPE_CHECKING:
    from nmt.bundle.description import Description
    from nmt.corpus.reader import CorpusPaths
    from nmt.text.shortlist import Shortlist

NAME = "nmt-export"
_MOST_LISTED = 1_000_000
_SUBJECTS = ("pytorch", *reversed(VARIANTS))
_INVENTED = "checking with 100 random sequences of the bundle's own subwords; give sentences with --source FILE"

_DESCRIPTION = """\
Write a variant of a model into its bundle, for ONNX Runtime: several times as fast on a CPU, and without PyTorch.

  int8   weights and sums of bytes: the smallest and fastest, and of nearly the same quality
  fp32   the model as it was trained, in fp32: the same translations

With --shortlist N, a sentence scores some target subwords only. They are the N translations of each of its subwords
that are most frequent in the training text, and the N most frequent subwords of all. The larger the vocabulary, the
more time this saves.

nmt-translate and nmt-evaluate take the fastest variant that a bundle has, or the one that --precision names. A variant
replaces an earlier one of its precision, and all else in the bundle stays. Training saves bundles without variants.

With --verify nothing is written. Instead the promises of the documentation are checked on this machine, for the weights
and for each variant: no translation depends on its batch, two workers translate as one, and so on. A line for each says
ok, FAILED with the first counterexample, or - where it could not be checked. This takes minutes. The texts are 100
sequences of the bundle's own subwords, always the same ones; --source gives real sentences."""

_EXAMPLES = """\
examples:
  nmt-export runs/demo/best --precision int8
  nmt-export runs/demo/best --precision int8 --shortlist 100
  nmt-evaluate runs/demo/best --source test.en --reference test.de                      what it is worth: int8,
  nmt-evaluate runs/demo/best --source test.en --reference test.de --precision fp32     and the model as it was
  nmt-export runs/demo/best --verify                                                    what is promised, checked here
  nmt-export runs/demo/best --verify --variant int8 --source test.en

An exported bundle needs no more than this to translate, in nmt's own directory:
  pip install -r requirements-translate.txt && pip install --no-deps .
Without PyTorch, no command reads model.safetensors: a copy of the bundle may lack it.

exit codes: 0 done, 1 failed (the disk is full, a promise is broken), 2 wrong use, 129, 130 or 143 stopped by a signal;
after all but 0, the bundle is as it was"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""

    def command() -> None:
        arguments = parse(argv)
        (verify if arguments.verify else export)(arguments)

    return run(command, NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError, also where nothing of it can be done with the model."""
    usage = "nmt-export MODEL --precision {int8,fp32} [--shortlist N]\n       nmt-export MODEL --verify [--source FILE]"
    parser = Parser(NAME, usage=usage, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help="a bundle: a directory that nmt-train saved, as runs/demo/best")
    parser.add_argument("--precision", choices=VARIANTS, help="the variant to make")
    parser.add_argument("--shortlist", type=int, metavar="N", help="score only what the training text makes likely")
    parser.add_argument(
        "--train",
        action="append",
        metavar="PREFIX",
        help="the training text for the shortlist: PREFIX of PREFIX.SOURCE and PREFIX.TARGET, or a .tsv file, named as "
        "corpus.train; may be given several times (default: what config.yaml beside the bundle names)",
    )
    parser.add_argument("--verify", action="store_true", help="check what is promised instead, and write nothing")
    parser.add_argument(
        "--variant",
        choices=_SUBJECTS,
        nargs="+",
        action="extend",
        help="with --verify: only these; pytorch stands for the weights (default: all that the bundle has)",
    )
    parser.add_argument("--source", metavar="FILE", help="with --verify: sentences to translate, one a line")
    parser.add_argument("--quiet", action="store_true", help="do not say what was written, or which promises are kept")
    arguments = parser.parse_args(argv)
    _check_task(arguments)
    if arguments.verify == bool(arguments.precision):
        raise ConfigError("give --precision NAME to make a variant, or --verify to check what is promised")
    for name in ("shortlist", "train") if arguments.verify else ("variant", "source"):
        if getattr(arguments, name) is not None:
            advice = "leave one out" if arguments.verify else "add that, or leave it out"
            raise ConfigError(f"--{name} goes {'not' if arguments.verify else 'only'} with --verify: {advice}")
    if arguments.shortlist is not None and not 1 <= arguments.shortlist <= _MOST_LISTED:
        allowed = f"between 1 and {_MOST_LISTED}, or left out"
        raise ConfigError(f"--shortlist {arguments.shortlist} is not possible: it must be {allowed}")
    if arguments.train and arguments.shortlist is None:
        raise ConfigError("--train is the text of a shortlist: give --shortlist N too")
    return arguments


def _check_task(arguments: argparse.Namespace) -> None:
    """Refuse a model that is not exported, or not verified, before anything is asked of its options: ConfigError."""
    task = task_of(arguments.model)
    if task is TaskName.generation:
        raise ConfigError(
            f"{arguments.model} is a language model, which is not exported and runs with PyTorch: use it as it is"
        )
    if arguments.verify and task is not TaskName.translation:
        raise ConfigError(
            f"a model that {task.does} is not verified; without --verify, --precision fp32 exports {arguments.model}"
        )


def export(arguments: argparse.Namespace) -> None:
    """Write the variant, and say what was written.

    Raises:
        NmtError: the bundle or an option is not what it should be, or the disk is full.
    """
    from nmt.export.variant import MakeShortlist, export, learn_shortlist

    path = Path(arguments.model)
    make: MakeShortlist | None = None
    if arguments.shortlist is not None:

        def make(description: Description) -> Shortlist:
            corpora, languages = _training_text(path, description, arguments.train or [])
            if not arguments.quiet:
                report(NAME, f"aligning {', '.join(corpus.label for corpus in corpora)}")
            return learn_shortlist(description, corpora, size=arguments.shortlist, languages=languages)

    written = export(path, arguments.precision, shortlist=make)
    if not arguments.quiet:
        for name, size in written.files.items():
            shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
            report(NAME, f"wrote {path / name} ({shown})")


def verify(arguments: argparse.Namespace) -> None:
    """Check the promises, and print a line for each.

    Raises:
        NmtError: the bundle or an option is not what it should be.
        RunError: a promise is broken.
    """
    from nmt.corpus.reader import read_lines
    from nmt.evaluation.promises import verify

    path = Path(arguments.model)
    lines = list(read_lines(Path(arguments.source))) if arguments.source else []
    if arguments.source and not any(line.strip() for line in lines):
        raise ConfigError(f"--source {arguments.source} has no text: give sentences, one a line")
    if not arguments.quiet:
        report(NAME, f"checking with {len(lines)} lines of {arguments.source}" if lines else _INVENTED)
    checks = []
    for check in verify(path, lines=lines, names=arguments.variant or (), command=partial(_translated, path)):
        checks.append(check)
        if not arguments.quiet or check.kept is False:
            state = {True: "ok", False: "FAILED", None: "-"}[check.kept]
            print(f"{state:<6}  {check.subject:<7}  {check.promise}: {check.detail}", flush=True)
    if broken := sum(check.kept is False for check in checks):
        raise RunError(f"promises broken: {broken} of {len(checks)}; see FAILED above, and report the first")


def _translated(path: Path, options: Sequence[str], text: bytes) -> bytes:
    """Translate by the command, as `nmt.evaluation.promises.Command`; RunError where it fails."""
    command = [sys.executable, "-m", "nmt.cli.translate", str(path.absolute()), *options]
    # This process's modules, and not those of the current directory.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each), "PYTHONSAFEPATH": "1"}
    finished = subprocess.run(command, input=text, capture_output=True, env=environment, check=False)
    if finished.returncode:
        message = " ".join(finished.stderr.decode("utf-8", "replace").split())
        raise RunError(f"nmt-translate {' '.join(options)} ended with {finished.returncode}: {message}")
    return finished.stdout


def _training_text(path: Path, description: Description, named: Sequence[str]) -> tuple[list[CorpusPaths], list[str]]:
    """Find the training text and the target language of each: as it is named, or as the run of the bundle says."""
    from nmt.corpus.pairs import has_text, resolve_pair
    from nmt.corpus.reader import resolve

    key = "--train"
    if not named:
        from nmt.runs.results import read_results

        settings = read_results(path.absolute().parent).settings
        named = [settings["corpus.train"], *settings["corpus.extra"]] if settings else []
        key = f"{path.absolute().parent / 'config.yaml'}: corpus.train"
    if not named:
        raise ConfigError(
            f"--shortlist needs the training text, and {path.absolute().parent} has no config.yaml that names it: "
            "give it with --train PREFIX"
        )
    if not description.pairs:
        languages = {"source": description.source_language, "target": description.target_language}
        return [resolve(name, **languages, key=key) for name in named], [description.target_language] * len(named)
    # A pair may lack any text but the first.
    both = [(name, pair) for pair in description.pairs for name in named if name == named[0] or has_text(name, pair)]
    return [resolve_pair(name, pair, key=key) for name, pair in both], [pair.target for _, pair in both]


if __name__ == "__main__":
    sys.exit(main())
