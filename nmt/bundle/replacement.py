"""A directory that is replaced as a whole: at any moment the old or the new one is there, and complete.

A directory cannot be renamed onto a full one, so the swap goes through sibling names. First, ``best.partial`` is
written, flushed and renamed to ``best.new``; it is whole from here on. Then ``best`` becomes ``best.old``, ``best.new``
becomes ``best``, and ``best.old`` is removed.

If a swap was killed after ``best`` became ``best.old``, the next process that looks finishes it. If it was killed
earlier, it is forgotten. A swap that fails leaves nothing behind. One process saves at a time; readers never wait.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nmt.errors import ConfigError
from nmt.files import ELSEWHERE, flush_directory, saving, sibling, write_flushed

_MOUNTS = Path("/proc/self/mountinfo")


def replace_directory(
    path: Path,
    contents: Iterable[tuple[str, bytes]],
    *,
    unless: Callable[[], None] = lambda: None,
    elsewhere: str = ELSEWHERE,
) -> None:
    """Write a directory of these files, replacing one that is there.

    Args:
        path: the directory; where it is a link, what that leads to is replaced.
        contents: names relative to it, with "/" where there are folders inside, and what the files hold. They are read
            while no other process can replace the directory.
        unless: raises when it turns out, after all is written, that `path` shall stay as it is.
        elsewhere: what to do where the disk does not let it, but has space.

    Raises:
        ConfigError: `path` is a mount point.
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """
    with saving(path, elsewhere=elsewhere):
        path = _resolved(path)
        require_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            _clear(path)
            partial = sibling(path, "partial")
            partial.mkdir()
            try:
                for name, content in contents:
                    (partial / name).parent.mkdir(parents=True, exist_ok=True)
                    write_flushed(partial / name, content)
                for folder in (*(item for item in partial.rglob("*") if item.is_dir()), partial):
                    flush_directory(folder)
                unless()
                _swap(partial, path)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise


def finish_saving(path: Path, *, elsewhere: str = ELSEWHERE) -> None:
    """Finish or clear away what a killed save to `path` left.

    Raises:
        ConfigError: `path` is a mount point.
        RunError: as from `saving`, where the disk does not let it.
    """
    with saving(path, elsewhere=elsewhere):
        path = _resolved(path)
    require_replaceable(path)
    with saving(path, elsewhere=elsewhere), _alone(path):
        _clear(path)


def require_replaceable(path: Path) -> None:
    """Refuse a directory that cannot be renamed: a mount point, such as a container's volume.

    Raises:
        ConfigError: it is one.
    """
    if _is_mount_point(path):
        raise ConfigError(
            f"{path} is a mount point, which cannot be replaced as a whole; mount the directory above it, "
            "or name a directory inside it"
        )


def find_whole(path: Path) -> Path | None:
    """Return where the whole directory is, after putting it in its place if that can be written."""
    if path.exists():
        return path
    path = _resolved(path)
    # Never move what is at `path` away: a save may be in progress, and may have gone on meanwhile.
    for suffix in ("new", "old"):
        with contextlib.suppress(OSError):
            os.rename(sibling(path, suffix), path)
    for candidate in (path, sibling(path, "new"), sibling(path, "old")):
        if candidate.exists():
            return candidate
    return None


def identity(path: Path) -> tuple[int, int] | None:
    """Identify a directory, so that one that replaces it is noticed; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_mount_point(path: Path) -> bool:
    # os.path.ismount does not see a directory that is mounted from the same file system; Linux lists all mounts.
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return os.path.ismount(path)
    # Field 5 is the place; spaces and the like are written as three octal digits.
    places = (line.split(b" ")[4] for line in lines if line.count(b" ") > 4)
    unescaped = (re.sub(rb"\\([0-7]{3})", lambda digits: bytes([int(digits[1], 8)]), place) for place in places)
    return os.fsencode(path) in unescaped


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process saves beside `path`, and keep others waiting; go on where there are no locks."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = os.open(path.parent, os.O_RDONLY)
            held.callback(os.close, handle)  # which releases the lock
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _clear(path: Path) -> None:
    _finish_swap(path)
    shutil.rmtree(sibling(path, "partial"), ignore_errors=True)


def _resolved(path: Path) -> Path:
    """Follow links; OSError where they lead in a circle, where Python raises RuntimeError before 3.13, then nothing."""
    with contextlib.suppress(RuntimeError):
        resolved = path.resolve()
        if not resolved.is_symlink():
            return resolved
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _swap(partial: Path, path: Path) -> None:
    """Put `partial` into the place of `path`; where that fails, `path` is as it was and nothing lies beside it."""
    new, old = sibling(path, "new"), sibling(path, "old")
    replaces = path.exists()  # asked first: where nothing is there, a reader may put `new` there at once
    os.rename(partial, new)
    try:
        if replaces:
            os.rename(path, old)
        _take_place(new, path, old)
    except BaseException:
        with contextlib.suppress(OSError):
            if not path.exists():
                os.rename(old, path)
        shutil.rmtree(new, ignore_errors=True)
        raise
    flush_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _take_place(new: Path, path: Path, old: Path) -> None:
    """Rename `new` to `path`, which was free a moment ago.

    Whoever loads between two renames takes the swap for an interrupted one, and has put `new` or `old` there.
    """
    try:
        os.rename(new, path)
    except OSError:
        if not path.exists():
            raise
        if new.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(path, old)
            os.rename(new, path)


def _finish_swap(path: Path) -> None:
    """Finish a swap that was killed: ``.new`` is whole whenever it exists, ``.old`` is what it replaces.

    A directory at `path` stays: its swap had not moved it away, or another process has put a new one there.
    """
    new, old = sibling(path, "new"), sibling(path, "old")
    for whole in (new, old):
        if not path.exists() and whole.exists():
            os.rename(whole, path)
    for rest in (new, old):
        shutil.rmtree(rest, ignore_errors=True)
