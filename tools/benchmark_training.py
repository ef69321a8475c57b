"""Measure the speed of training: target tokens per second, padding, memory, and where the time goes.

Trains as nmt-train would with the same settings, after a warm-up, at each number of threads in a process of its own.
The limit to compare with is the machine's rate of a plain matrix product, (2048, 512) · (512, 2048), measured in the
same process: the fraction is the arithmetic of the model's products over real positions (2 FLOP a weight and position
forward, 4 backward), divided by the time and that rate. Below it, each part of an update is run on its own, forward
and backward.

    python tools/benchmark_training.py --threads 1 2 -- experiment=multi30k_en_de
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from nmt.cli.common import Parser, run
from nmt.config import ModelConfig, TrainConfig
from nmt.data.batches import Batch
from nmt.errors import ConfigError, RunError
from nmt.model.loss import smoothed_cross_entropy
from nmt.model.seq2seq import build_model
from nmt.schema import from_dict
from nmt.subwords import SubwordModel
from nmt.training.precision import choose_precision
from nmt.training.setup import prepare
from nmt.training.trainer import Trainer

NAME = "benchmark_training.py"
_PARTS = ("encoder", "decoder", "attention", "output and loss", "optimiser", "data")
_PART_BATCHES = 10


class Work(NamedTuple):
    """Weights that a position is multiplied with, by part."""

    source: dict[str, int]
    """for each real source position"""
    target: dict[str, int]
    """for each real target position"""
    sentence: dict[str, int]
    """for each pair"""

    def flop(self, part: str, *, source: int, target: int, pairs: int) -> float:
        """FLOP of a part for so many real positions, forward and backward."""
        macs = (
            self.source.get(part, 0) * source + self.target.get(part, 0) * target + self.sentence.get(part, 0) * pairs
        )
        return 6.0 * macs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool and return its exit code."""
    parser = Parser(NAME, description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings of nmt-train, after --")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument("--updates", type=int, default=40, metavar="N", help="updates measured (default: 40)")
    parser.add_argument("--warm-up", type=int, default=15, metavar="N", help="updates before them (default: 15)")
    parser.add_argument("--one", help="internal: measure here, with a configuration as JSON")

    def command() -> None:
        arguments = parser.parse_args(argv)
        if arguments.one:
            values = json.loads(arguments.one)
            print(json.dumps(measure(configuration(values), updates=arguments.updates, warm_up=arguments.warm_up)))
            return
        values = compose(arguments.settings)
        for threads in arguments.threads:
            values["trainer"]["threads"] = threads
            words = ["--one", json.dumps(values), "--updates", arguments.updates, "--warm-up", arguments.warm_up]
            print(report(threads, json.loads(in_a_process([sys.executable, __file__, *map(str, words)], threads))))

    return run(command, NAME)


def compose(settings: Sequence[str]) -> dict[str, Any]:
    """Let nmt-train compose its configuration, as plain values.

    Raises:
        ConfigError: it refuses the settings.
    """
    words = [sys.executable, "-m", "nmt.cli.train", "--cfg", "job", "--resolve", *settings]
    finished = subprocess.run(words, capture_output=True, text=True, encoding="utf-8")
    if finished.returncode:
        raise ConfigError(finished.stderr.strip().removeprefix("nmt-train: error: "))
    values: dict[str, Any] = yaml.safe_load(finished.stdout)
    return values


def configuration(values: dict[str, Any]) -> TrainConfig:
    """Turn what `compose` returned into dataclasses."""
    defaults = vars(TrainConfig())
    groups = {name: type(group) for name, group in defaults.items() if dataclasses.is_dataclass(group)}
    config = TrainConfig(**(values | {name: from_dict(kind, values[name]) for name, kind in groups.items()}))
    config.validate()
    return config


def in_a_process(words: Sequence[str], threads: int) -> str:
    """Run a command and return the last line that it prints.

    Raises:
        RunError: it failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    finished = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if finished.returncode:
        raise RunError("the measuring process failed; its message is above")
    return finished.stdout.strip().splitlines()[-1]


def measure(config: TrainConfig, *, updates: int, warm_up: int) -> dict[str, Any]:
    """Train and time; see `report` for what comes back."""
    torch.set_num_threads(config.trainer.threads)
    material = prepare(config)
    torch.manual_seed(config.seed)
    sizes = (material.source_subwords.vocabulary_size, material.target_subwords.vocabulary_size)
    model = build_model(config.model, source_vocabulary=sizes[0], target_vocabulary=sizes[1])
    precision = choose_precision(config.trainer.precision, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(config, material, model=model, run_dir=Path(directory), precision=precision)
        model.train()
        batches = endless(trainer)
        for _ in range(warm_up):
            update(trainer, next(batches))
        seen = [next(batches) for _ in range(updates)]
        rates = [product_rate(torch.float32)]
        began = time.perf_counter()
        for batch in seen:
            update(trainer, batch)
        seconds = time.perf_counter() - began
        rates.append(product_rate(torch.float32))
        parts = {part: seconds_of(part, trainer, seen[:_PART_BATCHES]) for part in _PARTS}
        trainer.close()
    counted = counts(seen)
    work = weights_of(config.model, *sizes)
    whole = sum(work.flop(part, source=counted[0], target=counted[2], pairs=counted[4]) for part in _PARTS)
    few = counts(seen[:_PART_BATCHES])
    return {
        "precision": str(precision),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens_per_second": counted[2] / seconds,
        "ms_per_update": 1000 * seconds / updates,
        "source_padding": 1 - counted[0] / counted[1],
        "target_padding": 1 - counted[2] / counted[3],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fp32_rate": statistics.mean(rates),
        "bf16_rate": product_rate(torch.bfloat16),
        "rate": whole / seconds,
        "parts": {
            part: (
                1000 * taken / _PART_BATCHES,
                work.flop(part, source=few[0], target=few[2], pairs=few[4]) / taken if taken else 0.0,
            )
            for part, taken in parts.items()
        },
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


def counts(batches: Sequence[Batch]) -> tuple[int, int, int, int, int]:
    """Real and all source positions, real and all target positions, and pairs."""
    return (
        sum(int(batch.source_lengths.sum()) for batch in batches),
        sum(batch.source.numel() for batch in batches),
        sum(int(batch.target_lengths.sum()) for batch in batches),
        sum(batch.target.numel() for batch in batches),
        sum(len(batch.source) for batch in batches),
    )


def product_rate(kind: torch.dtype, *, repeats: int = 30) -> float:
    """FLOP per second of (2048, 512) · (512, 2048): the median of some runs, of one second together at most."""
    left, right = torch.randn(2048, 512).to(kind), torch.randn(512, 2048).to(kind)
    taken: list[float] = []
    while len(taken) < repeats and sum(taken) < 1:
        began = time.perf_counter()
        left @ right
        taken.append(time.perf_counter() - began)
    return 2.0 * 2048 * 512 * 2048 / statistics.median(taken)


def weights_of(model: ModelConfig, source_vocabulary: int, target_vocabulary: int) -> Work:
    """Count the weights of the model's products by part; biases and embeddings take none."""
    gates = 4 if model.cell.value == "lstm" else 3
    values, hidden, width = 2 * model.encoder_hidden_size, model.decoder_hidden_size, model.embedding_size
    attentional = model.attentional_size or width
    encoder = 2 * gates * model.encoder_hidden_size * (width + model.encoder_hidden_size)
    encoder += (model.encoder_layers - 1) * 2 * gates * model.encoder_hidden_size * (values + model.encoder_hidden_size)
    fed = attentional if model.input_feeding else 0
    decoder = gates * hidden * (width + fed + hidden) + (model.decoder_layers - 1) * gates * hidden * 2 * hidden
    states = 2 if model.cell.value == "lstm" else 1
    bridge = model.decoder_layers * states * values * hidden
    kind, size = model.attention.value, model.attention_size
    keys = {"general": values * hidden, "additive": values * size, "dot": 0}[kind]
    query = hidden * size if kind == "additive" else 0
    combine = (values + hidden) * attentional
    return Work(
        {"encoder": encoder, "attention": keys},
        {"decoder": decoder, "attention": query + combine, "output and loss": attentional * target_vocabulary},
        {"encoder": bridge},
    )


def seconds_of(part: str, trainer: Trainer, batches: Sequence[Batch]) -> float:
    """Time one part of the update alone over some batches, forward and backward."""
    model, total = trainer.model, 0.0
    if part == "attention" and model.decoder.input_feeding:
        return 0.0
    if part == "data":
        return time_of_data(trainer, len(batches))
    for batch in batches:
        model.zero_grad(set_to_none=True)
        if part == "optimiser":
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, 1e-6)
            run_part: Callable[[], Any] = lambda: trainer._update(trainer._clip())  # noqa: E731
        else:
            run_part = prepared(part, trainer, batch)
        began = time.perf_counter()
        run_part()
        total += time.perf_counter() - began
    return total


