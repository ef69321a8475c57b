"""Measure what more processes bring: target tokens per second of the same training, one thread each.

Runs the real command, as torchrun starts it, in a directory of its own each time; alternates between the numbers of
processes, so that a machine that slows down slows both; and reads the speeds from metrics.jsonl, without the first
updates. Nothing else should run meanwhile.

    python tools/benchmark_processes.py --processes 1 2 -- experiment=multi30k_en_de trainer.batch_tokens=4096
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarking.processor import header

from nmt.cli.common import Parser, run
from nmt.errors import ConfigError, RunError

NAME = "benchmark_processes.py"
_SECONDS_TO_DIE = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="settings of nmt-train, after --")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument("--updates", type=int, default=60, metavar="N", help="updates of a run (default: 60)")
    parser.add_argument("--skip", type=int, default=20, metavar="N", help="updates not measured (default: 20)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of each (default: 3)")

    def command() -> None:
        arguments = parser.parse_args(argv)
        if arguments.skip >= arguments.updates:
            raise ConfigError(f"--skip {arguments.skip} leaves none of --updates {arguments.updates}; lower it")
        speeds: dict[int, list[float]] = {number: [] for number in arguments.processes}
        for _ in range(arguments.repeats):
            for number, found in speeds.items():
                found.append(measure(arguments.settings, number, updates=arguments.updates, skip=arguments.skip))
                print(f"{number} processes: {found[-1]:,.0f} target tokens/s", file=sys.stderr, flush=True)
        print(f"{header()}\n{table(speeds)}")

    return run(command, NAME)


def measure(settings: Sequence[str], processes: int, *, updates: int, skip: int) -> float:
    """Target tokens per second of updates `skip` to `updates` of a run that is ended after them.

    Raises:
        RunError: the run ended before.
    """
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with tempfile.TemporaryDirectory() as directory:
        own = ["auto=false", f"run_dir={directory}/run", "trainer.log_every=1", "trainer.threads=1"]
        own += ["trainer.validate_every=1000000"]
        words = [sys.executable, *(launcher if processes > 1 else []), "-m", "nmt.cli.hydra.train", *settings, *own]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with open(f"{directory}/stderr", "wb") as errors:
            process = subprocess.Popen(words, env=environment, stderr=errors)
            try:
                lines = _wait(process, Path(directory), updates)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_SECONDS_TO_DIE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    first, last = lines[skip - 1], lines[updates - 1]
    return float(last["target_tokens"] - first["target_tokens"]) / float(last["seconds"] - first["seconds"])


def _wait(process: subprocess.Popen[bytes], directory: Path, updates: int) -> list[dict[str, Any]]:
    path = directory / "run" / "metrics.jsonl"
    while True:
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0] if path.exists() else ""
        lines = [line for line in map(json.loads, whole.splitlines()) if line["kind"] == "train"]
        if len(lines) >= updates:
            return lines
        if process.poll() is not None:
            tail = (directory / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise RunError(f"nmt-train ended after {len(lines)} updates: {' '.join(tail)}; try the settings by hand")
        time.sleep(0.2)


def table(speeds: dict[int, list[float]]) -> str:
    """Write the medians, and their ratios to the first."""
    first = statistics.median(next(iter(speeds.values())))
    lines = ["| processes | target tokens/s (median) | all runs | ratio |", "| ---: | ---: | --- | ---: |"]
    for number, found in speeds.items():
        median = statistics.median(found)
        runs = ", ".join(f"{value:,.0f}" for value in found)
        lines.append(f"| {number} | {median:,.0f} | {runs} | {median / first:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
