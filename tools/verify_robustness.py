"""Verify that whatever the commands are given, they do it or say in one line why not.

Cases are drawn from a seed: damaged bundles, extreme settings, hostile texts, odd command lines. Each runs a command to
its end and asserts that it ends in time and in memory, with exit code 0, with 2 and one line that says what to do, or
with 1 where disk or limits are at fault; that translations have as many lines as the text; and that no file is lost or
left behind. What does not fulfil that is printed as Markdown, with the smallest command that shows it.

    python tools/verify_robustness.py
    python tools/verify_robustness.py --seed 2 --cases 200 --kinds bundles,texts
    python tools/verify_robustness.py --only settings:17 --keep /tmp/case

It needs Linux: processes are forked from one that has everything loaded, and watched in /proc.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from multiprocessing.pool import Pool
from pathlib import Path

from benchmarking.machine import cores
from robustness.launch import load_commands
from robustness.models import VARIANTS, Model, take_bundle
from robustness.report import Told, finding, groups, summary
from robustness.run import KINDS, Runner
from robustness.watch import Limits
from robustness.worker import Worker

from nmt.cli.common import Parser, report, run, standard_output
from nmt.errors import ConfigError, RunError

NAME = "verify_robustness.py"
_TOLD_EVERY = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code: 1 when a case does not fulfil what it must."""
    return run(lambda: verify(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is drawn (default: 1)")
    parser.add_argument("--cases", type=int, default=1000, metavar="N", help="of all kinds together (default: 1000)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"separated by commas (default: {','.join(KINDS)})")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one case, of which everything is shown")
    parser.add_argument("--bundle", type=Path, help="a model to try them on (default: small ones, made at the start)")
    parser.add_argument("--processes", type=int, default=cores(), metavar="N", help="default: one for each core")
    parser.add_argument("--timeout", type=float, default=30, metavar="SECONDS", help="of a command (default: 30)")
    parser.add_argument("--memory", type=float, default=6, metavar="GIB", help="of a command (default: 6)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a new directory, in which the files of cases stay")
    arguments = parser.parse_args(argv)
    arguments.kinds = arguments.kinds.split(",")
    if arguments.only:
        kind, _, number = arguments.only.partition(":")
        if not number.isdecimal():
            raise ConfigError(f"--only {arguments.only} is not possible: write KIND:NUMBER, as in bundles:17")
        arguments.kinds, arguments.only = [kind], int(number)
    for kind in arguments.kinds:
        if kind not in KINDS:
            raise ConfigError(f"there is no kind {kind!r}: choose from {', '.join(KINDS)}")
    for name in ("cases", "processes", "timeout", "memory"):
        if not getattr(arguments, name) > 0:
            raise ConfigError(f"--{name} {getattr(arguments, name)} is not possible: it must be above 0")
    if arguments.keep and arguments.keep.exists():
        raise ConfigError(f"--keep {arguments.keep} exists: name a new directory")
    if not hasattr(os, "pidfd_open"):
        raise ConfigError("this machine is not Linux, or its Python is too old to watch processes (os.pidfd_open)")
    return arguments


def verify(arguments: argparse.Namespace) -> None:
    """Run the cases and print what was found.

    Raises:
        RunError: a case does not fulfil what it must, or no model could be made.
    """
    began = time.monotonic()
    commands = load_commands()
    with tempfile.TemporaryDirectory(prefix="robustness-") as temporary:
        scratch = (arguments.keep or Path(temporary)).absolute()
        (scratch / "models").mkdir(parents=True)
        context = multiprocessing.get_context("fork")
        limits = Limits(seconds=arguments.timeout, memory_bytes=round(arguments.memory * 2**30))
        runner = Runner(commands=commands, scratch=scratch, limits=limits, keep=arguments.keep is not None)
        with context.Pool(arguments.processes, Worker.start, (runner, arguments.seed)) as pool:
            if arguments.bundle:
                models = [take_bundle(arguments.bundle, scratch / "models")]
            else:
                models = pool.map(Worker.make_model, VARIANTS, chunksize=1)
            if arguments.only is not None:
                told = pool.apply(Worker.run, ((models, arguments.kinds[0], arguments.only),))
                _print([*told.lines, f"- stderr: {told.stderr}"])
                results = [told]
            else:
                results = _run_all(arguments, models, pool, began)
            # Ended rather than killed: one that is killed while it holds a lock leaves the others waiting.
            pool.close()
            pool.join()
    if bad := sum(bool(told.rule) for told in results):
        raise RunError(f"{bad} of {len(results):,} cases do not end as they must; see above")


def _run_all(arguments: argparse.Namespace, models: list[Model], pool: Pool, began: float) -> list[Told]:
    """Run all cases, and print a table and the findings."""
    kinds = len(arguments.kinds)
    tasks = [(models, arguments.kinds[each % kinds], each // kinds) for each in range(arguments.cases)]
    results: list[Told] = []
    for told in pool.imap_unordered(Worker.run, tasks, chunksize=1):
        results.append(told)
        if len(results) % _TOLD_EVERY == 0:
            bad = sum(bool(each.rule) for each in results)
            report(NAME, f"{len(results):,} of {len(tasks):,} cases, {bad} bad, {time.monotonic() - began:.0f} s")
    results.sort(key=lambda told: (arguments.kinds.index(told.kind), told.number))
    _print(summary(results))
    found = groups(results)
    simplest = [(models, group[0].kind, group[0].number) for group in found]
    for group, smaller in zip(found, pool.imap(Worker.run_smaller, simplest, chunksize=1), strict=True):
        _print(["", *finding(group, smaller)])
    bad = sum(bool(told.rule) for told in results)
    seconds = time.monotonic() - began
    _print(
        ["", f"{len(results):,} cases of seed {arguments.seed} in {seconds:.0f} s: {bad} bad, of {len(found)} sorts"]
    )
    return results


def _print(lines: Iterable[str]) -> None:
    out = standard_output()
    for line in lines:
        out.write(f"{line}\n".encode("utf-8", "backslashreplace"))
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
