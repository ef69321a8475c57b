"""Graphs as ONNX Runtime computes them: read from a bundle, and loaded at once or later."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnxruntime

from nmt.errors import BundleError

Session: TypeAlias = onnxruntime.InferenceSession


class Later:
    """A graph that is loaded when it is first run: each takes memory for its weights, and no search runs them all."""

    def __init__(self, load: Callable[[], Session]) -> None:
        self._load: Callable[[], Session] | None = load
        self._session: Session | None = None
        self._lock = threading.Lock()

    def run(self, names: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
        """Compute the outputs of these names."""
        with self._lock:
            if self._load is not None:
                self._session, self._load = self._load(), None  # its constants are let go
        assert self._session is not None
        found: list[Any] = self._session.run(names, inputs)
        return found


def read_constants(path: Path) -> dict[str, bytes]:
    """Read what lies in a .zip file, whole or not at all.

    Raises:
        BundleError: it is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None
    except Exception as error:  # of zipfile, zlib and more, depending on where the damage is
        raise BundleError(f"{path} is damaged or cannot be read ({' '.join(str(error).split())[:200]})") from None


def read(path: Path) -> bytes:
    """Read a graph.

    Raises:
        BundleError: it is missing.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None


def parts_of(graph: bytes, constants: Mapping[str, bytes]) -> list[bytes]:
    """List a graph and the constants that it names: one after the other they are the whole, see nmt.runtime.graph."""
    return [graph, *(constant for name, constant in constants.items() if name.encode() in graph)]


def load(path: Path, parts: Sequence[bytes], threads: int, *, hoard: bool) -> Session:
    """Load a graph, given in parts.

    Args:
        path: the file it comes from.
        parts: see `parts_of`.
        threads: of the CPU.
        hoard: let it keep the memory it worked in, for what runs often.

    Raises:
        BundleError: it is damaged, or not for this version of ONNX Runtime.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What ONNX Runtime has to say of a graph that does not load is in the exception too.
    options.log_severity_level = 4
    # Patterns of memory are kept for every shape; here shapes change with every sentence that ends.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = hoard
    # Idle threads that spin take the processor from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return Session(b"".join(parts), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common class
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path} is damaged, or not for onnxruntime {onnxruntime.__version__} ({reason})") from None
