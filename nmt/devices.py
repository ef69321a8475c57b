"""Which device and how many threads the arithmetic uses."""

from __future__ import annotations

import ctypes
import os

import torch

from nmt.errors import ConfigError


def choose_device(name: str, *, local_rank: int = 0) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that this machine has.

    Where several processes share a machine, ``auto`` and ``cuda`` give each a GPU by its `local_rank`.

    Raises:
        ConfigError: the device is unknown, or PyTorch does not see it.
    """
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


def make_deterministic(wanted: bool) -> None:
    """Let a GPU repeat its sums exactly, or let it take its fastest kernels; CPUs repeat theirs either way."""
    if wanted:
        # cuBLAS reads this when it starts; without it, its products may differ from run to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)


def keep_freed_memory() -> None:
    """Let the GNU C library keep what is freed, up to 1 GiB, instead of giving it back to the system at once.

    An update frees some hundred megabytes that the next one wants again; fetched anew from the system, page by page,
    they cost 7 % of a CPU's time (docs/RESULTS.md). Other C libraries are left as they are.
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
    if threads < 0:
        raise ConfigError(f"threads={threads} is not possible: it must be 0 (PyTorch's choice) or more")
    if threads:
        torch.set_num_threads(threads)
    return torch.get_num_threads()
