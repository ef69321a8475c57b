"""Files and directories that are replaced as a whole: at any moment the old or the new one is there, and complete.

A directory is replaced by renames through sibling names, because it cannot be renamed onto a full one:
``best.partial`` is written and flushed, renamed to ``best.new`` (whole from here on), ``best`` steps aside to
``best.old``, ``best.new`` takes its place, ``best.old`` goes. Whoever finds an interrupted swap finishes it. One saves
at a time; those who read wait for nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nmt.errors import RunError

_ELSEWHERE = "make it writable or choose another run_dir"


@contextlib.contextmanager
def saving(path: Path, *, elsewhere: str = _ELSEWHERE) -> Iterator[None]:
    """Turn a failure to write `path` into a RunError that says what to do, `elsewhere` where no space is missing."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "free some space and run the same command again"
        else:
            hint = elsewhere
        raise RunError(
            f"cannot save {path}: {error.strerror or error}; what was saved before is intact; {hint}"
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a sibling of `path`, flush it to disk and rename it over `path`."""
    partial = _sibling(path, "partial")
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _flush_directory(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def replace_directory(
    path: Path,
    contents: Iterable[tuple[str, bytes]],
    *,
    unless: Callable[[], None] = lambda: None,
    elsewhere: str = _ELSEWHERE,
) -> None:
    """Write a directory of these files, replacing one that is there.

    Args:
        path: the directory; where it is a link, what that leads to is replaced.
        contents: names relative to it, with "/" where there are folders inside, and what the files hold. They are read
            while nobody else can replace the directory.
        unless: raises when it turns out, after all is written, that `path` shall stay as it is.
        elsewhere: what to do where the disk does not let it, but has space.

    Raises:
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """
    with saving(path, elsewhere=elsewhere):
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            _clear(path)
            partial = _sibling(path, "partial")
            partial.mkdir()
            try:
                for name, content in contents:
                    (partial / name).parent.mkdir(parents=True, exist_ok=True)
                    write_flushed(partial / name, content)
                for folder in (*(item for item in partial.rglob("*") if item.is_dir()), partial):
                    _flush_directory(folder)
                unless()
                _swap(partial, path)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise


def finish_saving(path: Path, *, elsewhere: str = _ELSEWHERE) -> None:
    """Finish or clear away what a killed save to `path` left; RunError as from `saving` where that is not possible."""
    path = path.resolve()
    with saving(path, elsewhere=elsewhere), _alone(path):
        _clear(path)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until nobody else saves beside `path`, and keep others waiting; where there are no locks, go on without."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = os.open(path.parent, os.O_RDONLY)
            held.callback(os.close, handle)  # which releases the lock
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _clear(path: Path) -> None:
    _finish_swap(path)
    shutil.rmtree(_sibling(path, "partial"), ignore_errors=True)


def find_whole(path: Path) -> Path | None:
    """Return where the whole directory is, after putting it in its place if that can be written."""
    if path.exists():
        return path
    path = path.resolve()
    # Nothing that is in the place may be moved away: a save may be in progress, and be further than it was.
    for suffix in ("new", "old"):
        with contextlib.suppress(OSError):
            os.rename(_sibling(path, suffix), path)
    for candidate in (path, _sibling(path, "new"), _sibling(path, "old")):
        if candidate.exists():
            return candidate
    return None


def identity(path: Path) -> tuple[int, int] | None:
    """Tell a directory from the one that replaces it under the same name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and flush it to disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sibling(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _swap(partial: Path, path: Path) -> None:
    new, old = _sibling(path, "new"), _sibling(path, "old")
    os.rename(partial, new)
    if path.exists():
        os.rename(path, old)
    try:
        os.rename(new, path)
    except OSError:
        # Whoever loads between the two renames takes the swap for an interrupted one, and has put one of both there.
        if not path.exists():
            raise
        _finish_swap(path)
    _flush_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _finish_swap(path: Path) -> None:
    """Finish a swap that was interrupted: ``.new`` is whole whenever it exists, ``.old`` is what it replaces."""
    new, old = _sibling(path, "new"), _sibling(path, "old")
    if new.exists():
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(path, old)
        os.rename(new, path)
    elif not path.exists() and old.exists():
        os.rename(old, path)
    shutil.rmtree(old, ignore_errors=True)


def _flush_directory(path: Path) -> None:
    # A rename survives a power cut only once its directory is on disk; not every system lets one open a directory.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
