"""Where a training stands, the batches that follow, and the file from which it goes on.

The file has raw weights, optimiser, average, position, best score, patience and elapsed time.
"""

import dataclasses
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nmt.corpus.batches import Batch, BatchSource
from nmt.errors import ConfigError
from nmt.files import require_regular, saving, write_atomically
from nmt.runs.limits import Progress
from nmt.tasks.task import Metric
from nmt.training.fit import Fit

STATE_FORMAT = 1
_BEST_SCORE = "best_bleu"
"""What files call `Position.best_score`, from the time when translation was all there was."""
_DAMAGE = (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)
"""What reading a damaged file may raise."""


@dataclass
class Position(Progress):
    """How far a run is; with `Sums`, all of the training that changes besides tensors."""

    batch: int = 0
    """batches of the current epoch consumed"""
    pairs: int = 0
    """sentence pairs that these hold"""
    target_tokens: int = 0
    """real target positions trained on, EOS included"""
    best_score: float = -1.0
    """the best so far of the task's metric; nothing before `best_update`"""
    best_update: int = 0
    """update that reached it; 0: none yet"""
    last_validation: int = 0
    """update after which the last validation was"""
    skipped: int = 0
    """updates skipped because their gradient was not finite or too large"""
    skipped_in_a_row: int = 0
    """such updates since the last one that was made; compared with trainer.max_skipped"""
    finished: str = ""
    """why the run ended, or empty"""

    def begin_epoch(self) -> None:
        """Stand before the first batch of the next epoch."""
        self.epoch, self.batch, self.pairs = self.epoch + 1, 0, 0

    def add_validation(self, score: float, metric: Metric) -> bool:
        """Note a validation of the weights as they are now; tell whether they are the best so far."""
        self.last_validation = self.update
        if self.best_update and not metric.is_better(score, self.best_score):
            self.validations_since_best += 1
            return False
        self.best_score, self.best_update, self.validations_since_best = score, self.update, 0
        return True


@dataclass
class Sums:
    """What was trained on since the last line of metrics."""

    smoothed: float = 0.0
    """loss that training minimises, with label smoothing, in nats"""
    negative_log_likelihood: float = 0.0
    """loss of the references without it, in nats; nan where the objective does not compute it"""
    reward: float = 0.0
    """of the model's outputs, where the objective has a reward"""
    pairs: int = 0
    """pairs that the rewards are of"""
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

    def add(self, batch: Batch, *, smoothed: float, negative_log_likelihood: float, reward: float = 0.0) -> None:
        """Count a batch, its losses and its reward."""
        self.smoothed += smoothed
        self.negative_log_likelihood += negative_log_likelihood
        self.reward += reward
        self.pairs += len(batch.source)
        self.target_tokens += int(batch.target_lengths.sum())
        self.target_positions += batch.target.numel()
        self.source_tokens += int(batch.source_lengths.sum())
        self.source_positions += batch.source.numel()

    @property
    def loss(self) -> float:
        """Mean smoothed loss per real target position; nan before the first batch."""
        return self.smoothed / self.target_tokens if self.target_tokens else math.nan

    @property
    def mean_reward(self) -> float:
        """Mean reward of a pair; nan before the first batch."""
        return self.reward / self.pairs if self.pairs else math.nan


def batches_from(position: Position, source: BatchSource, *, is_over: Callable[[], object]) -> Iterator[Batch]:
    """Yield the batches after a position, epoch after epoch, and move it along.

    Args:
        position: says before each batch is yielded that it is consumed; after an epoch's last, that the epoch is over.
        source: of the batches.
        is_over: asked before every batch; they end once it says anything.
    """
    while not is_over():
        epoch = source.epoch(position.epoch, start=position.batch)
        try:
            batch = next(epoch, None)
            if batch is None:
                position.begin_epoch()
            while batch is not None:
                # Looked for before, so that what is saved after an epoch's last batch says that the epoch is over.
                following = next(epoch, None)
                position.batch, position.pairs = position.batch + 1, position.pairs + len(batch.source)
                if following is None:
                    position.begin_epoch()
                yield batch
                if is_over():
                    return
                batch = following
        finally:
            epoch.close()  # type: ignore[attr-defined]  # ends the threads that prepare batches ahead


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
    fit: Fit = field(default_factory=Fit)
    """the course of the perplexities; nothing in what an older nmt wrote"""
    folds: dict[str, torch.Tensor] = field(default_factory=dict)
    """what each pair of the text is offered, as `nmt.training.lexicon.Folds` has it; empty: what the model says"""


def save_state(state: SavedState, path: Path) -> None:
    """Write the state atomically.

    Raises:
        RunError: the disk is full or not writable; the earlier state is untouched.
    """
    position = dataclasses.asdict(state.position)
    position[_BEST_SCORE] = position.pop("best_score")
    plain = {
        "position": position,
        "sums": dataclasses.asdict(state.sums),
        "fit": dataclasses.asdict(state.fit),
        "format": STATE_FORMAT,
    }
    buffer = io.BytesIO()
    torch.save(vars(state) | plain, buffer)
    with saving(path):
        # Not getbuffer: where a view outlives the buffer, Python 3.12 may crash. This copies nothing either.
        write_atomically(path, lambda partial: partial.write_bytes(buffer.getvalue()))


def load_state(path: Path) -> SavedState:
    """Read a state; nothing in it is executed.

    Raises:
        ConfigError: the file is damaged or of a newer nmt.
    """
    try:
        require_regular(path)
        _compare_checksums(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
        version = values.pop("format")
        if version != STATE_FORMAT:
            raise ConfigError(
                f"{path} has state format {version}, this nmt reads {STATE_FORMAT}; use trainer.overwrite=true"
            )
        position = values["position"]
        position["best_score"] = position.pop(_BEST_SCORE)
        values |= {
            "position": Position(**position),
            "sums": Sums(**values.get("sums", {})),
            "fit": Fit(**values.get("fit", {})),
        }
        return SavedState(**values)
    except _DAMAGE as error:
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
