"""What a number was measured on: the processor, what it can do, and what PyTorch was told that it cannot."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

_FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "bf16")
"""Names of Linux for what matters to products of matrices."""
_EMULATING = (
    "OLDER_PROCESSOR",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
)
"""Environment variables that make libraries behave as on an older processor."""


def processor_of(information: str) -> str:
    """Name the processor of a text such as /proc/cpuinfo has: model, family and number of the model."""
    parts = [_first(name, information) for name in ("model name", "cpu family", "model")]
    name, family, number = (part or "unknown" for part in parts)
    return f"{name}, family {family}, model {number}" if any(parts) else platform.machine() or "unknown"


def features_of(information: str) -> list[str]:
    """Name what the processor of such a text can do, of what matters here."""
    flags = set((_first("flags", information) or _first("Features", information) or "").split())
    return [feature for feature in _FEATURES if feature in flags]


def emulation_of(environment: Mapping[str, str]) -> list[str]:
    """Name the settings that hide what the processor can do."""
    return [f"{name}={environment[name]}" for name in _EMULATING if environment.get(name)]


def cpu_information() -> str:
    """Read what Linux tells of the processor; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def header() -> str:
    """Write the first line of a benchmark's report."""
    information, emulated = cpu_information(), emulation_of(os.environ)
    features = ", ".join(features_of(information)) or "no features known"
    stands_in = f"; stands in for an older one: {' '.join(emulated)}" if emulated else ""
    return f"Processor: {processor_of(information)} ({features}){stands_in}\n"


def _first(name: str, information: str) -> str | None:
    """Find a field's first value."""
    found = re.search(rf"^{name}[ \t]*: *(.*)$", information, re.MULTILINE)
    return found.group(1).strip() if found else None
