r"""Measure the speed of translation: a bundle, on a test set, in every precision that the bundle has.

A row is ENGINE:BEAM:BATCH:THREADS, where the engine is a precision (bf16 where the machine computes it natively); with
-workers, that of nmt-translate --workers with as many processes as threads; with -torch, PyTorch where ONNX Runtime has
that precision too. Each is measured in a process of its own, text in and text out: sentences and target tokens a second
(loading left out), seconds from the start of the process until it could translate, peak resident memory, the arithmetic
of the model's products as a share of the machine's fp32 matrix-product rate, (2048, 512) · (512, 2048), measured in the
same process, and the BLEU of what came out. Rows of small batches translate the first --sentences only.

    python tools/benchmark_decoding.py runs/multi30k_en_de/best --source corpora/multi30k/test_2016_flickr.en \
        --reference corpora/multi30k/test_2016_flickr.de --rows 'int8:*:*:1' --rows 'fp32:5:64:1'

With --peer, other toolkits translate the same text in the same run, text in and text out too; each lives in an
environment whose Python is named: ctranslate2:DIRECTORY (a converted model), onmt:FILE (a checkpoint), joey:FILE (a
configuration; its model_dir has the checkpoint).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarking.command import measure_command
from benchmarking.decoding import SMALL_BATCH, WITH_WORKERS, Row, engines_of, has_shortlist, measure, rows_of
from benchmarking.machine import cores, in_a_process
from benchmarking.peers import Peer, find_peers
from benchmarking.processor import header

from nmt.cli.common import Parser, report, run, standard_output
from nmt.errors import ConfigError, CorpusError

NAME = "benchmark_decoding.py"
COLUMNS = (
    "engine",
    "beam",
    "batch",
    "threads",
    "sentences",
    "sentences/s",
    "target tokens/s",
    "ready after, s",
    "peak MB",
    "of the fp32 product rate",
    "BLEU",
)
_PEER_PRECISIONS = {"ctranslate2": ("int8", "float32"), "onmt": ("fp32",), "joey": ("fp32",)}


class Model(NamedTuple):
    """A peer's model in one precision."""

    peer: Peer
    path: str
    precision: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: benchmark(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", nargs="?", type=Path, help="a directory that nmt-train saved")
    parser.add_argument("--source", metavar="FILE", help="what is translated")
    parser.add_argument("--reference", metavar="FILE", help="its reference translations")
    rows = parser.add_argument_group("rows")
    numbers: dict[str, Any] = {"type": int, "nargs": "+", "metavar": "N"}
    rows.add_argument("--beams", default=[1, 5, 10], help="beam sizes, 1 is greedy (default: 1 5 10)", **numbers)
    rows.add_argument("--batches", default=[1, 64], help="sentences decoded together (default: 1 64)", **numbers)
    rows.add_argument("--threads", default=[1, cores()], help="default: 1 and all cores", **numbers)
    rows.add_argument("--rows", action="append", default=[], metavar="PATTERN", help="only rows like it, as 'int8:*'")
    rows.add_argument("--sentences", type=int, default=200, metavar="N", help="of small batches (default: 200)")
    rows.add_argument("--rounds", type=int, default=1, metavar="N", help="turns of every row (default: 1)")
    peers = parser.add_argument_group("peers")
    peers.add_argument("--peer", action="append", default=[], metavar="KIND:PATH", help="ctranslate2, onmt or joey")
    peers.add_argument("--peer-python", action="append", default=[], metavar="PATH", help="the Python that has it")
    peers.add_argument("--peer-subwords", metavar="FILE", help="SentencePiece model of ctranslate2 and onmt")
    peers.add_argument("--peer-max-length", type=int, default=80, metavar="N", help="subwords (default: 80)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one:
        return arguments
    for name in ("bundle", "source", "reference"):
        if not getattr(arguments, name):
            raise ConfigError(f"{name.upper() if name == 'bundle' else f'--{name}'} is missing; see {NAME} --help")
    for name in ("beams", "batches", "threads", "sentences", "rounds", "peer_max_length"):
        value = getattr(arguments, name)
        if (min(value) if isinstance(value, list) else value) < 1:
            raise ConfigError(f"--{name.replace('_', '-')} {value} is not possible: it must be 1 or more")
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure what the command line asks for, and print a row for each as it ends.

    Raises:
        ConfigError: an option or a peer is not what it should be.
        CorpusError: the texts are not of the same length.
        RunError: a measuring process failed.
    """
    if arguments.one:
        request = json.loads(Path(arguments.one).read_text(encoding="utf-8"))
        print(json.dumps(measure_command(request) if "warm_up" in request else measure(request)))
        return
    source, reference = texts(arguments)
    engines: dict[str, Model | None] = dict.fromkeys(engines_of(arguments.bundle, with_bf16=is_faster_in_bf16()))
    engines |= peer_engines(arguments)
    rows = rows_of(
        list(engines),
        beams=arguments.beams,
        batches=arguments.batches,
        threads=arguments.threads,
        patterns=arguments.rows,
    )
    out = standard_output()
    out.write(f"{header()}\n{table_row(COLUMNS)}\n{table_row(['---'] + ['---:'] * (len(COLUMNS) - 1))}\n".encode())
    found: dict[Row, list[dict[str, Any]]] = {row: [] for row in rows}
    for turn in range(1, arguments.rounds + 1):
        for row, measured in found.items():
            lines = source if row.batch >= SMALL_BATCH else source[: arguments.sentences]
            model = engines[row.engine]
            measured.append(of_peer(model, row, arguments, lines) if model else ours(row, arguments, lines))
            if turn < arguments.rounds:
                report(NAME, f"round {turn}: {row.name}: {len(lines) / measured[-1]['seconds']:,.1f} sentences/s")
                continue
            written = cells(row, measured, reference)
            if not model and has_shortlist(arguments.bundle, row.engine):
                written[0] += ", shortlist"
            out.write(f"{table_row(written)}\n".encode())
            out.flush()
    rates = sorted(one["rate"] / 1e9 for measured in found.values() for one in measured if "rate" in one)
    known = f"fp32 product rate: {rates[0]:.0f} to {rates[-1]:.0f} GFLOP/s; " if rates else ""
    out.write(f"\n{known}BLEU {signature()}, of the sentences of the row\n".encode())


def is_faster_in_bf16() -> bool:
    """Whether this machine computes bf16 natively."""
    import torch

    from nmt.config.choices import Precision
    from nmt.training.precision import choose_precision

    return choose_precision(Precision.auto, torch.device("cpu")) is Precision.bf16


def texts(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Read the test set; raises CorpusError."""
    from nmt.corpus.reader import read_lines

    source, reference = (list(read_lines(Path(name))) for name in (arguments.source, arguments.reference))
    if len(source) != len(reference) or not source:
        raise CorpusError(
            f"{arguments.source} has {len(source)} lines and {arguments.reference} has {len(reference)}: "
            "they need the same number, and one at least"
        )
    return source, reference


def peer_engines(arguments: argparse.Namespace) -> dict[str, Model]:
    """Find the peers and name their engines; raises ConfigError."""
    named = [word.partition(":") for word in arguments.peer]
    for kind, _, path in named:
        if not path or not Path(path).exists():
            raise ConfigError(f"--peer {kind}:{path}: there is no such model; write KIND:PATH, as in onmt:model.pt")
        if kind != "joey" and not Path(arguments.peer_subwords or "").is_file():
            raise ConfigError(f"--peer {kind} needs --peer-subwords FILE, the SentencePiece model of its training")
    found = find_peers([kind for kind, _, _ in named], arguments.peer_python)
    return {
        f"{peer.kind}-{precision}": Model(peer, str(Path(path).absolute()), precision)
        for peer, (_, _, path) in zip(found, named, strict=True)
        for precision in _PEER_PRECISIONS[peer.kind]
    }


def ours(row: Row, arguments: argparse.Namespace, lines: list[str]) -> dict[str, Any]:
    """Measure a row of the bundle's."""
    words = ["--beam-size", row.beam, "--batch-size", row.batch, "--device", "cpu"]
    request = {"bundle": str(arguments.bundle), "source": lines, "began": time.time()}
    if row.engine.endswith(WITH_WORKERS):
        words += ["--workers", row.threads, "--precision", row.engine.removesuffix(WITH_WORKERS)]
        request["warm_up"] = lines[: 2 * row.batch * row.threads]
    else:
        words += ["--threads", row.threads]
        request["engine"] = row.engine
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request | {"words": [str(word) for word in words]}), encoding="utf-8")
        # The worker processes have a thread each.
        threads = 1 if "warm_up" in request else row.threads
        found: dict[str, Any] = json.loads(in_a_process([__file__, "--one", str(path)], threads))
    return found


