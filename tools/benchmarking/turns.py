"""How long updates of several networks take, in turns: a machine that slows down slows all of them."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from nmt.config.choices import Precision
from nmt.config.train import TrainConfig
from nmt.corpus.batches import Batch
from nmt.machine import keep_freed_memory
from nmt.model.seq2seq import build_model
from nmt.training.data import TrainingData, prepare
from nmt.training.trainer import Trainer

_WARM_UP = 2


def costs_in_turns(configs: Mapping[str, TrainConfig], *, rounds: int) -> dict[str, float]:
    """Compare what an update costs, in units of the first network's: the median of what each round has.

    Args:
        configs: of networks that differ in their model alone, and so read the same batches.
        rounds: updates of each network.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    data = prepare(next(iter(configs.values())))
    with tempfile.TemporaryDirectory() as directory:
        trainers = [_trainer(config, data, f"{directory}/{name}") for name, config in configs.items()]
        batches = trainers[0].batches.epoch(0)
        ratios: list[list[float]] = []
        for number in range(_WARM_UP + rounds):
            batch = next(batches)
            seconds = [_seconds(trainer, batch) for trainer in trainers]
            if number >= _WARM_UP:
                ratios.append([each / seconds[0] for each in seconds])
    return {name: statistics.median(column) for name, column in zip(configs, zip(*ratios, strict=True), strict=True)}


def _trainer(config: TrainConfig, data: TrainingData, directory: str) -> Trainer:
    Path(directory).mkdir()
    torch.manual_seed(config.seed)
    model = build_model(config.model, **data.vocabularies).train()
    return Trainer(dataclasses.replace(config, run_dir=directory), data, model=model, precision=Precision.fp32)


def _seconds(trainer: Trainer, batch: Batch) -> float:
    began = time.perf_counter()
    trainer.gradient(batch, seed=trainer.config.seed, update=trainer.position.update)
    trainer._update(trainer._clip())
    return time.perf_counter() - began
