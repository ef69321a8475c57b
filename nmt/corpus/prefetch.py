"""What an iterator yields, prepared ahead in a thread."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_Item = TypeVar("_Item")


def prefetch(items: Generator[_Item], depth: int) -> Generator[_Item]:
    """Yield what a generator yields, while a thread prepares up to `depth` items more.

    The generator runs and is closed in the thread. An error in it is raised here; closing this generator closes that
    one and ends the thread.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="nmt-prefetch") as thread:
        ahead = deque(thread.submit(next, items, end) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not end:
                ahead.append(thread.submit(next, items, end))
                yield item
        finally:
            for future in ahead:
                future.cancel()
            thread.submit(items.close)
