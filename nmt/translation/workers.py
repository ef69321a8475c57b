"""Processes that share work: requests go out as they come, replies come back in the order of the requests.

A worker is a command of its own, so that it does not matter what this process has loaded. Both ends speak JSON through
a pipe each way, every message after its length. A worker ends as soon as the pipe that it reads from is closed,
whatever it is doing: the system closes it even when the parent is killed, so that no worker outlives its parent.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, TypeAlias, TypeVar

from nmt.errors import ConfigError, NmtError, RunError

Message: TypeAlias = dict[str, Any]
"""What JSON can carry."""

_T = TypeVar("_T")
_Tag = TypeVar("_Tag")
# Signals are handled by the main thread, which notices them when it does not wait: it looks up so often.
_IDLE_SECONDS = 0.5
_MOST_WORKERS = 1024
_LENGTH_BYTES = 8
# Requests taken ahead for each worker: one that it works on and one that waits for it.
_REQUESTS_EACH = 2


def worker_count(wanted: int) -> int:
    """Turn the number of an option into one of workers: 0 means one for each core that this process may use.

    Raises:
        ConfigError: it is negative, or more than any machine has use for.
    """
    if not 0 <= wanted <= _MOST_WORKERS:
        allowed = f"between 1 and {_MOST_WORKERS}, or 0 for one per core"
        raise ConfigError(f"--workers {wanted} is not possible: it must be {allowed}")
    if wanted:
        return wanted
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_command(module: str, function: str, words: Sequence[str]) -> list[str]:
    """Make the command that calls a function, which is to call `serve`, with these words in ``sys.argv``."""
    # -c puts the current directory before all others; what this process finds is in PYTHONPATH.
    program = (
        f"import sys; sys.path = [path for path in sys.path if path]; from {module} import {function}; {function}()"
    )
    return [sys.executable, "-c", program, *words]


class Workers:
    """So many processes that run the same command, which calls `serve`; as a context, they are gone when it ends."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        """Start them and wait until all are ready.

        Args:
            command: from `worker_command`.
            count: how many.

        Raises:
            NmtError: one could not be prepared, for the reason that the message gives.
            RunError: one died.
        """
        self._count = count
        # None ends each; what is waited for in order, and None when no more will come.
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._order: queue.Queue[_Job | Exception | None] = queue.Queue()
        greetings: queue.Queue[Message | Exception] = queue.Queue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        try:
            for _ in range(count):
                process = _start(command)
                self._processes.append(process)
                thread = threading.Thread(target=self._attend, args=(process, greetings), name="worker", daemon=True)
                self._threads.append(thread)
                thread.start()
            for _ in range(count):
                self.greeting: Message = _result(_wait(greetings))
                """what each of them said when it was ready"""
        except BaseException:
            self.close()
            raise

    def map(self, requests: Iterable[tuple[_Tag, Message]]) -> Iterator[tuple[_Tag, Message]]:
        """Have requests answered, each with a tag for the caller's use, and yield the replies in the same order.

        A thread takes the requests, a few ahead of the replies; it may wait for them as long as it likes. To be called
        once.

        Raises:
            NmtError: a worker failed, with its own message and exit code; what comes before it has been yielded.
            RunError: a worker died, likewise.
        """
        slots = threading.Semaphore(_REQUESTS_EACH * self._count)
        threading.Thread(target=self._feed, args=(requests, slots), name="requests", daemon=True).start()
        while True:
            job = _wait(self._order)
            if job is None:
                return
            if isinstance(job, Exception):
                raise job
            reply = self._reply(job)
            slots.release()
            yield job.tag, reply

    def _reply(self, job: _Job) -> Message:
        while True:
            with contextlib.suppress(queue.Empty):
                return _result(job.reply.get(timeout=_IDLE_SECONDS))
            # All may have died idle, and the last have told so after this job was handed in: nobody takes it any more.
            if not any(thread.is_alive() for thread in self._threads) and job.reply.empty():
                while not isinstance(said := _wait(self._order), Exception):
                    pass
                raise said

    def close(self) -> None:
        """End all of them at once; they hold nothing that could be lost."""
        for process in self._processes:
            process.kill()
            self._waiting.put(None)
        for process in self._processes:
            process.wait()
        for thread in self._threads:
            thread.join(_IDLE_SECONDS)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _feed(self, requests: Iterable[tuple[Any, Message]], slots: threading.Semaphore) -> None:
        try:
            for tag, request in requests:
                slots.acquire()
                job = _Job(tag, request)
                self._order.put(job)
                self._waiting.put(job)
        except Exception as error:  # whatever it is, nobody must wait for ever
            self._order.put(error)
        else:
            self._order.put(None)

    def _attend(self, process: subprocess.Popen[bytes], greetings: queue.Queue[Message | Exception]) -> None:
        """Carry messages to one worker and back until it fails or there is nothing more to do."""
        assert process.stdin is not None
        assert process.stdout is not None
        tell: Callable[[Message | Exception], None] = greetings.put
        with contextlib.closing(process.stdin), contextlib.closing(process.stdout):
            try:
                tell(_receive(process.stdout))
                while True:
                    tell = self._fail
                    job = self._next_job(process)
                    if job is None:
                        return
                    tell = job.reply.put
                    _send(process.stdin, job.request)
                    tell(_receive(process.stdout))
            except Exception as error:  # whatever it is, nobody must wait for ever
                tell(_death(process) if isinstance(error, OSError | EOFError) else error)

    def _next_job(self, process: subprocess.Popen[bytes]) -> _Job | None:
        while True:
            try:
                return self._waiting.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                if process.poll() is not None:
                    raise EOFError from None

    def _fail(self, error: Message | Exception) -> None:
        assert isinstance(error, Exception)
        self._order.put(error)


class _Job:
    def __init__(self, tag: Any, request: Message) -> None:
        self.tag = tag
        self.request = request
        self.reply: queue.Queue[Message | Exception] = queue.Queue()


def serve(
    prepare: Callable[[], tuple[Message, Callable[[Message], Message]]],
    explain: Callable[[Exception], tuple[str, int]],
) -> NoReturn:
    """Be a worker: prepare, greet, then answer one request after the other until the parent is gone.

    What anything here prints to stdout goes to stderr.

    Args:
        prepare: returns the greeting, and the function that answers a request.
        explain: puts an error into one line with its exit code; the parent ends with both.
    """
    requests, replies = _own_pipes()
    todo: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, todo), name="requests", daemon=True).start()
    try:
        try:
            greeting, answer = prepare()
            _send(replies, greeting)
            while True:
                _send(replies, answer(todo.get()))
        except OSError as error:
            if isinstance(error, BrokenPipeError):  # the parent is gone
                os._exit(0)
            raise
    except Exception as error:
        message, code = explain(error)
        with contextlib.suppress(OSError):
            _send(replies, {"error": message, "exit_code": code})
    os._exit(1)


def _listen(requests: BinaryIO, todo: queue.Queue[Message]) -> None:
    try:
        while True:
            todo.put(_receive(requests))
    finally:
        os._exit(0)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for messages alone, whatever else reads or prints."""
    requests, replies = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null if sys.stderr is None else sys.stderr.fileno(), 1)
    os.close(null)
    return requests, replies


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker that finds the modules that this process finds, and that Ctrl-C leaves to its parent."""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    options["env"] = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    if sys.platform == "win32":
        return subprocess.Popen(command, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP, **options)
    # A process inherits which signals are held back; here they arrive when the worker has started.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _death(process: subprocess.Popen[bytes]) -> RunError:
    try:
        code = process.wait(5)
    except subprocess.TimeoutExpired:
        code = 0
    fate = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return RunError(
        f"worker process {process.pid} {fate}; if memory is short, run it again with fewer --workers; "
        "what came before is written"
    )


def _result(found: Message | Exception) -> Message:
    if isinstance(found, Exception):
        raise found
    if "error" in found:
        error = NmtError(found["error"])
        error.exit_code = found["exit_code"]
        raise error
    return found


def _wait(source: queue.Queue[_T]) -> _T:
    while True:
        with contextlib.suppress(queue.Empty):
            return source.get(timeout=_IDLE_SECONDS)


def _send(pipe: Any, message: Message) -> None:
    content = json.dumps(message).encode()
    left = memoryview(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
    while left:
        left = left[pipe.write(left) :]


def _receive(pipe: Any) -> Message:
    message: Message = json.loads(_read(pipe, int.from_bytes(_read(pipe, _LENGTH_BYTES), "big")))
    return message


def _read(pipe: Any, count: int) -> bytes:
    parts = []
    while count:
        part = pipe.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
