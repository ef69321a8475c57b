"""What a training needs of memory, at the least, compared with what is free before anything large is made.

Shapes: V vocabulary, N translations of the lexicon, E embedding, H hidden, F attentional vector, S and T lengths.
"""

from dataclasses import dataclass

import numpy as np
import torch

from nmt.bundle.networks import build_network
from nmt.config.choices import ObjectiveKind, TaskName
from nmt.config.model import ModelConfig
from nmt.config.train import TrainConfig
from nmt.corpus.mixture import Mixture
from nmt.errors import ConfigError
from nmt.machine import free_memory
from nmt.model.cells.cell import cell_named
from nmt.text.vocabulary import subwords_of
from nmt.training.data import TrainingData

_FLOAT = 4
_COPIES = 5
"""Of every parameter: its value, its gradient, AdamW's two moments, its average."""
_FOLDS = 11
"""The lexicon itself and what each fold is offered; an entry is an id and a probability."""
_ROWS = 2**20
"""Pairs that are looked at together."""
_PRODUCTS = 2
"""What a layer keeps for its backward pass beside its gates, in units of its width: states."""


@dataclass(frozen=True)
class Estimate:
    """Bytes that a process needs while it trains, at the least."""

    parameters: int
    """how many there are; not bytes"""
    model: int
    batch: int
    lexicon: int

    @property
    def total(self) -> int:
        """All together."""
        return self.model + self.batch + self.lexicon


def estimate(config: TrainConfig, data: TrainingData, *, processes: int = 1) -> Estimate:
    """Estimate what a training needs, without making any of it.

    Args:
        config: of the run.
        data: its text and subwords.
        processes: of the whole run, which share every batch.
    """
    source, target = data.source_subwords, data.target_subwords
    model = build_network(config.task, config.model, source, target, shapes_only=True)
    # A model of several languages has a lexicon for each.
    lexicons = max(1, len(subwords_of(source).languages)) if config.task is TaskName.translation else 0
    passes = 2 if config.objective.kind is ObjectiveKind.cutoff else 1  # of which both are kept at once
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Estimate(
        parameters,
        model=_COPIES * _FLOAT * parameters,
        batch=passes * _batch_bytes(config, data.corpus, config.trainer.accumulation * processes),
        lexicon=_FOLDS * 2 * _FLOAT * source.vocabulary_size * config.model.lexicon_size * lexicons,
    )


def require_memory(needed: Estimate, config: TrainConfig, device: torch.device, *, processes: int = 1) -> None:
    """Refuse a training that does not fit.

    Args:
        needed: by each process.
        config: of the run.
        device: where it trains.
        processes: of this machine, which share its memory.

    Raises:
        ConfigError: more is needed than is free; the message has both and names the largest part.
    """
    free = free_memory(device)
    if free is None or needed.total * processes <= free:
        return
    parts = {
        f"{needed.parameters:,} parameters; make the model smaller, as with model=small": needed.model,
        f"trainer.batch_tokens={config.trainer.batch_tokens}; lower it or corpus.max_source_tokens, or raise "
        "trainer.accumulation": needed.batch,
        f"model.lexicon_size={config.model.lexicon_size}; lower it": needed.lexicon,
    }
    largest = max(parts, key=parts.__getitem__)
    each = f" in each of {processes} processes" if processes > 1 else ""
    total, most = needed.total / 1e9, parts[largest] / 1e9
    raise ConfigError(
        f"this training needs at least {total:,.1f} GB of memory{each}, and {free / 1e9:,.1f} GB are free on {device}: "
        f"{most:,.1f} GB are for {largest}"
    )


def _batch_bytes(config: TrainConfig, corpus: Mixture, parts: int) -> int:
    """Estimate what the largest part of a batch leaves for its backward pass.

    A part is a share of the batch, but one pair at least, however long that is.
    """
    positions = longest = attended = 0
    for text in (part.corpus for part in corpus.parts):
        for start in range(0, len(text), _ROWS):
            rows = slice(start, start + _ROWS + 1)
            source, target = (np.diff(side.offsets[rows]) + 1 for side in (text.source, text.target))
            positions += int(max(source.sum(), target.sum()))
            longest = max(longest, int(source.max()), int(target.max()))
            attended = max(attended, int((source * target).max()))
    positions = max(min(config.trainer.batch_tokens, positions) // parts, longest)
    has_source = config.task is not TaskName.generation
    floats = _floats_of_a_position(config.model, has_source=has_source)
    return _FLOAT * (positions * floats + attended * has_source)


def _floats_of_a_position(model: ModelConfig, *, has_source: bool = True) -> int:
    """Count what layers compute for a source and a target position: embeddings, gates, states, attentional vector."""
    encoder, decoder = (cell_named(name).gates + _PRODUCTS for name in model.cells)
    encoder *= 2 * model.encoder_layers * model.encoder_hidden_size
    decoder *= model.decoder_layers * model.decoder_hidden_size
    if not has_source:
        return model.embedding_size + decoder
    return 2 * model.embedding_size + encoder + decoder + (model.attentional_size or model.embedding_size)
