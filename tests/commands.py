"""Commands as processes of their own, which most tests let a process fork that has imported PyTorch: two seconds each.

A forked command is a process like any other: its number, streams, signals, environment, directory and end are its own.
It runs its module or script as Python does, and ends as Python does. It does not show how a command starts: what it
imports, what a library reads as it loads, that hashes differ from process to process. Tests of that start Python
themselves. A command is started too where its environment differs in more than `MAY_DIFFER`, or where something else
is to start it, such as nohup. With $NMT_TESTS_FORK=0 every one is. What a forked command starts itself is forked too
where that is as good: another command, or a process of multiprocessing's.

This file run as a script is the process that is forked. It computes nothing, for threads are lost in a fork.
"""

import contextlib
import gc
import importlib
import multiprocessing.util
import os
import pickle
import runpy
import select
import signal
import socket
import subprocess
import sys
from multiprocessing.util import spawnv_passfds as spawn
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = ("torch", "hydra.core.plugins", "nmt.training.run", "nmt.cli.hydra.train", "nmt.evaluation.metrics")
# What commands read, or set, when they run, not when a library loads.
MAY_DIFFER = {"PYTEST_CURRENT_TEST", "HYDRA_FULL_ERROR", "CUBLAS_WORKSPACE_CONFIG", "TORCHINDUCTOR_CACHE_DIR"}
MAY_DIFFER |= {"NMT_CACHE", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
ONE_THREAD = {("MKL_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")}  # as $OMP_NUM_THREADS, which all have, says too


def may_fork():
    """Whether this system has handles of processes, and nobody asked for starts."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return os.environ.get("NMT_TESTS_FORK") != "0"


class Finished(NamedTuple):
    """How a command ended, and what it wrote: text where an encoding was asked for, else bytes on standard output."""

    code: int
    out: str | bytes
    err: str

    @property
    def lines(self):
        return (self.out if isinstance(self.out, str) else self.out.decode("utf-8")).split("\n")


class Command:
    """A command.

    Args:
        server: forks it where it can; None to start it anew each time.
        name: a module of nmt.cli, ``nmt`` itself, or the path of a script.
        options: of subprocess.Popen.
    """

    def __init__(self, server, name, **options):
        self.words = [sys.executable, "-m", name if name == "nmt" else f"nmt.cli.{name}"]
        if str(name).endswith(".py"):
            self.words[1:] = [str(name)]
        self.environment = environment()
        self._server, self._options = server, options

    def start(self, *arguments, **options):
        """Start it with a pipe for each stream, unless told otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {"env": self.environment} | pipes | self._options | options
        words = [*self.words, *map(str, arguments)]
        if self._server and self._server.can_fork(words, options):
            return Forked(self._server, words, **options)
        return subprocess.Popen(words, **options)

    def __call__(self, *arguments, text="", timeout=300, **options):
        """Run it to its end."""
        with self.start(*arguments, **options) as process:
            given = text.encode("utf-8") if isinstance(text, str) and not process.encoding else text
            try:
                out, err = process.communicate(given, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        if process.encoding:
            return Finished(process.returncode, out, err)
        return Finished(process.returncode, out or b"", (err or b"").decode("utf-8"))


def environment():
    """Return that of a command: it finds the package, and has one thread."""
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(ROOT))]
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *others]), "OMP_NUM_THREADS": "1"}