def of_peer(model: Model, row: Row, arguments: argparse.Namespace, lines: list[str]) -> dict[str, Any]:
    """Measure a row of a peer's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        request = {
            "model": model.path,
            "precision": model.precision,
            "source": str(path),
            "subwords": str(Path(arguments.peer_subwords).absolute()) if arguments.peer_subwords else "",
            "beam": row.beam,
            "batch": row.batch,
            "threads": row.threads,
            "max_length": arguments.peer_max_length,
            "began": time.time(),
        }
        return model.peer.run(f"{model.peer.kind}_translate", request, threads=row.threads)


def cells(row: Row, measured: list[dict[str, Any]], reference: list[str]) -> list[str]:
    """Fill a row of the table: medians of its rounds."""
    from nmt.evaluation.metrics import corpus_scores

    last = measured[-1]
    hypotheses = last["hypotheses"]
    seconds = statistics.median(one["seconds"] for one in measured)
    (bleu,) = corpus_scores(hypotheses, reference[: len(hypotheses)], metrics=("bleu",))
    return [
        row.engine,
        f"{row.beam}",
        f"{row.batch}",
        f"{row.threads}",
        f"{len(hypotheses):,}",
        f"{len(hypotheses) / seconds:,.1f}",
        f"{last['target_tokens'] / seconds:,.0f}",
        f"{statistics.median(one['load_seconds'] for one in measured):.2f}",
        f"{max(one['peak_mb'] for one in measured):,.0f}",
        f"{last['flop'] / seconds / statistics.median(one['rate'] for one in measured):.0%}" if "flop" in last else "",
        f"{bleu.value:.2f}",
    ]


def signature() -> str:
    """How BLEU is made."""
    from nmt.evaluation.metrics import corpus_scores

    return corpus_scores(["a"], ["a"], metrics=("bleu",))[0].signature


def table_row(values: Sequence[str]) -> str:
    """Write cells as a line of a Markdown table."""
    return "| " + " | ".join(values) + " |"


if __name__ == "__main__":
    sys.exit(main())
