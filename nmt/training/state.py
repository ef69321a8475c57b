"""All that a run needs to go on: raw weights, optimiser, average, position, best score, patience, elapsed time."""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nmt.corpus.batches import Batch
from nmt.errors import ConfigError
from nmt.files import require_regular, saving, write_atomically
from nmt.runs.limits import Progress

STATE_FORMAT = 1


@dataclass
class Position(Progress):
    """How far a run is; with `Sums`, all of the training that changes besides tensors."""

    batch: int = 0
    """batches of the current epoch consumed"""
    pairs: int = 0
    """sentence pairs that these hold"""
    target_tokens: int = 0
    """real target positions trained on, EOS included"""
    best_bleu: float = -1.0
    """best validation BLEU so far"""
    best_update: int = 0
    """update that reached it"""
    last_validation: int = 0
    """update after which the last validation was"""
    skipped: int = 0
    """updates skipped because their gradient was not finite or too large"""
    skipped_in_a_row: int = 0
    """such updates since the last one that was made; compared with trainer.max_skipped"""
    finished: str = ""
    """why the run ended, or empty"""


@dataclass
class Sums:
    """What was trained on since the last line of metrics."""

    smoothed: float = 0.0
    """loss with label smoothing, in nats"""
    negative_log_likelihood: float = 0.0
    """loss without it, in nats"""
    target_tokens: int = 0
    """real target positions"""
    target_positions: int = 0
    """all target positions, padding included"""
    source_tokens: int = 0
    """real source positions"""
    source_positions: int = 0
    """all source positions, padding included"""
    began: float = 0.0
    """`Position.seconds` at that line, later by the time that validations took since"""

    def add(self, batch: Batch, *, smoothed: float, negative_log_likelihood: float) -> None:
        """Count a batch and its losses."""
        self.smoothed += smoothed
        self.negative_log_likelihood += negative_log_likelihood
        self.target_tokens += int(batch.target_lengths.sum())
        self.target_positions += batch.target.numel()
        self.source_tokens += int(batch.source_lengths.sum())
        self.source_positions += batch.source.numel()

    @property
    def loss(self) -> float:
        """Mean smoothed loss per real target position; nan before the first batch."""
        return self.smoothed / self.target_tokens if self.target_tokens else math.nan


@dataclass
class SavedState:
    """What ``state.pt`` holds."""

    config: dict[str, Any]
    """the configuration of the run, as plain dicts"""
    corpus_digest: str
    """of the encoded training text"""
    source_subwords: bytes
    target_subwords: bytes
    precision: str
    threads: int
    position: Position
    sums: Sums
    model: dict[str, Any]
    optimizer: dict[str, Any]
    average: list[torch.Tensor] = field(default_factory=list)
    valid_digest: str = ""
    """of the validation text that chose the best weights so far; empty in what an older nmt wrote"""
    folds: dict[str, torch.Tensor] = field(default_factory=dict)
    """what each pair of the text is offered, as `nmt.training.lexicon.Folds` has it; empty: what the model says"""


def save_state(state: SavedState, path: Path) -> None:
    """Write the state atomically.

    Raises:
        RunError: the disk is full or not writable; the earlier state is untouched.
    """
    values = {item.name: getattr(state, item.name) for item in dataclasses.fields(state)}
    values |= {"position": dataclasses.asdict(state.position), "sums": dataclasses.asdict(state.sums)}
    values["format"] = STATE_FORMAT
    buffer = io.BytesIO()
    torch.save(values, buffer)
    with saving(path):
        write_atomically(path, lambda partial: partial.write_bytes(buffer.getbuffer()))


def load_state(path: Path) -> SavedState:
    """Read a state; nothing in it is executed.

    Raises:
        ConfigError: the file is damaged or of a newer nmt.
    """
    try:
        require_regular(path)
        _compare_checksums(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
        found = values.pop("format")
        if found != STATE_FORMAT:
            raise ConfigError(
                f"{path} has state format {found}, this nmt reads {STATE_FORMAT}; use trainer.overwrite=true"
            )
        values |= {"position": Position(**values["position"]), "sums": Sums(**values.get("sums", {}))}
        return SavedState(**values)
    except (
        OSError,
        RuntimeError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        raise ConfigError(
            f"{path} cannot be read ({reason}), so the run cannot be resumed; "
            "add trainer.overwrite=true to start anew, or choose another run_dir (its bundles still translate)"
        ) from None


def _compare_checksums(path: Path) -> None:
    """Raise ValueError where a part of the archive is not what was saved, which torch.load does not look at."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError:
        raise
    except Exception as error:  # of zipfile, struct, zlib and more, depending on where the damage is
        raise ValueError(f"not an archive, or a damaged one: {error}") from None
    if damaged:
        raise ValueError(f"its part {damaged} is damaged")
