"""A worker: one of several processes that share work. It answers one request after the other until its parent is gone.

It ends as soon as the pipe that it reads from is closed, whatever it is doing. The system closes that pipe even when
the parent is killed, so that no worker outlives its parent.
"""

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, NoReturn, TypeAlias

Message: TypeAlias = dict[str, Any]
"""What JSON can carry; one line of a pipe."""


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
        greeting, answer = prepare()
        send(replies, greeting)
        while True:
            send(replies, answer(todo.get()))
    except BrokenPipeError:  # the parent is gone
        os._exit(0)
    except Exception as error:
        message, code = explain(error)
        with contextlib.suppress(OSError):
            send(replies, {"error": message, "exit_code": code})
    os._exit(1)


def _listen(requests: IO[bytes], todo: queue.Queue[Message]) -> None:
    try:
        while True:
            todo.put(receive(requests))
    finally:
        os._exit(0)


def send(pipe: IO[bytes], message: Message) -> None:
    """Write a message, however large; OSError where the reader is gone."""
    pipe.write(json.dumps(message).encode() + b"\n")
    pipe.flush()


def receive(pipe: IO[bytes]) -> Message:
    """Wait for a message; EOFError where none will come."""
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    message: Message = json.loads(line)
    return message


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take stdin and stdout for messages alone, whatever else reads or prints."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null if sys.stderr is None else sys.stderr.fileno(), 1)
    os.close(null)
    return requests, replies
