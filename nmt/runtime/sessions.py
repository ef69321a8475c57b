"""Graphs as ONNX Runtime computes them: read from a bundle, and loaded at once or later."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime

from nmt.errors import BundleError, is_out_of_memory
from nmt.files import read_regular, require_regular

_AGAIN = "export the bundle again"


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str
    shape: Sequence[Any]
    """sizes; names where they vary"""
    type: str
    """as ONNX Runtime writes it, such as ``tensor(float16)``"""


class Session:
    """A graph that ONNX Runtime has loaded."""

    def __init__(self, path: Path, content: bytes, options: Any) -> None:
        """Load a graph.

        Args:
            path: the file it comes from, for messages.
            content: the graph.
            options: ONNX Runtime's.

        Raises:
            BundleError: it is damaged, or not for this version of ONNX Runtime.
        """
        self._path = path
        try:
            # Its fallback to other devices would tell of a damaged graph on standard output.
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
            self.inputs, self.outputs = (
                [Port(port.name, port.shape, port.type) for port in ports]
                for ports in (self._session.get_inputs(), self._session.get_outputs())
            )
        except Exception as error:  # ONNX Runtime's own exceptions have no common class
            raise _damaged(path, error) from None

    def run(self, names: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
        """Compute the outputs of these names.

        Raises:
            BundleError: the graph is damaged in a way that shows only now.
        """
        try:
            outputs: list[Any] = self._session.run(names, inputs)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise BundleError(f"{_damaged(self._path, error)}; {_AGAIN}") from None
        return outputs


def _damaged(path: Path, error: Exception) -> BundleError:
    reason = " ".join(re.sub(r"\[ONNXRuntimeError\] : \d+ : ", "", str(error)).split())[:200]
    # Some of its messages are places in its own source.
    shown = "" if "onnxruntime_src" in reason or "::" in reason else f" ({reason})"
    return BundleError(f"{path} is damaged, or not for onnxruntime {onnxruntime.__version__}{shown}")


class Later:
    """A graph that is loaded when it is first run: each takes memory for its weights, and no search runs them all."""

    def __init__(self, load: Callable[[], Session]) -> None:
        self._load: Callable[[], Session] | None = load
        self._session: Session | None = None
        self._lock = threading.Lock()

    def run(self, names: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
        """Compute the outputs of these names; BundleError as from `Session`."""
        with self._lock:
            if self._load is not None:
                try:
                    self._session = self._load()
                except BundleError as error:
                    raise BundleError(f"{error}; {_AGAIN}") from None
                self._load = None  # its constants are let go
        assert self._session is not None
        return self._session.run(names, inputs)


def read_constants(path: Path) -> dict[str, bytes]:
    """Read what lies in a .zip file, whole or not at all.

    Raises:
        BundleError: it is missing or damaged.
    """
    try:
        require_regular(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except OSError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror or error})") from None
    except Exception as error:  # of zipfile, zlib and more, depending on where the damage is
        raise BundleError(f"{path} is damaged or cannot be read ({' '.join(str(error).split())[:200]})") from None


def read(path: Path) -> bytes:
    """Read a graph.

    Raises:
        BundleError: it is missing.
    """
    try:
        return read_regular(path)
    except OSError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None


def parts_of(graph: bytes, constants: Mapping[str, bytes]) -> list[bytes]:
    """List a graph and the constants that it names: one after the other they are the whole, see nmt.export.graph."""
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
    # The exception of a graph that does not load has ONNX Runtime's message too.
    options.log_severity_level = 4
    # Patterns of memory are kept for every shape; here shapes change with every sentence that ends.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = hoard
    # Idle threads that spin take the processor from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return Session(path, b"".join(parts), options)
