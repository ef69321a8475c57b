"""Workers: processes that share work. Requests go out as they come, and each reply comes with a future.

A worker is a command of its own, so that it does not matter what this process has loaded. Both ends speak through a
pipe each way; `nmt.translation.worker` is the other end.
"""

import concurrent.futures
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from nmt.errors import ConfigError, NmtError, RunError
from nmt.translation.worker import Message, receive, send

IDLE_SECONDS = 0.5
"""Signals are handled by the main thread, which notices them when it does not wait: it looks up so often."""

_T = TypeVar("_T")
_MOST_WORKERS = 1024


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


class _Job(NamedTuple):
    request: Message
    reply: Future[Message]


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
        self.count = count
        self.failure: Exception | None = None
        """what the first worker that failed failed of; nothing is answered from then on"""
        self._jobs: queue.Queue[_Job | None] = queue.Queue()  # None ends a worker
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        try:
            greetings = [self._begin(command) for _ in range(count)]
            for greeting in greetings:
                self.greeting: Message = wait_for(greeting)
                """what each of them said when it was ready"""
        except BaseException:
            self.close()
            raise

    def submit(self, request: Message) -> Future[Message]:
        """Hand a request to the next worker that is free.

        The future has its reply, or the error of the worker: an `NmtError` with its message and exit code, or a
        `RunError` where it died.
        """
        job = _Job(request, Future())
        with self._lock:
            if self.failure is None:
                self._jobs.put(job)
            else:
                job.reply.set_exception(self.failure)
        return job.reply

    def close(self) -> None:
        """End all of them at once; they hold nothing that could be lost."""
        for process in self._processes:
            process.kill()
            self._jobs.put(None)
        for process in self._processes:
            process.wait()
        for thread in self._threads:
            thread.join(IDLE_SECONDS)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _begin(self, command: Sequence[str]) -> Future[Message]:
        """Start a worker, and a thread that attends to it; its greeting comes with the future."""
        greeting: Future[Message] = Future()
        process = _start(command)
        self._processes.append(process)
        thread = threading.Thread(target=self._attend, args=(process, greeting), name="worker", daemon=True)
        self._threads.append(thread)
        thread.start()
        return greeting

    def _attend(self, process: subprocess.Popen[bytes], greeting: Future[Message]) -> None:
        """Carry messages to one worker and back until it fails or there is nothing more to do."""
        assert process.stdin is not None
        assert process.stdout is not None
        owed: Future[Message] | None = greeting
        # What a dead worker did not read cannot be flushed any more.
        with process.stdout, contextlib.suppress(OSError), process.stdin:
            try:
                greeting.set_result(_answer(receive(process.stdout)))
                owed = None
                while job := self._next_job(process):
                    owed = job.reply
                    send(process.stdin, job.request)
                    owed.set_result(_answer(receive(process.stdout)))
                    owed = None
            except Exception as error:  # any error must reach whoever waits
                self._fail(_death(process) if isinstance(error, OSError | EOFError) else error, owed)

    def _next_job(self, process: subprocess.Popen[bytes]) -> _Job | None:
        while True:
            try:
                return self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if process.poll() is not None:
                    raise EOFError from None

    def _fail(self, error: Exception, owed: Future[Message] | None) -> None:
        """Tell the failure to whoever waits for this worker, or for any that is free."""
        with self._lock:
            self.failure = self.failure or error
            waiting = [] if owed is None else [owed]
            with contextlib.suppress(queue.Empty):
                while True:
                    if job := self._jobs.get_nowait():
                        waiting.append(job.reply)
        for reply in waiting:
            reply.set_exception(error)


def wait_for(future: Future[_T]) -> _T:
    """Wait for a result, looking up now and then for signals."""
    while not future.done():
        concurrent.futures.wait([future], timeout=IDLE_SECONDS)
    return future.result()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a worker that finds the modules that this process finds, and that Ctrl-C leaves to its parent."""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
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


def _answer(reply: Message) -> Message:
    """Return a worker's reply; NmtError where it is an error."""
    if "error" in reply:
        error = NmtError(reply["error"])
        error.exit_code = reply["exit_code"]
        raise error
    return reply
