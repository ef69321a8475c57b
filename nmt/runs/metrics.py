"""The numbers of a run: a JSON object a line in ``metrics.jsonl``, and curves for TensorBoard."""

import contextlib
import json
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError
from nmt.files import ESCAPED, is_utf8, saving, write_atomically


class Metrics:
    """``metrics.jsonl``: one JSON object a line, in order of updates.

    TensorBoard gets the numbers too, where that is asked for: ``tensorboard --logdir runs`` shows every run below runs.
    """

    def __init__(self, path: Path, *, from_update: int, tensorboard: bool = False) -> None:
        """Open for appending; lines and points after `from_update`, which an interrupted run left, are dropped.

        Args:
            path: the file.
            from_update: the update after which the run goes on; 0: it begins.
            tensorboard: write the numbers into the directory ``tensorboard`` beside `path` too.

        Raises:
            ConfigError: TensorBoard is not installed.
            RunError: the disk is full or not writable.
        """
        self._path, self._board_directory = path, path.with_name("tensorboard")
        self._board: Any = None
        if tensorboard:
            require_tensorboard(self._board_directory)
            from torch.utils.tensorboard import SummaryWriter

            with saving(self._board_directory):
                self._board = SummaryWriter(str(self._board_directory), purge_step=from_update + 1)
        with saving(path):
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
                earlier = [line for line in lines if _update_of(line) <= from_update]
                write_atomically(path, lambda partial: partial.write_text("".join(earlier), encoding="utf-8"))
            self._file = open(path, "a", encoding="utf-8", errors=ESCAPED)  # noqa: SIM115 (closed by close)

    def write(self, kind: str, *, update: int, **values: Any) -> None:
        """Append one line and flush it; add a point to the curve ``KIND/NAME`` of every value that is a number."""
        with saving(self._path):
            self._file.write(json.dumps({"kind": kind, "update": update, **values}, ensure_ascii=False) + "\n")
            self._file.flush()
        if self._board:
            with saving(self._board_directory):
                for name, value in values.items():
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        self._board.add_scalar(f"{kind}/{name}", value, update)
                self._board.flush()

    def close(self) -> None:
        """Close what is written to."""
        for file in filter(None, (self._file, self._board)):
            # A line that a full disk refused is still in the buffer, and `write` has reported it.
            with contextlib.suppress(OSError):
                file.close()


def require_tensorboard(run_dir: Path) -> None:
    """Make sure that TensorBoard is installed, and takes the path that it is to write to.

    Raises:
        ConfigError: it is not, or does not.
    """
    instead = "leave it false (metrics.jsonl has the same numbers)"
    if not is_utf8(run_dir):
        raise ConfigError(
            f"trainer.tensorboard=true needs a path that is UTF-8, and run_dir={run_dir} is not; "
            f"choose another run_dir, or {instead}"
        )
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ConfigError(
            f"trainer.tensorboard=true needs TensorBoard: pip install tensorboard, or {instead}"
        ) from None


def _update_of(line: str) -> float:
    try:
        return float(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
