"""nmt-export: a bundle that translates as fast as a CPU allows, also where PyTorch is not installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nmt.choices import VARIANTS
from nmt.cli.common import Parser, report, run

NAME = "nmt-export"

_DESCRIPTION = """\
Write a variant of a model into its bundle, for ONNX Runtime: several times as fast on a CPU, and without PyTorch.

  int8   weights and sums of bytes: the smallest and fastest, and of nearly the same quality
  fp32   the model as it was trained, in fp32: the same translations

nmt-translate and nmt-evaluate take the fastest variant that a bundle has, or the one that --precision names. What is
there already stays; a variant that was exported before is replaced. Training saves bundles without variants."""

_EXAMPLES = """\
examples:
  nmt-export runs/demo/best --precision int8
  nmt-evaluate runs/demo/best --source test.en --reference test.de                      what it is worth: int8,
  nmt-evaluate runs/demo/best --source test.en --reference test.de --precision fp32     and the model as it was

An exported bundle needs no more than this to translate:
  pip install -r requirements-translate.txt && pip install --no-deps nmt
Without PyTorch nothing reads model.safetensors, so that a copy of the bundle may lack it.

exit codes: 0 done, 1 failed (the disk is full), 2 wrong use, 130 or 143 stopped by a signal; unless it is done, the
bundle is as it was"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(lambda: export(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    usage = "nmt-export MODEL --precision {int8,fp32}"
    parser = Parser(NAME, usage=usage, description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help="a bundle: a directory that nmt-train saved, as runs/demo/best")
    parser.add_argument("--precision", choices=VARIANTS, required=True, help="the variant to make")
    parser.add_argument("--quiet", action="store_true", help="do not say on standard error what was written")
    return parser.parse_args(argv)


def export(arguments: argparse.Namespace) -> None:
    """Write the variant, and say what was written.

    Raises:
        NmtError: the bundle or an option is not what it should be, or the disk is full.
    """
    from nmt.runtime.export import export

    written = export(Path(arguments.model), arguments.precision)
    if not arguments.quiet:
        for name, size in written.files.items():
            report(NAME, f"wrote {Path(arguments.model) / name} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    sys.exit(main())
