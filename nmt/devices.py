"""Which device and how many threads the arithmetic uses."""

from __future__ import annotations

import torch

from nmt.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that this machine has.

    Raises:
        ConfigError: the device is unknown, or PyTorch does not see it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
