"""Several processes that train one model: which of them this one is, and the few things that they tell each other.

``torchrun`` starts them, on one machine or several, and says in the environment who is who; PyTorch's
DistributedDataParallel averages their gradients (Li et al. 2020), over gloo between CPUs and nccl between GPUs.
"""

import atexit
import contextlib
import gc
import importlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nmt.errors import ConfigError, NmtError, RunError

T = TypeVar("T")

# gloo's errors are plain RuntimeErrors that name its source files.
_CONNECTION = re.compile(r"gloo|nccl|connection|socket|peer|timed? ?out|rendezvous", re.IGNORECASE)
_PATIENCE = timedelta(hours=6)
"""How long to wait for another process, which may be encoding a large corpus; one that dies is noticed at once."""
_FAREWELL_SECONDS = 30.0
"""How long the end of a command waits for an exchange in progress, which another process may never answer."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run; all of them call these methods in the same order."""

    rank: int = 0
    """number of this process"""
    size: int = 1
    """number of processes"""
    local_rank: int = 0
    """number of this process among those of its machine"""
    local_size: int = 1
    """number of processes of its machine"""

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """Give every process all processes' values, in order of rank.

        Raises:
            RunError: another process is gone.
        """
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _answering():
            dist.all_gather_object(values, value)
        return values

    def gather_numbers(self, *numbers: float) -> list[list[float]]:
        """Give every process all processes' numbers, in half of `gather`'s time; RunError as above."""
        if self.size == 1:
            return [list(numbers)]
        values = torch.tensor(numbers, dtype=torch.float64)
        rows = [torch.empty_like(values) for _ in range(self.size)]
        with _answering():
            dist.all_gather(rows, values)
        return [row.tolist() for row in rows]

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Take this process's share of a list that all have: every `size`-th item."""
        return items[self.rank :: self.size]

    def join_shares(self, share: list[T]) -> list[T]:
        """Put what the processes made of their shares back in order: one item for each; RunError as above."""
        rounds = zip_longest(*self.gather([(item,) for item in share]))
        return [made[0] for items in rounds for made in items if made]

    def from_main(self, function: Callable[[], T]) -> T:
        """Call a function in the main process alone, and give every process what it returned or raised.

        Raises:
            NmtError: the function raised it; RunError as above.
        """
        if self.size == 1:
            return function()
        results: list[Any] = [None, None]
        if self.is_main:
            try:
                results[0] = function()
            except NmtError as error:
                results[1] = error
        with _answering():
            dist.broadcast_object_list(results, src=0)
        if results[1] is not None:
            results[1].is_told = not self.is_main
            raise results[1]
        result: T = results[0]
        return result

    def main_first(self, function: Callable[[], T]) -> T:
        """Call a function in the main process and, if it raised nothing there, in the others; RunError as above."""
        results: list[T] = []
        self.from_main(lambda: results.append(function()))
        return results[0] if results else function()

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """Wrap a module so that the gradients of its parameters become means over the processes in each backward."""
        if self.size == 1:
            return module
        with _answering():
            return DistributedDataParallel(module, gradient_as_bucket_view=True)

    @contextlib.contextmanager
    def computing(self, module: nn.Module, *, is_last: bool) -> Iterator[None]:
        """Surround a forward and backward pass of what `data_parallel` returned, one of several of an update.

        The processes exchange gradients in the last one; RunError as above.
        """
        if not isinstance(module, DistributedDataParallel):
            yield
            return
        with _answering(), contextlib.nullcontext() if is_last else module.no_sync():
            yield


def join_processes() -> Processes:
    """Find out about the processes that ``torchrun`` started with this one, and connect to them; alone otherwise.

    Raises:
        ConfigError: the environment speaks of other processes, but not as torchrun does.
        RunError: they cannot be reached.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1":
        return Processes()
    try:
        local = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        processes = Processes(int(os.environ["RANK"]), int(size), *local)
    except (KeyError, ValueError):
        raise ConfigError(
            f"WORLD_SIZE={size} is set in the environment, but RANK is not a number; start several processes with "
            "torchrun, or unset WORLD_SIZE to train with one"
        ) from None
    if not dist.is_initialized():
        # Its functions have the process group of the moment as a default. DistributedDataParallel imports it: after the
        # group is made, these defaults would keep the group, and its threads, for as long as Python runs.
        with contextlib.suppress(ImportError):
            importlib.import_module("torch.distributed.nn.functional")
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with _answering():
            dist.init_process_group(backend, timeout=_PATIENCE)
        atexit.register(_leave)
    return processes


def leave_processes() -> bool:
    """Let go of the other processes, and end PyTorch's threads that exchange with them.

    Such a thread frees the tensors of its last exchange, for which it takes Python's lock. Once Python shuts down,
    asking for the lock ends the thread, and with it, amid C++, the process: "terminate called without an active
    exception". So the threads end first. Nothing may refer to the trainer any more, nor any exception in flight.

    Returns:
        Whether they ended; False while one still waits for another process. Python must not shut down then.
    """
    atexit.unregister(_leave)
    if not dist.is_initialized():
        return True
    leaving = threading.Thread(target=_leave, name="leave", daemon=True)
    leaving.start()
    leaving.join(_FAREWELL_SECONDS)
    return not leaving.is_alive()


def _leave() -> None:
    if not dist.is_initialized():
        return
    # What wraps the model refers to the process group, and lies in cycles of references.
    gc.collect()
    # Of another process that is gone this one has told, if that mattered.
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turn what PyTorch raises when another process does not answer into one line."""
    try:
        yield
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if not isinstance(error, dist.DistError) and not _CONNECTION.search(reason):
            raise
        raise RunError(
            f"another process of this run ended or cannot be reached ({reason[:200]}); its own messages say why, and "
            "the same command goes on from the last save"
        ) from error
