r"""Measure the speed of training: target tokens per second, padding, memory, and where the time goes.

Trains as nmt-train would with the same settings, after a warm-up, at each number of threads in a process of its own.
The limit to compare with is the machine's rate of a plain matrix product, (2048, 512) · (512, 2048), measured in the
same process: the fraction is the arithmetic of the model's products over real positions (2 FLOP a weight and position
forward, 4 backward), divided by the time and that rate. Below it, each part of an update is run on its own, forward
and backward.

    python tools/benchmark_training.py --threads 1 2 -- experiment=multi30k_en_de

With --peer, OpenNMT-py (onmt) or JoeyNMT (joey) trains on the same subwords with the same sizes and batches, in turns
with ours; it lives in an environment of its own, whose Python is named:

    python tools/benchmark_training.py --threads 1 --peer onmt --peer-python ~/onmt/bin/python -- \
        experiment=multi30k_en_de model.encoder_layers=1 subwords.vocabulary_size=8000 trainer.batch_tokens=2048
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import yaml
from benchmarking.arithmetic import weights_of
from benchmarking.inside_peers.meter import Positions, training_speed
from benchmarking.machine import in_a_process, product_rate
from benchmarking.parts import PARTS, seconds_of
from benchmarking.peer_settings import settings_for, write_text
from benchmarking.peers import Peer, find_peers
from benchmarking.processor import header
from benchmarking.training_report import comparison, speed_report

from nmt.cli.common import Parser, report, run
from nmt.config.schema import from_dict
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError
from nmt.machine import keep_freed_memory
from nmt.model.seq2seq import build_model
from nmt.training.data import prepare
from nmt.training.precision import choose_precision
from nmt.training.trainer import Trainer

if TYPE_CHECKING:
    from nmt.corpus.batches import Batch
    from nmt.training.data import TrainingData

NAME = "benchmark_training.py"
_PART_BATCHES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    return run(lambda: benchmark(parse(argv)), NAME)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; raises ConfigError."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings of nmt-train, after --")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument("--updates", type=int, default=40, metavar="N", help="updates measured (default: 40)")
    parser.add_argument("--warm-up", type=int, default=15, metavar="N", help="updates before them (default: 15)")
    parser.add_argument(
        "--rate-seconds", type=float, default=1, metavar="S", help="for the machine's rate (default: 1)"
    )
    peers = parser.add_argument_group("peers")
    peers.add_argument("--peer", action="append", default=[], choices=("onmt", "joey"), help="run it beside ours")
    peers.add_argument("--peer-python", action="append", default=[], metavar="PATH", help="the Python that has it")
    peers.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each, beside peers (default: 3)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    for name, least in (("updates", 1), ("warm_up", 0), ("rate_seconds", 0), ("rounds", 1)):
        if getattr(arguments, name) < least:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} {getattr(arguments, name)} is not possible: it must be {least} or more")
    return arguments


def benchmark(arguments: argparse.Namespace) -> None:
    """Measure what the command line asks for, and print it.

    Raises:
        ConfigError: a setting or a peer is not what it should be.
        RunError: a measuring process failed.
    """
    if arguments.one:
        request = json.loads(arguments.one)
        config = configuration(request["values"])
        print(json.dumps(measure(config, arguments, parts=request["parts"])))
        return
    peers = find_peers(arguments.peer, arguments.peer_python)
    values = compose(arguments.settings)
    # What is measured finds the text in the cache, as every start but the first does.
    data = prepare(configuration(values))
    print(header(), flush=True)
    for threads in arguments.threads:
        values["trainer"]["threads"] = threads
        first = ours(arguments, values, threads=threads, parts=True)
        print(speed_report(threads, first), flush=True)
        if peers:
            print(beside_peers(arguments, values, peers, data=data, threads=threads, first=first), flush=True)


def ours(arguments: argparse.Namespace, values: dict[str, Any], *, threads: int, parts: bool) -> dict[str, Any]:
    """Measure in a process of its own; see `measure`."""
    request = json.dumps({"values": values, "parts": parts})
    words = ["--one", request, "--updates", arguments.updates, "--warm-up", arguments.warm_up]
    words += ["--rate-seconds", arguments.rate_seconds]
    found: dict[str, Any] = json.loads(in_a_process([__file__, *map(str, words)], threads))
    return found


def beside_peers(
    arguments: argparse.Namespace,
    values: dict[str, Any],
    peers: list[Peer],
    *,
    data: TrainingData,
    threads: int,
    first: dict[str, Any],
) -> str:
    """Train in turns with the peers, and compare.

    Args:
        arguments: the command line's.
        values: our configuration.
        peers: the others.
        data: the text.
        threads: of each process.
        first: our first round.
    """
    config = configuration(values)
    rounds: dict[str, list[dict[str, Any]]] = {"nmt": [first], **{peer.title: [] for peer in peers}}
    with tempfile.TemporaryDirectory() as folder:
        write_text(data, Path(folder))
        request = {"warm_up": arguments.warm_up, "updates": arguments.updates}
        requests = [
            request | {"config": str(settings_for(peer.kind, config, folder=Path(folder), data=data))} for peer in peers
        ]
        for number in range(arguments.rounds):
            if number:
                rounds["nmt"].append(ours(arguments, values, threads=threads, parts=False))
            for peer, request in zip(peers, requests, strict=True):
                rounds[peer.title].append(peer.run(f"{peer.kind}_train", request, threads=threads))
            speeds = ", ".join(f"{name} {found[-1]['tokens_per_second']:,.0f}" for name, found in rounds.items())
            report(NAME, f"round {number + 1} of {arguments.rounds}, target tokens/s: {speeds}")
    return comparison(threads, rounds)


def compose(settings: Sequence[str]) -> dict[str, Any]:
    """Let nmt-train compose its configuration, as plain values.

    Raises:
        ConfigError: it refuses the settings.
    """
    words = [sys.executable, "-m", "nmt.cli.hydra.train", "--cfg", "job", "--resolve", *settings]
    finished = subprocess.run(words, capture_output=True, text=True, encoding="utf-8")
    if finished.returncode:
        raise ConfigError(finished.stderr.strip().removeprefix("nmt-train: error: "))
    values: dict[str, Any] = yaml.safe_load(finished.stdout)
    return values


def configuration(values: dict[str, Any]) -> TrainConfig:
    """Turn what `compose` returned into dataclasses."""
    defaults = vars(TrainConfig())
    groups = {name: type(group) for name, group in defaults.items() if dataclasses.is_dataclass(group)}
    config = from_dict(TrainConfig, values | {name: from_dict(kind, values[name]) for name, kind in groups.items()})
    config.validate()
    return config


def measure(config: TrainConfig, arguments: argparse.Namespace, *, parts: bool) -> dict[str, Any]:
    """Train and time, as long as the command line says; see `speed_report` for what comes back."""
    updates = arguments.updates
    rate = partial(product_rate, seconds=arguments.rate_seconds)
    torch.set_num_threads(config.trainer.threads)
    keep_freed_memory()  # as nmt-train does
    data = prepare(config)
    torch.manual_seed(config.seed)
    sizes = (data.source_subwords.vocabulary_size, data.target_subwords.vocabulary_size)
    model = build_model(config.model, source_vocabulary=sizes[0], target_vocabulary=sizes[1])
    precision = choose_precision(config.trainer.precision, torch.device("cpu"), model=config.model)
    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(dataclasses.replace(config, run_dir=directory), data, model=model, precision=precision)
        model.train()
        batches = endless(trainer)
        for _ in range(arguments.warm_up):
            update(trainer, next(batches))
        rates = [rate(torch.float32)]
        seen = []
        began = time.perf_counter()
        for _ in range(updates):
            seen.append(next(batches))
            update(trainer, seen[-1])
        seconds = time.perf_counter() - began
        measured = [positions_of(batch) for batch in seen]
        found = training_speed(measured, seconds)  # before anything else takes memory
        rates.append(rate(torch.float32))
        alone = {part: seconds_of(part, trainer, seen[:_PART_BATCHES]) for part in PARTS if parts}
        trainer.close()
    work = weights_of(config.model, *sizes)

    def flop(part: str, count: int) -> float:
        """FLOP of a part over the first batches."""
        source, target = (sum(getattr(one, side) for one in measured[:count]) for side in ("source", "target"))
        return work.training_flop(
            part, source=source, target=target, pairs=sum(len(batch.source) for batch in seen[:count])
        )

    few = min(updates, _PART_BATCHES)
    return found | {
        "precision": str(precision),
        "parameters": sum(p.numel() for p in model.parameters()),
        "fp32_rate": statistics.mean(rates),
        "bf16_rate": rate(torch.bfloat16),
        "rate": sum(flop(part, updates) for part in PARTS) / seconds,
        "parts": {part: (1000 * taken / few, flop(part, few) / taken) for part, taken in alone.items() if taken},
    }


def endless(trainer: Trainer) -> Iterator[Batch]:
    """Yield the batches of one epoch after the other."""
    epoch = 0
    while True:
        yield from trainer.batches.epoch(epoch)
        epoch += 1


def update(trainer: Trainer, batch: Batch) -> None:
    """Do what the training loop does for a batch, but for telling of it."""
    trainer._set_learning_rate()
    trainer._forward_backward(batch)
    trainer._update(trainer._clip())


def positions_of(batch: Batch) -> Positions:
    """Count a batch's positions."""
    return Positions(
        int(batch.source_lengths.sum()),
        batch.source.numel(),
        int(batch.target_lengths.sum()),
        batch.target.numel(),
    )


if __name__ == "__main__":
    sys.exit(main())
