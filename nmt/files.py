"""Files that are read and written with care: whole or not at all, a full disk explained, special files refused.

It stands beside the rooms, because text, bundles, runs and commands all read and write by it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from nmt.errors import ConfigError, RunError

ELSEWHERE = "make it writable or choose another run_dir"
"""What to do where a run cannot write."""
ESCAPED = "backslashreplace"
"""How files of text are opened that may hold paths, see `encoded`."""

_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_MOST_BYTES = 2**31


@contextlib.contextmanager
def saving(path: Path, *, elsewhere: str = ELSEWHERE) -> Iterator[None]:
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
    # Other bytes are lone surrogates in Python's text.
    return not any("\ud800" <= character <= "\udfff" for character in str(path))


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
    partial = sibling(path, "partial")
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        flush_directory(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and flush it to disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sibling(path: Path, suffix: str) -> Path:
    """Name a neighbour of a path, where what takes its place is made."""
    return path.with_name(f"{path.name}.{suffix}")


def flush_directory(path: Path) -> None:
    """Flush the names in a directory: a rename survives a power cut only once they are on disk."""
    # Not every system lets one open a directory.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
