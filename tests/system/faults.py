"""Disks that fail and processes that die: helpers of tests that put a fault in the place of any change on disk.

`Disk` counts the changes that this process makes below some directories, and lets a fault take the place of the n-th.
`Launcher` starts nmt-train by forking a process that has everything loaded, in a fraction of a fresh start's time. This
file run as a script is that process; it computes nothing, so that what it forks is as a fresh command.
"""

import builtins
import contextlib
import errno
import gc
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

# The launcher's process is to have all loaded that nmt-train needs, now or at its first update.
import hydra.core.plugins  # noqa: F401

import nmt.cli.common
import nmt.cli.hydra.chosen
from nmt.cli.hydra.compose import compose
from nmt.cli.hydra.train import main
from nmt.evaluation.metrics import Score
from nmt.training import trainer
from nmt.training.run import run
from nmt.training.validation import Validation

ROOT = Path(__file__).resolve().parents[2]
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


class Launcher:
    """In a with statement: starts nmt-train in a directory, one at a time."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self._running = None

    def __enter__(self):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self._server = subprocess.Popen([sys.executable, __file__], env=environment, **pipes)
        return self

    def __exit__(self, *error):
        if self._running and self._running.code is None:
            self._running.signal(signal.SIGKILL)
        self._server.communicate()

    def start(self, *words, config=None, fault=None, at=0):
        """Start the command.

        Args:
            words: its arguments.
            config: trained instead, which spares the time that Hydra takes to compose the same from words; every
                validation finds scores as high as its update, so that each is the best so far.
            fault: one of `FAULTS`, which strikes in the place of change number `at` below the directory.
            at: see `fault`; a directory for `Copies`.
        """
        (self.directory / "stderr").write_bytes(b"")
        request = {"words": [str(word) for word in words], "config": pickle.dumps(config).hex() if config else ""}
        request |= {"fault": fault, "at": at if isinstance(at, int) else str(at), "directory": str(self.directory)}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        self._running = Started(self.directory, int(self._server.stdout.readline()), self._server.stdout)
        return self._running

    def __call__(self, *words, **options):
        """Run the command to its end."""
        started = self.start(*words, **options)
        started.wait()
        return started


class Started:
    """A command that runs, or has ended."""

    def __init__(self, directory, pid, replies):
        self._directory, self._pid, self._replies = directory, pid, replies
        self.code = None

    @property
    def err(self):
        """What it wrote to stderr so far."""
        return (self._directory / "stderr").read_text(encoding="utf-8")

    @property
    def errors(self):
        """The lines of it that are the command's, not the log's."""
        return [line for line in self.err.splitlines() if line.startswith("nmt-train: ")]

    def ended(self):
        """Whether it has ended."""
        return Path(f"/proc/{self._pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in "ZX"

    def signal(self, number):
        """Send a signal; before `wait` the number is this command's, even where it has ended."""
        os.kill(self._pid, number)

    def wait(self):
        """Wait for the end; return the exit code, or minus the signal that killed it."""
        if self.code is None:
            self.code = int(self._replies.readline())
        return self.code


def serve():
    """Fork a child for every request on stdin; reply with its number and, once it has ended, its exit code."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    compose([])  # Hydra finds its plugins, and makes its parser, once for all children
    gc.freeze()  # what is shared with children stays so
    last = None
    while line := requests.readline():
        if last is not None:
            os.waitpid(last, 0)
        last = os.fork()
        if not last:
            requests.close()
            replies.close()
            become(json.loads(line))
        replies.write(f"{last}\n")
        ended = os.waitid(os.P_PID, last, os.WEXITED | os.WNOWAIT)
        replies.write(f"{ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status}\n")


def become(request):
    """Turn this process into the command."""
    os.chdir(request["directory"])
    for handle, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "stdout", None), (2, "stderr", None)):
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if flags is None else flags)
        os.dup2(opened, handle)
        os.close(opened)
    fault = FAULTS[request["fault"]](request["at"]) if request["fault"] else None
    with Disk(fault, request["directory"]) if fault else contextlib.nullcontext():
        code = train(pickle.loads(bytes.fromhex(request["config"]))) if request["config"] else main(request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # tearing everything down would take longer than the rest


def train(config):
    """Train as nmt-train does, from a configuration."""
    let_scores_rise()
    return nmt.cli.common.run(lambda: run(config), "nmt-train")


def let_scores_rise():
    """Let every validation find scores as high as its update."""

    def validate(task, bundle, texts, **options):
        score = Score("any", float(bundle.metadata["updates"]), "scripted")
        return Validation(2.0, {"bleu": score, "chrf": score}, "greedy", texts[None].target)

    trainer.validate_all = validate


if __name__ == "__main__":
    serve()
