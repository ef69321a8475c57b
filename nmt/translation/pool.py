"""TranslatorPool: several processes that translate behind the same `submit` as one `Translator`."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from nmt.translation.request import Request, Translation
from nmt.translation.translator import Translator
from nmt.translation.worker import Message
from nmt.translation.workers import IDLE_SECONDS, Workers, wait_for

_Tag = TypeVar("_Tag")
_WINDOWS_AHEAD = 2
"""Windows taken before their translations are asked for: one that the workers are at, and one that waits for them."""


class TranslatorPool:
    """Workers that each have a translator; what is submitted is shared among them when a window is full."""

    def __init__(self, workers: Workers) -> None:
        """Share work among processes whose `serve` was given what `prepare` returns."""
        self._workers = workers
        self.window = workers.greeting["window"] * workers.count
        """requests of a full window"""
        self.first_window = workers.greeting["first_window"] * workers.count
        """requests of a window that need not wait for more"""
        self._waiting: list[tuple[Request, Future[Translation]]] = []
        self._queue = threading.Lock()

    def submit(self, request: Request) -> Future[Translation]:
        """Queue a request; its translation, or the error that it ran into, comes with the future."""
        future: Future[Translation] = Future()
        with self._queue:
            self._waiting.append((request, future))
            is_full = len(self._waiting) >= self.window
        if is_full:
            self.flush()
        return future

    def flush(self) -> None:
        """Hand out what waits, to each worker a part of about as many bytes."""
        with self._queue:
            waiting, self._waiting = self._waiting, []
        sizes = [len(request.text.encode("utf-8", errors="surrogatepass")) + 1 for request, _ in waiting]
        for part in split(sizes, self._workers.count):
            requests, futures = zip(*waiting[part], strict=True)
            reply = self._workers.submit({"requests": [request.to_dict() for request in requests]})
            reply.add_done_callback(partial(_complete, futures))

    def map(
        self, windows: Iterable[tuple[_Tag, Sequence[Request]]]
    ) -> Iterator[tuple[_Tag, Sequence[Request], list[Translation]]]:
        """Translate windows as they come, each with a tag for the caller's use, in their order.

        A thread takes the windows, two ahead of the translations; it may wait for them as long as it likes.

        Raises:
            NmtError: a worker failed, with its own message and exit code; what comes before it has been yielded.
            RunError: a worker died; what comes before it has been yielded too.
        """
        order: queue.Queue[Any] = queue.Queue()
        slots = threading.Semaphore(_WINDOWS_AHEAD)
        threading.Thread(target=self._feed, args=(windows, order, slots), name="requests", daemon=True).start()
        while (found := self._next(order)) is not None:
            tag, requests, futures = found
            translations = [wait_for(future) for future in futures]
            slots.release()
            yield tag, requests, translations

    def _feed(self, windows: Iterable[Any], order: queue.Queue[Any], slots: threading.Semaphore) -> None:
        try:
            for tag, requests in windows:
                slots.acquire()
                futures = [self.submit(request) for request in requests]
                self.flush()
                order.put((tag, requests, futures))
        except Exception as error:  # any error must reach whoever waits
            order.put(error)
        else:
            order.put(None)

    def _next(self, order: queue.Queue[Any]) -> Any:
        """Wait for the next window. A worker that dies meanwhile is an error, even an idle one."""
        while True:
            try:
                window = order.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                if self._workers.failure is not None:
                    raise self._workers.failure from None
                continue
            if isinstance(window, Exception):
                raise window
            return window


def prepare(translator: Translator) -> tuple[Message, Any]:
    """Make what `nmt.translation.worker.serve` needs: the greeting, and the function that answers a message."""

    def answer(message: Message) -> Message:
        translations = translator.translate([Request(**values) for values in message["requests"]])
        return {"translations": [translation.to_dict() for translation in translations]}

    return {"window": translator.window, "first_window": translator.first_window}, answer


def split(sizes: Sequence[int], count: int) -> Iterator[slice]:
    """Cut a window, of which the sizes in bytes are given, into at most `count` parts of about as many, none empty."""
    total = sum(sizes)
    start = held = done = 0
    for end, size in enumerate(sizes, 1):
        held += size
        if held * count >= total * (done + 1) or end == len(sizes):
            yield slice(start, end)
            start, done = end, held * count // total


def _complete(futures: Sequence[Future[Translation]], reply: Future[Message]) -> None:
    """Give each request of a part its translation, or the error that the part ran into."""
    error = reply.exception()
    translations = [None] * len(futures) if error else reply.result()["translations"]
    for future, values in zip(futures, translations, strict=True):
        if not future.set_running_or_notify_cancel():
            continue
        if error is None:
            future.set_result(Translation.from_dict(values))
        else:
            future.set_exception(error)
