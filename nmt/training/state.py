"""All that a run needs to go on: raw weights, optimiser, average, position, best score, patience, elapsed time."""

import dataclasses
import io
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from nmt.errors import ConfigError
from nmt.files import require_regular, saving, write_atomically
from nmt.training.position import Position, Sums

STATE_FORMAT = 1
_BEST_SCORE = "best_bleu"
"""What files call `Position.best_score`, from the time when translation was all there was."""
_DAMAGE = (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)
"""What reading a damaged file may raise."""


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
    position = dataclasses.asdict(state.position)
    position[_BEST_SCORE] = position.pop("best_score")
    plain = {"position": position, "sums": dataclasses.asdict(state.sums), "format": STATE_FORMAT}
    buffer = io.BytesIO()
    torch.save(vars(state) | plain, buffer)
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
        version = values.pop("format")
        if version != STATE_FORMAT:
            raise ConfigError(
                f"{path} has state format {version}, this nmt reads {STATE_FORMAT}; use trainer.overwrite=true"
            )
        position = values["position"]
        position["best_score"] = position.pop(_BEST_SCORE)
        values |= {"position": Position(**position), "sums": Sums(**values.get("sums", {}))}
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
