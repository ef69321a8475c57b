"""The numbers of a run, written and read: a JSON object a line in ``metrics.jsonl``, and curves for TensorBoard."""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

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
                lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
                earlier = [line for line in lines if (values := _parsed(line)) and values["update"] <= from_update]
                text = "".join(f"{line}\n" for line in earlier)
                write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))
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


class MetricLines(NamedTuple):
    """What ``metrics.jsonl`` holds."""

    lines: list[dict[str, Any]]
    """its objects, each with a kind and an update"""
    problems: list[str]
    """the damaged lines, in a sentence each"""

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the lines of a kind: train or validation."""
        return [line for line in self.lines if line["kind"] == kind]


def read_metrics(path: Path) -> MetricLines:
    """Read ``metrics.jsonl``; a damaged line is left out and named, a last line without its end is still being written.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} has no {path.name}; name the directory of a run, such as runs/demo") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); check the file") from None
    metrics = MetricLines([], [])
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        if values := _parsed(line):
            metrics.lines.append(values)
        else:
            metrics.problems.append(f"{path}: line {number} is damaged and left out")
    return metrics


def _parsed(line: str) -> dict[str, Any] | None:
    """Read a line of metrics; None for a damaged one."""
    with contextlib.suppress(ValueError):
        values = json.loads(line)
        if isinstance(values, dict) and isinstance(values.get("kind"), str) and type(values.get("update")) is int:
            return values
    return None
