"""What an iterator yields, prepared ahead in a thread."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

_Item = TypeVar("_Item")


class _Failure(NamedTuple):
    error: BaseException


def prefetch(make: Callable[[], Iterator[_Item]], depth: int) -> Iterator[_Item]:
    """Yield what an iterator yields, while a thread prepares up to `depth` items more.

    The iterator is made, run and closed in the thread. An error in it is raised here; closing this generator stops and
    joins the thread.
    """
    items: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    end = object()

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            iterator = make()
            for item in iterator:
                put(item)
                if stop.is_set():
                    break
            iterator.close()  # type: ignore[attr-defined]
            put(end)
        except BaseException as error:
            put(_Failure(error))

    thread = threading.Thread(target=work, name="nmt-prefetch", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not end:
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()
