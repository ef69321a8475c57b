"""What a training does before its first update, stage by stage, and some updates: for a process of its own."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple, Self

import torch
from benchmark_memory import anonymous_memory
from benchmark_training import configuration, endless, update

from nmt.bundle.networks import build_network
from nmt.config.train import TrainConfig
from nmt.corpus.distinct import SeenPairs
from nmt.corpus.reader import Pair, read_pairs
from nmt.machine import keep_freed_memory
from nmt.tasks.translation import TRANSLATION
from nmt.training.augmentation import letter_cases
from nmt.training.auto.facts import find_facts
from nmt.training.checks import warn_of_texts
from nmt.training.data import TrainingData, prepare
from nmt.training.lexicon import fill_lexicon
from nmt.training.memory import estimate
from nmt.training.precision import choose_precision
from nmt.training.subwords import subword_models
from nmt.training.texts import cache_of, hold_out, training_texts
from nmt.training.trainer import Trainer

_CHUNK_PAIRS = 10_000
_WARM_UP = 20
"""Updates before those that are measured."""

STAGES = {
    "start": "Python, PyTorch and nmt are loaded; its memory is in that of every other stage",
    "read": "the text is read once",
    "deduplicate": "pairs are told from those before them; the time of reading is left out, not its memory",
    "look": "what auto looks at: one pass over the text, repeated pairs, letters, words",
    "hold out": "pairs are chosen for validation; it is done where corpus.valid is empty",
    "subwords": "subwords are trained: one pass, and SentencePiece on 500,000 lines at the most",
    "encode": "one pass: repeated pairs and filters, subwords, files in the cache",
    "checks": "is memory enough, is the validation text in the training text or unlike it",
    "align": "words are aligned for the lexicon: of long text a sample",
    "first batch": "model and optimizer are made, and the first window of pairs is cut into batches",
    "updates": "some updates, the first ones aside",
}
"""What is measured, in this order, and what it is."""


def tell_stages(values: dict[str, Any], *, updates: int) -> None:
    """Print a line of JSON as each of `STAGES` ends: its name, its seconds and the seconds of processors.

    The last line has the target tokens of the updates too, and their target positions, padding included.

    Args:
        values: the configuration, as `benchmark_training.compose` gives it; its cache should be empty.
        updates: measured ones.
    """
    tell("start", Clock(0.0, 0.0))  # PyTorch is there by now
    stages = _Stages(configuration(values), updates)
    for name, stage in stages.all().items():
        began = Clock.now()
        own = stage()
        tell(name, own or Clock.now() - began, **(stages.counts if name == "updates" else {}))


class Clock(NamedTuple):
    """A point in time, or what lies between two."""

    seconds: float
    processor: float
    """seconds that all threads of this process computed; others on the machine do not count"""

    @classmethod
    def now(cls) -> Self:
        """Look at the clock."""
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, earlier: Clock) -> Clock:
        """Tell how long it was."""
        return Clock(self.seconds - earlier.seconds, self.processor - earlier.processor)


def tell(stage: str, taken: Clock, **counts: int) -> None:
    """Print a stage's line at once, with the memory that this process has then, in bytes.

    Who watches this process may come too late to see any of a short stage.
    """
    memory = anonymous_memory(os.getpid())
    print(json.dumps({"stage": stage, **taken._asdict(), **counts, "memory": memory}), flush=True)


class _Stages:
    """The stages, each of which leaves what the next needs; one returns its time where not all of it counts."""

    def __init__(self, config: TrainConfig, updates: int) -> None:
        torch.set_num_threads(config.trainer.threads)
        keep_freed_memory()  # as nmt-train does
        self._config, self._updates = config, updates
        self._texts = training_texts(config, TRANSLATION)
        self._cache = cache_of(config.corpus)
        self.counts = {"target_tokens": 0, "target_positions": 0}
        """of the updates"""

    def all(self) -> dict[str, Callable[[], Clock | None]]:
        """Name the stages in their order."""
        return {
            "read": self._read,
            "deduplicate": self._deduplicate,
            "look": self._look,
            "hold out": self._hold_out,
            "subwords": self._subwords,
            "encode": self._encode,
            "checks": self._check,
            "align": self._align,
            "first batch": self._first_batch,
            "updates": self._update,
        }

    def _read(self) -> None:
        for _ in read_pairs(self._texts[0].paths):
            pass

    def _deduplicate(self) -> Clock:
        """Count the time of telling pairs apart, and not that of reading them."""
        seen, taken = SeenPairs(), []
        for chunk in _chunks(read_pairs(self._texts[0].paths)):
            began = Clock.now()
            seen.add(chunk)
            taken.append(Clock.now() - began)
        return Clock(*map(sum, zip(*taken, strict=True)))

    def _look(self) -> None:
        settings = self._config.corpus
        find_facts(self._texts, temperature=settings.temperature, cache=self._cache, once=True)

    def _hold_out(self) -> None:
        hold_out(self._texts, self._config.corpus, self._cache)

    def _subwords(self) -> None:
        paths = [text.paths for text in self._texts]
        once, cases = self._config.corpus.deduplicate, letter_cases(self._config.augmentation)
        settings = self._config.subwords
        self._vocabularies = subword_models(settings, paths, cache=self._cache, deduplicate=once, cases=cases)

    def _encode(self) -> None:
        self._data: TrainingData = prepare(self._config, subwords=self._vocabularies)

    def _check(self) -> None:
        estimate(self._config, self._data, processes=1)
        warn_of_texts(self._config, self._data)

    def _align(self) -> None:
        config, data = self._config, self._data
        torch.manual_seed(config.seed)
        self._model = build_network(config.task, config.model, data.source_subwords, data.target_subwords)
        self._folds = fill_lexicon(self._model.lexicon, config, data) if self._model.lexicon is not None else None

    def _first_batch(self) -> None:
        config, model = self._config, self._model
        self._directory = tempfile.TemporaryDirectory()
        precision = choose_precision(config.trainer.precision, torch.device("cpu"), model=config.model)
        config = replace(config, run_dir=self._directory.name)
        self._trainer = Trainer(config, self._data, model=model, precision=precision, folds=self._folds)
        self._batches = endless(self._trainer)
        next(self._batches)

    def _update(self) -> Clock:
        """Count the time of the updates behind the first few."""
        self._model.train()
        for batch in islice(self._batches, _WARM_UP):
            update(self._trainer, batch)
        began = Clock.now()
        for batch in islice(self._batches, self._updates):
            update(self._trainer, batch)
            self.counts["target_tokens"] += int(batch.target_lengths.sum())
            self.counts["target_positions"] += batch.target.numel()
        taken = Clock.now() - began
        self._trainer.close()
        self._directory.cleanup()
        return taken


def _chunks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while chunk := list(islice(pairs, _CHUNK_PAIRS)):
        yield chunk
