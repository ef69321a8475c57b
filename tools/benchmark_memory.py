"""Measure how memory and the time to the first update grow with the training text.

For each size it makes a synthetic corpus, trains a tiny model on it twice with nmt-train, the first time with an empty
cache, and prints a Markdown table: peaks of anonymous resident memory (RssAnon of Linux's /proc, summed over the
command and its children; memory-mapped files are not in it) before and after the first update, and the seconds until
the first update is done, Python's own start included.

    python tools/benchmark_memory.py /tmp/benchmark --sizes 29000 2000000
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from benchmarking.processor import header

from nmt.cli.common import Parser, run, standard_output
from nmt.errors import ConfigError, RunError

NAME = "benchmark_memory.py"
COLUMNS = ("pairs", "start", "peak while starting, MiB", "peak while training, MiB", "first update after, s")

_SAMPLE_SECONDS = 0.02
_WORD_FORMS = 4000
_CHUNK = 10_000
_CONSONANTS, _VOWELS = "bdfghjklmnprstvwz", "aeiou"
_SETTINGS = (
    *("corpus.source=en", "corpus.target=de", "corpus.valid_pairs=50", "subwords.sampling_alpha=0.1"),
    "auto=false",
    *("model=tiny", "model.embedding_size=32", "model.encoder_hidden_size=32", "model.decoder_hidden_size=64"),
    *("trainer.batch_tokens=500", "trainer.log_every=1", "trainer.progress=false", "trainer.precision=fp32"),
)


class Measured(NamedTuple):
    """What one training took."""

    starting: float
    """peak before the first update was done, in MiB"""
    training: float
    """peak after it, in MiB"""
    seconds: float
    """until the first update was done"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: benchmark(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, metavar="DIRECTORY", help="for corpora (kept), caches and runs")
    sizes = {"type": int, "nargs": "+", "default": [29_000, 2_000_000], "metavar": "N"}
    parser.add_argument("--sizes", help="pairs of each corpus (default: 29000 2000000)", **sizes)
    parser.add_argument("--updates", type=int, default=200, metavar="N", help="of each training (default: 200)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--settings", nargs="*", default=[], metavar="KEY=VALUE", help="further ones of nmt-train")
    arguments = parser.parse_args(argv)
    for name, values in (("--sizes", arguments.sizes), ("--updates", [arguments.updates])):
        if min(values) < 1:
            raise ConfigError(f"{name} {min(values)} is not possible: it must be 1 or more")
    if not Path("/proc/self/status").exists():
        raise ConfigError("this machine has no /proc/PID/status, where Linux tells a process's memory")
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    """Print a row for each training as it ends.

    Raises:
        RunError: a training failed.
    """
    directory: Path = arguments.directory
    out = standard_output()
    out.write(f"{header()}\n".encode())
    out.write(("\n".join(map(_row, (COLUMNS, ["---:"] * len(COLUMNS)))) + "\n").encode())
    for pairs in arguments.sizes:
        prefix = make_corpus(directory, pairs)
        shutil.rmtree(directory / f"cache-{pairs}", ignore_errors=True)
        for start in ("first", "second"):
            run_dir = directory / f"run-{pairs}-{start}"
            shutil.rmtree(run_dir, ignore_errors=True)
            words = [f"corpus.train={prefix}", f"corpus.cache_dir={directory / f'cache-{pairs}'}", f"run_dir={run_dir}"]
            words += [f"trainer.{key}={arguments.updates}" for key in ("max_updates", "validate_every")]
            words += [*_SETTINGS, f"trainer.threads={arguments.threads}", *arguments.settings]
            found = measure([sys.executable, "-m", "nmt.cli.hydra.train", *words], run_dir)
            numbers = (found.starting, found.training, found.seconds)
            out.write((_row([f"{pairs:,}", start, *(f"{number:,.1f}" for number in numbers)]) + "\n").encode())
            out.flush()


def make_corpus(directory: Path, pairs: int) -> Path:
    """Write PREFIX.en and PREFIX.de unless they are there, and return the prefix; the same bytes on every machine."""
    prefix = directory / f"pairs-{pairs}"
    if not prefix.with_suffix(".de").exists():
        directory.mkdir(parents=True, exist_ok=True)
        partial = {side: prefix.with_suffix(f".{side}.partial") for side in ("en", "de")}
        with (
            open(partial["en"], "w", encoding="utf-8") as english,
            open(partial["de"], "w", encoding="utf-8") as german,
        ):
            for source, target in sentences(pairs):
                english.write(source + "\n")
                german.write(target + "\n")
        for side, path in partial.items():
            path.replace(prefix.with_suffix(f".{side}"))
    return prefix


def sentences(pairs: int, *, seed: int = 1) -> Iterator[tuple[str, str]]:
    """Yield sentences of 3 to 40 words whose frequencies follow Zipf's law, and their word-by-word translations."""
    draw = np.random.Generator(np.random.PCG64(seed))
    source_words, target_words = word_forms(draw), word_forms(draw)
    bounds = np.cumsum(1 / np.arange(1, _WORD_FORMS + 1))
    for done in range(0, pairs, _CHUNK):
        lengths = np.clip(draw.gamma(4.0, 3.0, min(_CHUNK, pairs - done)), 3, 40).astype(np.int64)
        ranks = np.searchsorted(bounds, draw.random(int(lengths.sum())) * bounds[-1])
        ends = np.cumsum(lengths)
        sources, targets = source_words[ranks].tolist(), target_words[ranks].tolist()
        for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True):
            yield " ".join(sources[start:end]), " ".join(targets[start:end])


def word_forms(draw: np.random.Generator) -> npt.NDArray[np.object_]:
    """Make different words of two to five syllables, those of high frequency first."""
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    forms: dict[str, None] = {}
    while len(forms) < _WORD_FORMS:
        count = int(draw.integers(2, 4 if len(forms) < _WORD_FORMS // 10 else 6))
        forms["".join(syllables[i] for i in draw.integers(0, len(syllables), count).tolist())] = None
    return np.array(list(forms), dtype=object)


def measure(words: Sequence[str], run_dir: Path) -> Measured:
    """Run a training and watch its memory.

    Raises:
        RunError: it failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    began, seconds = time.monotonic(), 0.0
    starting = training = 0.0
    log = run_dir.with_suffix(".log")
    with open(log, "wb") as stream, subprocess.Popen(words, stderr=stream, env=environment) as process:
        try:
            while process.poll() is None:
                memory = anonymous_memory(process.pid)
                if not seconds and _has_text(run_dir / "metrics.jsonl"):
                    seconds = time.monotonic() - began
                if seconds:
                    training = max(training, memory)
                else:
                    starting = max(starting, memory)
                time.sleep(_SAMPLE_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
        raise RunError(f"a training failed with exit code {process.returncode}: {' '.join(last)} (see {log})")
    return Measured(starting / 2**20, training / 2**20, seconds)


def anonymous_memory(pid: int) -> int:
    """Bytes of anonymous resident memory of a process and all that it started; 0 for one that has ended."""
    total, pending = 0, [pid]
    while pending:
        process = Path("/proc") / str(pending.pop())
        try:
            status = (process / "status").read_text(encoding="ascii", errors="replace")
            children = [path.read_text(encoding="ascii") for path in (process / "task").glob("*/children")]
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
        pending += [int(child) for line in children for child in line.split()]
    return total


def _has_text(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