class Server:
    """In a with statement: forks commands. Its process starts with the first of them.

    Args:
        requests: in a command that was forked, the socket to the process that forks.
        environment: of that process.
    """

    def __init__(self, requests=None, environment=None):
        self._process, self._requests, self._environment = None, requests, environment

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._process:
            self._requests.close()
            self._process.communicate()

    def can_fork(self, words, options):
        """Whether a forked command is as good as one that is started."""
        plain = options.keys() <= {"env", "cwd", "encoding", "stdin", "stdout", "stderr"}
        if not may_fork() or not plain or words[0] != sys.executable or not words[1].endswith((".py", "-m")):
            return False
        if not self._requests:
            self._start()
        changed = self._environment.items() ^ (options.get("env") or os.environ).items()
        return {name for name, _ in changed - ONE_THREAD} <= MAY_DIFFER

    def fork(self, words, environment, directory, streams):
        """Fork a command; return its number, and the socket on which its exit code will come."""
        ours, theirs = socket.socketpair()
        with theirs:
            request = pickle.dumps((words[1:], environment, str(directory)))
            socket.send_fds(self._requests, [request], [theirs.fileno(), *streams])
        return int(ours.recv(16)), ours

    def _start(self):
        self._environment = environment()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, __file__, str(theirs.fileno())]
            options = {"pass_fds": [theirs.fileno()], "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(words, env=self._environment, **options)


def forking(server):
    """Make a `subprocess.Popen` whose commands a server forks where it can."""

    class Popen(subprocess.Popen):
        def __new__(cls, words=None, *rest, **options):
            known = options.keys() <= {"env", "cwd", "encoding", "text", "stdin", "stdout", "stderr"}
            if known and not rest and isinstance(words, list):
                words, named = list(map(os.fspath, words)), {name: options[name] for name in options if name != "text"}
                if len(words) > 1 and server.can_fork(words, named):
                    return Forked(server, words, **options)
            return super().__new__(cls)

    return Popen


def fork_spawned(path, words, handles):
    """Do as `multiprocessing.util.spawnv_passfds`, but fork this process where Python is to be started in it anew."""
    if "spawn_main" not in words[-2] or len(os.listdir("/proc/self/task")) > 1:
        return spawn(path, words, handles)
    if number := os.fork():
        return number
    code = 1
    try:
        for handle in {*map(int, os.listdir("/proc/self/fd"))} - {0, 1, 2, *handles}:
            with contextlib.suppress(OSError):
                os.close(handle)
        for each in signal.valid_signals():
            if callable(signal.getsignal(each)):
                signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = words[-2:]
        exec(words[-2])
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code)


class Forked(subprocess.Popen):
    """A command that the server forked."""

    def __init__(self, server, words, **options):
        self._server = server
        super().__init__(words, **options)

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest):
        pipes = rest[3:9]  # ours and theirs of each stream, -1 where it is this process's own
        streams = [theirs if theirs != -1 else number for number, theirs in enumerate((pipes[0], pipes[3], pipes[5]))]
        try:
            self.pid, self._ending = self._server.fork(args, env or dict(os.environ), cwd or os.getcwd(), streams)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self._ending.settimeout(timeout if timeout is None else max(0, timeout))
            try:
                self.returncode = int(self._ending.recv(16))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            self._ending.close()
        return self.returncode


def serve(requests):
    """Fork a child for every request, and tell its number and its exit code; return in a child, with its words."""
    children = {}  # by handle: number, and where to tell of its end
    asking = [requests]  # and the ends of those of the children
    while True:
        for ready in select.select([*asking, *children], [], [])[0]:
            if ready in children:
                number, replies = children.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
                with replies, contextlib.suppress(OSError):
                    replies.send(str(code).encode())
                continue
            content, handles, *_ = socket.recv_fds(ready, 1 << 20, 4)
            if not content and ready is requests:
                sys.exit()
            if not content:
                asking.remove(ready)
                ready.close()
                continue
            assert len(os.listdir("/proc/self/task")) == 1, "a thread would be lost in the fork"
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            number = os.fork()
            if not number:
                for each in (ours, *asking, *(replies for _, replies in children.values())):
                    each.close()
                for handle in children:
                    os.close(handle)
                return become(*pickle.loads(content), handles, Server(theirs, dict(os.environ)))
            theirs.close()
            asking.append(ours)
            replies = socket.socket(fileno=handles.pop(0))
            replies.send(str(number).encode())
            children[os.pidfd_open(number)] = number, replies
            for handle in handles:
                os.close(handle)


def become(words, environment, directory, handles, server):
    """Turn this process into the command, up to its first line; return its words but Python's own name."""
    subprocess.Popen = forking(server)
    multiprocessing.util.spawnv_passfds = fork_spawned
    os.close(handles.pop(0))
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.path[0] = os.getcwd() if words[0] == "-m" else str(Path(words[0]).resolve().parent)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return words


def preload():
    """Import what takes long, with what its libraries are to read as they load."""
    from nmt.cli.hydra.compose import compose
    from nmt.machine import set_kernel_caches

    set_kernel_caches()
    for name in PRELOADED:
        importlib.import_module(name)
    compose([])  # Hydra finds its plugins, and makes its parser, once for all children
    gc.freeze()  # what is shared with children stays so


def main():
    """Serve; in a child run the module or the script as Python does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which is for the commands
    preload()
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.modules.pop(sys.argv[0], None)  # a module that is run is not imported before
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
