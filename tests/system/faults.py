"""Disks that fail: helpers of tests that put a fault in the place of any change on disk.

`Disk` counts the changes that this process makes below some directories, and lets a fault take the place of the n-th.
"""

import builtins
import errno
import io
import os
import shutil
import signal
import time
from pathlib import Path

TAKES_SPACE = ("open", "write", "fsync", "mkdir")


class NoFault:
    """Lets everything happen."""

    def counts(self, what, where):
        return True

    def falls(self, number, what):
        return False


class Kill:
    """The process dies by SIGKILL in the place of one change, flushes and lines of the log not counted."""

    def counts(self, what, where):
        return what != "fsync" and not where.endswith("train.log")

    def __init__(self, at):
        self.at = at

    def falls(self, number, what):
        return number == self.at

    def strike(self):
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


class Copies(Kill):
    """Nothing fails; in the place of every change all files are copied, as they are where the process dies there."""

    def __init__(self, directory):
        self.directory, self.count = Path(directory), 0

    def falls(self, number, what):
        return True

    def strike(self):
        shutil.copytree(os.getcwd(), self.directory / str(self.count))
        self.count += 1


class Full(NoFault):
    """The disk is full from one change on: nothing more can be written, but files can be renamed and removed."""

    def __init__(self, at):
        self.at = at

    def falls(self, number, what):
        return number >= self.at and what in TAKES_SPACE

    def strike(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Denied(NoFault):
    """One change is not permitted."""

    def __init__(self, at):
        self.at = at

    def falls(self, number, what):
        return number == self.at

    def strike(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


FAULTS = {kind.__name__: kind for kind in (Kill, Copies, Full, Denied)}


class Disk:
    """In a with statement: counts changes below some directories, and lets a fault strike in the place of some.

    A change is a file opened to be written, a block of bytes written, a flush to disk, a rename, a directory made, a
    file or directory removed. Where a fault strikes a write, half of its bytes are on disk. Flushes are counted but not
    made: a process that dies takes nothing with it that the system has taken over.
    """

    def __init__(self, fault, *directories):
        self.fault = fault
        self.directories = [os.path.realpath(directory) for directory in directories]
        self.made = []  # what was changed, in order, as in ("rename", "/tmp/x/run/last.partial")
        self._before = []

    def __enter__(self):
        for name, what in (("replace", "rename"), ("unlink", "remove")):
            self._put(os, name, self._changing(getattr(os, name), what))
        for name in ("rename", "remove", "mkdir", "rmdir"):
            self._put(os, name, self._changing(getattr(os, name), name))
        self._put(os, "fsync", self._flushing(os.fsync))
        self._put(os, "open", self._opening_handles(os.open))
        opening = self._opening(io.open)
        self._put(io, "open", opening)
        self._put(builtins, "open", opening)
        return self

    def __exit__(self, *error):
        for place, name, value in self._before:
            setattr(place, name, value)

    def change(self, what, where, *, halfway=None):
        """Count a change, if the fault does, and let it strike in its place."""
        if not self.fault.counts(what, where):
            return
        self.made.append((what, where))
        if self.fault.falls(len(self.made) - 1, what):
            if halfway:
                halfway()
            self.fault.strike()

    def _put(self, place, name, value):
        self._before.insert(0, (place, name, getattr(place, name)))
        setattr(place, name, value)

    def _watched(self, path, directory=None):
        """The absolute path (or that of an open file) if it lies below one of the directories, else nothing."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        elif directory is not None:
            path = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), os.fsdecode(path))
        absolute = os.path.abspath(os.fsdecode(path))
        return absolute if any(f"{absolute}/".startswith(f"{top}/") for top in self.directories) else ""

    def _changing(self, really, what):
        def change(path, *arguments, dir_fd=None, **options):
            where = self._watched(path, dir_fd)
            if where:
                self.change(what, where)
            return really(path, *arguments, **options, **({} if dir_fd is None else {"dir_fd": dir_fd}))

        return change

    def _flushing(self, really):
        def fsync(handle):
            where = self._watched(handle)
            if where:
                self.change("fsync", where)
            else:
                really(handle)

        return fsync

    def _opening_handles(self, really):
        def open_handle(path, flags, mode=0o777, *, dir_fd=None):
            changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            where = self._watched(path, dir_fd) if changes else ""
            if where:
                self.change("open", where)
            return really(path, flags, mode, dir_fd=dir_fd)

        return open_handle

    def _opening(self, really):
        def open_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *rest, **options):
            named = not isinstance(file, int) and not rest and not options
            where = self._watched(file) if named and not set(mode).isdisjoint("wax+") else ""
            if not where:
                return really(file, mode, buffering, encoding, errors, newline, *rest, **options)
            self.change("open", where)
            raw = _File(file, mode.replace("b", "").replace("t", ""), self, where)
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        return open_file


class _File(io.FileIO):
    """A file whose every block of bytes is a change of its disk."""

    def __init__(self, file, mode, disk, where):
        super().__init__(file, mode)
        self._disk, self._where = disk, where

    def write(self, content):
        content, written = bytes(content), []
        half = content[: len(content) // 2]
        self._disk.change("write", self._where, halfway=lambda: written.append(super(_File, self).write(half)))
        return sum(written) + super().write(content[sum(written) :])
