"""Verify that a training in several processes ends well however often it is started: every start must end with 0.

It starts the real command with torchrun, for two updates on the first pairs of the embedded corpus, and prints a line
for each start that fails and a summary. What a start that failed said is kept. A busy machine finds more: start some at
once.

    python tools/verify_processes.py --starts 200 --at-once 3
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from nmt.cli.common import Parser, run
from nmt.errors import ConfigError, RunError

NAME = "verify_processes.py"
_DEMO = Path(__file__).parents[1] / "corpora" / "demo"
_PAIRS = {"train": 300, "valid": 20}
_SETTINGS = [
    *("corpus.train=train", "corpus.valid=valid", "corpus.source=en", "corpus.target=de", "corpus.cache_dir=cache"),
    *("auto=false", "model=tiny", "trainer.threads=1", "trainer.max_updates=2", "trainer.validate_every=2"),
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code: 1 when a start failed."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="more settings of nmt-train, after --")
    parser.add_argument("--starts", type=int, default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="processes of each (default: 2)")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="starts at a time (default: 1)")
    parser.add_argument("--seconds", type=float, default=300, metavar="S", help="until one hangs (default: 300)")
    parser.add_argument("--keep", type=Path, default=Path("failed"), metavar="DIR", help="where (default: failed)")

    def command() -> None:
        arguments = parser.parse_args(argv)
        for option in ("starts", "processes", "at_once", "seconds"):
            if getattr(arguments, option) <= 0:
                name = option.replace("_", "-")
                raise ConfigError(f"--{name} {getattr(arguments, option)} is not possible: it must be above 0")
        verify(arguments)

    return run(command, NAME)


def verify(arguments: argparse.Namespace) -> None:
    """Start the command again and again, and print what fails.

    Raises:
        RunError: a start did not end with 0 in time.
    """
    failed = 0
    with _corpus() as directory, ThreadPoolExecutor(arguments.at_once) as pool:
        starts = [pool.submit(start, number, directory, arguments) for number in range(1, arguments.starts + 1)]
        try:
            for number, results in enumerate(starts, start=1):
                if told := results.result():
                    failed += 1
                    print(f"start {number}: {told}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    print(f"{arguments.starts} starts of {arguments.processes} processes: {failed} failed")
    if failed:
        raise RunError(f"{failed} of {arguments.starts} starts failed; what they said is in {arguments.keep}")


def start(number: int, directory: Path, arguments: argparse.Namespace) -> str:
    """Train once; return what went wrong, or nothing."""
    run_dir, said = directory / f"run-{number}", directory / f"start-{number}.txt"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(arguments.processes)]
    settings = [*_SETTINGS, f"run_dir={run_dir}", *arguments.settings]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with open(said, "wb") as file:
        words = [sys.executable, *launcher, "-m", "nmt.cli.hydra.train", *settings]
        with subprocess.Popen(words, cwd=directory, env=environment, stdout=file, stderr=file) as process:
            try:
                code = process.wait(arguments.seconds)
                told = f"exit code {code}" if code else ""
            except subprocess.TimeoutExpired:
                process.terminate()  # torchrun ends its processes first
                told = f"still running after {arguments.seconds:g} s"
    if not told and not (run_dir / "best" / "config.json").exists():
        told = "exit code 0, but there is no bundle"
    if told:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(said, arguments.keep)
        told += f" ({arguments.keep / said.name})"
    shutil.rmtree(run_dir, ignore_errors=True)
    return told


@contextmanager
def _corpus() -> Iterator[Path]:
    """Make a directory with the first pairs of the embedded corpus, and remove it in the end."""
    with tempfile.TemporaryDirectory() as name:
        for part, pairs in _PAIRS.items():
            for side in ("en", "de"):
                lines = (_DEMO / f"{part}.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
                (Path(name) / f"{part}.{side}").write_text("".join(lines[:pairs]), encoding="utf-8")
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
