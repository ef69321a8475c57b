"""A step model on NumPy arrays: two graphs that ONNX Runtime computes.

Shapes: B sentences, K places, S source length, V vocabulary, N rows of the states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from nmt.errors import BundleError
from nmt.search.interface import Step

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

_MEMORY = ("keys", "values", "mask")


@dataclass(frozen=True)
class OnnxState:
    """Where a decode stands: B sentences of K places each.

    What a step computed stays where it is; `rows` says which of it belongs to which place, and the next step reads it
    from there.
    """

    states: Arrays
    """recurrent states by name, (N, ·) each"""
    rows: Ints
    """(B, K) the row of `states` that each place continues"""
    memory: Arrays
    """what the source contributes, one row a sentence"""

    def reorder(self, parents: Ints) -> OnnxState:
        """Give every place the state of its parent: parents (B, K'), places inside each sentence."""
        rows = self.rows[np.arange(len(parents))[:, None], parents]
        return OnnxState(self.states, rows, self.memory)

    def keep(self, sentences: Ints) -> OnnxState:
        """Keep the given sentences, (B',)."""
        memory = {name: part[sentences] for name, part in self.memory.items()}
        return OnnxState(self.states, self.rows[sentences], memory)


class OnnxModel:
    """A model that `nmt-export` wrote; nothing of a decode is kept on it."""

    def __init__(self, encoder: Path, step: Path, *, threads: int = 1) -> None:
        """Load both graphs.

        Args:
            encoder: the graph that reads sources.
            step: the graph of one target position.
            threads: of the CPU.

        Raises:
            BundleError: a file is missing or damaged, or not for this version of ONNX Runtime.
        """
        self._encoder, self._step = _load(encoder, threads), _load(step, threads)
        names = [value.name for value in self._encoder.get_outputs()]
        self._states = [name for name in names if name not in _MEMORY]
        self._outputs = ["logits", *(f"next_{name}" for name in self._states)]

    def start(self, source: Ints, lengths: Ints) -> OnnxState:
        """Read the sources: source (B, S) ids with EOS, lengths (B,) → a state with one place a sentence."""
        names = [*_MEMORY, *self._states]
        found = self._encoder.run(names, {"source": source, "lengths": lengths})
        values = dict(zip(names, found, strict=True))
        states = {name: values[name] for name in self._states}
        return OnnxState(states, np.arange(len(source))[:, None], {name: values[name] for name in _MEMORY})

    def step(self, previous: Ints, state: OnnxState, *, with_weights: bool = False) -> Step:
        """Run one position: previous (B, K) ids → logits (B, K, V) and the state after them."""
        names = [*self._outputs, "weights"] if with_weights else self._outputs
        inputs: Mapping[str, Any] = {"previous": previous, "rows": state.rows, **state.memory, **state.states}
        logits, *found = self._step.run(names, inputs)
        weights = found.pop() if with_weights else None
        states = {name: part.reshape(-1, part.shape[-1]) for name, part in zip(self._states, found, strict=True)}
        return Step(logits, weights, OnnxState(states, np.arange(previous.size).reshape(previous.shape), state.memory))


def _load(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What ONNX Runtime has to say of a graph that does not load is in the exception too.
    options.log_severity_level = 4
    # Idle threads that spin take the processor from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None
    except Exception as error:  # ONNX Runtime's own exceptions have no common class
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path} is damaged, or not for onnxruntime {onnxruntime.__version__} ({reason})") from None