def prepared(part: str, trainer: Trainer, batch: Batch) -> Callable[[], None]:
    """Make the inputs of a part, and return what runs it."""
    model, decoder = trainer.model, trainer.model.decoder
    source_embedding = model.source_embedding or model.target_embedding
    start = batch.target.new_full((len(batch.target), 1), SubwordModel.bos_id)
    previous = torch.cat((start, batch.target[:, :-1]), dim=1)

    if part == "encoder":

        def run_encoder() -> None:
            embedded = model._embed(batch.source, source_embedding)
            encoded = model.encoder(embedded, batch.source_lengths)
            bridged = model.bridge(encoded.states)
            (encoded.values.sum() + sum(p.sum() for layer in bridged for p in layer)).backward()

        return run_encoder
    with torch.no_grad():
        state = model.start(batch.source, batch.source_lengths)
    if part == "decoder":
        # With input feeding the attention is part of every step; it is not timed by itself then.
        run = decoder if decoder.input_feeding else decoder.recur
        return lambda: run(model._embed(previous, model.target_embedding), state).sum().backward()
    if part == "attention":
        queries = torch.randn(*previous.shape, trainer.config.model.decoder_hidden_size, requires_grad=True)
        values = state.memory.values.clone().requires_grad_()

        def run_attention() -> None:
            memory = decoder.attention.memory(values, state.memory.mask)
            decoder.attend(queries, memory)[0].sum().backward()

        return run_attention
    tokens = int(batch.target_lengths.sum())
    attentional = torch.randn(tokens, decoder.attentional_size, requires_grad=True)
    real = torch.arange(batch.target.size(1)) < batch.target_lengths.unsqueeze(1)
    targets = batch.target[real]

    def run_output() -> None:
        loss, _ = smoothed_cross_entropy(
            model.project(attentional).float(), targets, trainer.config.trainer.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]

    return run_output


