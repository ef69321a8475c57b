"""The run directory: claimed by one run at a time, and left as it was by one that failed before it began."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from nmt.bundle.replacement import finish_saving
from nmt.errors import ConfigError, NmtError

_OUTPUTS = ("state.pt", "metrics.jsonl", "tensorboard", "best", "last")


@contextlib.contextmanager
def claimed(
    run_dir: Path, *, from_main: Callable[[Callable[[], None]], None] = lambda do: do(), is_main: bool = True
) -> Iterator[None]:
    """Make the run directory and keep other runs out of it; the main process holds the lock for all.

    Args:
        run_dir: the directory.
        from_main: has the main process do something, and returns or fails in all.
        is_main: whether this process is that one.

    Raises:
        ConfigError: another run has it, or it cannot be written.
    """
    lock = filelock.FileLock(run_dir / ".lock")
    is_new = not run_dir.exists()
    from_main(lambda: _acquire(lock, run_dir))
    try:
        yield
    except NmtError:
        if is_new and is_main:  # a run that failed before it began leaves no traces
            with contextlib.suppress(OSError):
                if {path.name for path in run_dir.iterdir()} <= {".lock", "train.log"}:
                    shutil.rmtree(run_dir)
        raise
    finally:
        lock.release()


def _acquire(lock: filelock.BaseFileLock, run_dir: Path) -> None:
    try:
        require_writable(run_dir)
        lock.acquire(timeout=0)
        for part in ("best", "last"):
            finish_saving(run_dir / part)
    except filelock.Timeout:
        raise ConfigError(
            f"run_dir={run_dir} is in use by another nmt-train; wait for it or choose another run_dir"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"run_dir={run_dir} cannot be written ({error.strerror or error}); choose another run_dir"
        ) from None


def remove_outputs(run_dir: Path) -> None:
    """Delete the files of an earlier run."""
    for name in _OUTPUTS:
        path = run_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def require_writable(directory: Path) -> None:
    """Make the directory and check that files can be made in it.

    Raises:
        OSError: they cannot.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # All processes use one name: the next one removes the file that a killed one left.
    probe = directory / ".writable"
    probe.touch()
    probe.unlink(missing_ok=True)
