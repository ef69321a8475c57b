"""Files and directories that are replaced as a whole: at any moment the old or the new one is there, and complete.

A directory is replaced by renames through sibling names, because it cannot be renamed onto a full one:
``best.partial`` is written and flushed, renamed to ``best.new`` (whole from here on), ``best`` steps aside to
``best.old``, ``best.new`` takes its place, ``best.old`` goes. Whoever finds a swap that was killed after ``best``
stepped aside finishes it; one that was killed before is forgotten. A swap that fails leaves nothing behind. One process
saves at a time; those who read wait for nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nmt.errors import ConfigError, RunError

_ELSEWHERE = "make it writable or choose another run_dir"
ESCAPED = "backslashreplace"
"""How files of text are opened that may hold paths, see `encoded`."""

_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_MOST_BYTES = 2**31
_MOUNTS = Path("/proc/self/mountinfo")


@contextlib.contextmanager
def saving(path: Path, *, elsewhere: str = _ELSEWHERE) -> Iterator[None]:
    """Explain a failure to write `path`.

    Args:
        path: what is written.
        elsewhere: what to do where no space is missing.

    Raises:
        ConfigError: something else is in the way, such as a directory where a file goes.
        RunError: the disk is full or not writable.
    """
    try:
        yield
    except OSError as error:
        hint = elsewhere
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space and run the same command again"
        elif error.errno == errno.EFBIG:
            hint = "raise the limit of a file's size (ulimit -f) and run the same command again"
        kind = ConfigError if error.errno in _IN_THE_WAY else RunError
        raise kind(f"cannot save {path}: {error.strerror or error}; what was saved before is intact; {hint}") from error


def encoded(text: str) -> bytes:
    r"""Encode a text as UTF-8, for a file.

    It may hold a path that is not UTF-8, whose other bytes Python has as lone surrogates. These are written as escapes,
    such as ``\udcf6``, which JSON and YAML read back as they were.
    """
    return text.encode("utf-8", errors=ESCAPED)


def is_utf8(path: Path) -> bool:
    """Tell whether a path can be given to a library that takes UTF-8 alone."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def require_regular(path: Path) -> None:
    """Refuse to read what is no file on a disk: a device never ends, and a pipe may never begin.

    Raises:
        OSError: there is nothing at `path`, or it is no regular file; the message says what it is.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def read_regular(path: Path) -> bytes:
    """Read a regular file; OSError as `require_regular`, and for one of 2 GiB, which only a damaged one has."""
    require_regular(path)
    if path.stat().st_size >= _MOST_BYTES:
        raise OSError(errno.EFBIG, "it is larger than 2 GiB, as no file of its kind is", str(path))
    return path.read_bytes()


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
        ConfigError: `path` is a mount point.
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """
    with saving(path, elsewhere=elsewhere):
        path = _resolved(path)
        require_replaceable(path)
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
    path = _resolved(path)
    # Nothing that is in the place may be moved away: a save may be in progress, and be further than it was.
    for suffix in ("new", "old"):
        with contextlib.suppress(OSError):
            os.rename(_sibling(path, suffix), path)
    for candidate in (path, _sibling(path, "new"), _sibling(path, "old")):
        if candidate.exists():
            return candidate
    return None


def _resolved(path: Path) -> Path:
    """Follow links; OSError where they lead in a circle, for which Python has other errors before 3.13."""
    try:
        return path.resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


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
    """Put `partial` into the place of `path`; where that fails, `path` is as it was and nothing lies beside it."""
    new, old = _sibling(path, "new"), _sibling(path, "old")
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
    _flush_directory(path.parent)
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

    What stands at `path` stays. A swap that had not moved it away was not begun, and it may be another one by now.
    """
    new, old = _sibling(path, "new"), _sibling(path, "old")
    for whole in (new, old):
        if not path.exists() and whole.exists():
            os.rename(whole, path)
    for rest in (new, old):
        shutil.rmtree(rest, ignore_errors=True)


def _flush_directory(path: Path) -> None:
    # A rename survives a power cut only once its directory is on disk; not every system lets one open a directory.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