def time_of_data(trainer: Trainer, batches: int) -> float:
    """Seconds that as many batches take their threads, a share of the window's preparation included."""
    source = dataclasses.replace(trainer.batches, prefetch=0)
    began = time.perf_counter()
    total = sum(1 for _ in source.epoch(1))
    return (time.perf_counter() - began) * batches / total


def report(threads: int, found: dict[str, Any]) -> str:
    """Write what was measured as Markdown."""
    fp32, bf16 = found["fp32_rate"], found["bf16_rate"]
    lines = [
        f"## {threads} thread{'s' * (threads != 1)}, {found['precision']}, {found['parameters']:,} parameters",
        "",
        f"- {found['tokens_per_second']:,.0f} real target tokens/s, {found['ms_per_update']:.0f} ms an update",
        f"- padding {found['source_padding']:.1%} source, {found['target_padding']:.1%} target",
        f"- peak memory {found['peak_mb']:,.0f} MB",
        f"- {found['rate'] / 1e9:.1f} GFLOP/s: {found['rate'] / fp32:.0%} of the fp32 matrix-product rate "
        f"({fp32 / 1e9:.0f} GFLOP/s), {found['rate'] / bf16:.0%} of the bf16 rate ({bf16 / 1e9:.0f} GFLOP/s)",
        "",
        "| part, alone | ms an update | share | of the fp32 rate |",
        "| --- | ---: | ---: | ---: |",
    ]
    total = sum(ms for ms, _ in found["parts"].values())
    for part, (ms, rate) in found["parts"].items():
        of_rate = f"{rate / fp32:.0%}" if rate else ""
        lines.append(f"| {part} | {ms:.1f} | {ms / total:.0%} | {of_rate} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
