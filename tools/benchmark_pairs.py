"""Measure what a training pair costs, from a few thousand pairs to millions: time and memory of each stage of a start.

    python tools/benchmark_pairs.py /tmp/benchmark --sizes 5000 50000 500000 5000000
    python tools/benchmark_pairs.py /tmp/benchmark --kept docs/results/pairs.jsonl --plot pairs.png

For each size it makes synthetic text, and runs what nmt-train runs before its first update, with an empty cache, and
some updates. Each size has a process of its own. The network and the number of subwords are the same for all sizes.

A table has the seconds of a processor that each stage computes, the microseconds a pair, and the peak of anonymous
memory (Linux's RssAnon; files that are mapped into memory are not in it). What else runs on the machine does not count
in such seconds, at least not much. Those of the clock are kept too.

Below the table stand the stages whose cost a pair grows with the text. What was measured is kept, and is not measured
again with the same settings, so that the command may be stopped between two sizes. The picture needs matplotlib:
pip install '.[plot]'.
"""

from __future__ import annotations

import argparse
import json
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark_memory import anonymous_memory
from benchmark_training import compose
from benchmarking.machine import environment
from benchmarking.pairs_report import draw, table
from benchmarking.preparing import STAGES, tell_stages
from benchmarking.processor import header
from benchmarking.zipf import write_text
from recorded.again import this_machine
from recorded.kept import find, keep, read_kept

from nmt.cli.common import Parser, report, run, standard_output
from nmt.errors import ConfigError, RunError

NAME = "benchmark_pairs.py"
KEPT = Path(__file__).parents[1] / "docs/results/pairs.jsonl"
SETTINGS = (
    *("auto=false", "model=tiny", "subwords.vocabulary_size=4000", "corpus.deduplicate=true"),
    *("corpus.source=en", "corpus.target=de", "trainer.batch_tokens=1200", "trainer.progress=false"),
)
_VALID_PAIRS, _VALID_SEED = 500, 2
_SAMPLE_SECONDS = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: benchmark(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    stages = "".join(f"\n  {name:<12} {what}" for name, what in STAGES.items())
    style = argparse.RawDescriptionHelpFormatter
    parser = Parser(NAME, description=__doc__, epilog=f"stages:{stages}", formatter_class=style)
    parser.add_argument(
        "directory", type=Path, metavar="DIRECTORY", help="for the texts (kept) and the cache (removed)"
    )
    sizes = {"type": int, "nargs": "+", "default": [5_000, 50_000, 500_000, 5_000_000], "metavar": "N"}
    parser.add_argument("--sizes", help="pairs of each text (default: 5000 50000 500000 5000000)", **sizes)
    parser.add_argument("--updates", type=int, default=100, metavar="N", help="that are measured (default: 100)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--settings", nargs="*", default=[], metavar="KEY=VALUE", help="further ones of nmt-train")
    parser.add_argument(
        "--kept", type=Path, default=KEPT, metavar="FILE", help=f"of what was measured (default: {KEPT})"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the costs: .png, .svg or .pdf")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    for name in ("sizes", "updates", "threads"):
        least = min(getattr(arguments, name)) if name == "sizes" else getattr(arguments, name)
        if least < 1:
            raise ConfigError(f"--{name} {least} is not possible: it must be 1 or more")
    if arguments.plot and arguments.plot.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--plot {arguments.plot}: name a .png, .svg or .pdf file")
    if not Path("/proc/self/status").exists():
        raise ConfigError("this machine has no /proc/PID/status, where Linux tells a process's memory")
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure what is not kept yet, and print the table of what the command line asks for.

    Raises:
        ConfigError: nmt-train refuses a setting, or matplotlib is not installed.
        RunError: a measuring process failed.
    """
    if arguments.one:
        tell_stages(json.loads(arguments.one), updates=arguments.updates)
        return
    rows = []
    for pairs in sorted(set(arguments.sizes)):
        wanted = {"pairs": pairs, "settings": [*SETTINGS, *arguments.settings]}
        wanted |= {"updates": arguments.updates, "threads": arguments.threads}
        row = find(read_kept(arguments.kept), **wanted)
        if row is None:
            report(NAME, f"measuring {pairs:,} pairs")
            row = wanted | {"stages": measure(arguments, pairs), "machine": this_machine()}
            keep(arguments.kept, row)
        rows.append(row)
    standard_output().write((f"{header()}\n" + "\n".join(table(rows)) + "\n").encode())
    standard_output().flush()
    if arguments.plot:
        draw(rows, arguments.plot)


def measure(arguments: argparse.Namespace, pairs: int) -> dict[str, dict[str, float]]:
    """Run all stages on a text of so many pairs, in a process of its own; return times and peak memory of each.

    Raises:
        ConfigError: nmt-train refuses a setting.
        RunError: the process failed.
    """
    prefix = write_text(arguments.directory, pairs)
    valid = write_text(arguments.directory, _VALID_PAIRS, seed=_VALID_SEED)
    cache = arguments.directory / f"cache-{pairs}"
    shutil.rmtree(cache, ignore_errors=True)
    words = [f"corpus.train={prefix}", f"corpus.valid={valid}", f"corpus.cache_dir={cache}"]
    values = compose([*SETTINGS, *words, f"trainer.threads={arguments.threads}", *arguments.settings])
    command = [sys.executable, __file__, str(arguments.directory), "--updates", str(arguments.updates)]
    try:
        return watch([*command, "--one", json.dumps(values)], threads=arguments.threads)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def watch(command: Sequence[str], *, threads: int) -> dict[str, dict[str, float]]:
    """Run a process that tells its stages as they end, see `benchmarking.preparing`, and watch its memory.

    Raises:
        RunError: it failed.
    """
    stages: dict[str, dict[str, float]] = {}
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(threads), bufsize=0) as process:
        assert process.stdout is not None
        try:
            while True:
                peak = max(peak, anonymous_memory(process.pid))
                if not select.select([process.stdout], [], [], _SAMPLE_SECONDS)[0]:
                    continue
                line = process.stdout.readline()
                if not line:
                    break
                told = json.loads(line)
                name, peak = told.pop("stage"), max(peak, told.pop("memory"))
                values = {key: round(value, 4) for key, value in told.items()}
                stages[name] = values | {"peak_mib": round(peak / 2**20, 1)}
                peak = 0
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RunError("the measuring process failed; its message is above")
    return stages


if __name__ == "__main__":
    sys.exit(main())
