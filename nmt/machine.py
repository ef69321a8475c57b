"""Which device and how many threads the arithmetic uses, what its kernels keep, and how much memory there is.

The same for the API as for the commands. PyTorch is imported when it is first needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.errors import ConfigError, require

if TYPE_CHECKING:
    import torch

_MEMORY = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def choose_device(name: str, *, local_rank: int = 0) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that this machine has.

    Where several processes share a machine, ``auto`` and ``cuda`` give each a GPU by its `local_rank`.

    Raises:
        ConfigError: the device is unknown, or PyTorch does not see it.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and local_rank:
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if device.type not in counts:
        raise ConfigError(f"device={name} is unknown: take auto, cpu, cuda or cuda:N")
    if (device.index or 0) >= counts[device.type]:
        raise ConfigError(
            f"device={name} is not there: PyTorch sees {counts[device.type]} of its kind; take auto or cpu"
        )
    return device


def set_kernel_caches() -> None:
    """Set what PyTorch's kernels read when they start, unless the environment says otherwise.

    oneDNN keeps what it compiles for each of the last 1,024 shapes of a batch. An update asks for some 50, half of
    which the next one asks for again: 64 keep these. PyTorch keeps 1,024 computations beside them, each with memory
    to work in: with one, training was as fast in half the memory (docs/decisions/kernel-caches.md). Both are read
    when the first layer runs. Threads that share a product wait for one another in a loop. On a busy machine they
    take each other's time so, and training becomes ten times slower: here they give up sooner. That is read when
    PyTorch is imported.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "1")
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def keep_freed_memory() -> None:
    """Let the GNU C library keep what is freed, up to 1 GiB, instead of giving it back to the system at once.

    An update frees some hundred megabytes that the next one wants again. Fetched anew from the system, page by page,
    they cost 7 % of a CPU's time (docs/decisions/freed-memory.md). Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    m_trim_threshold, m_mmap_threshold = -1, -3  # malloc.h
    mallopt(m_trim_threshold, 1 << 30)
    mallopt(m_mmap_threshold, 32 << 20)  # the most it takes; what is larger goes back when it is freed, as before


def set_threads(threads: int) -> int:
    """Let PyTorch use so many CPU threads, 0 leaving its choice; return the number in use.

    Raises:
        ConfigError: the number is negative.
    """
    import torch

    require(threads >= 0, "threads", threads, "0 (PyTorch's choice) or more")
    if threads:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def free_memory(device: torch.device) -> int | None:
    """Tell how many bytes of a device's memory can still be had; None where the system does not say.

    A container may have less than its machine.
    """
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    amounts: list[int] = []
    with contextlib.suppress(OSError, KeyError, ValueError):
        amounts.append(_numbers(_MEMORY)["MemAvailable:"] * 1024)
    with contextlib.suppress(OSError, KeyError, ValueError):
        limit = int((_CONTAINER / "memory.max").read_text(encoding="ascii"))
        used = int((_CONTAINER / "memory.current").read_text(encoding="ascii"))
        # What files have in memory is counted as used, and given up where it is wanted.
        amounts.append(limit - used + _numbers(_CONTAINER / "memory.stat")["file"])
    return max(0, min(amounts)) if amounts else None


def _numbers(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    rows = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {row[0]: int(row[1]) for row in rows}
