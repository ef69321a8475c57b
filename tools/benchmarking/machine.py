"""Processes to measure in, and the rate of the machine to compare with."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nmt.errors import RunError

if TYPE_CHECKING:
    import torch

_ROWS, _INNER, _COLUMNS = 2048, 512, 2048
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """Our environment for a process of so many CPU threads."""
    return dict(os.environ) | dict.fromkeys(_THREAD_VARIABLES, str(threads))


def in_a_process(words: Sequence[str], threads: int) -> str:
    """Run a Python program of ours with so many threads and return the last line that it prints.

    Raises:
        RunError: it failed.
    """
    command = [sys.executable, *words]
    finished = subprocess.run(command, env=environment(threads), stdout=subprocess.PIPE, text=True, encoding="utf-8")
    if finished.returncode:
        raise RunError("the measuring process failed; its message is above")
    return finished.stdout.strip().splitlines()[-1]


def product_rate(kind: torch.dtype, *, repeats: int = 30, seconds: float = 1) -> float:
    """FLOP per second of (2048, 512) · (512, 2048): the median of some runs, which end after so many seconds."""
    import torch

    left, right = torch.randn(_ROWS, _INNER).to(kind), torch.randn(_INNER, _COLUMNS).to(kind)
    taken: list[float] = []
    while not taken or (len(taken) < repeats and sum(taken) < seconds):
        began = time.perf_counter()
        left @ right
        taken.append(time.perf_counter() - began)
    return 2.0 * _ROWS * _INNER * _COLUMNS / statistics.median(taken)


def plain_product_rate(*, repeats: int = 5) -> float:
    """Do what `product_rate` does in fp32, with NumPy: for a process that is to stay without PyTorch."""
    import numpy as np

    draw = np.random.default_rng(1)
    left = draw.standard_normal((_ROWS, _INNER), dtype=np.float32)
    right = draw.standard_normal((_INNER, _COLUMNS), dtype=np.float32)
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        left @ right
        taken.append(time.perf_counter() - began)
    return 2.0 * _ROWS * _INNER * _COLUMNS / statistics.median(taken)
