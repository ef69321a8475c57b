"""A step model on NumPy arrays: graphs that ONNX Runtime computes.

Shapes: B sentences, K places, S source length, V vocabulary, N candidates of a shortlist, R rows of the states, G·H
gates of the decoder's first layer.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from nmt.errors import BundleError
from nmt.search.interface import Step
from nmt.shortlist import Shortlist

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

_OWN_INPUTS = ("products", "tokens", "rows")
"""What a step reads beside memory and states: products by token, the token and the states' row of each place."""


@dataclass(frozen=True)
class OnnxState:
    """Where a decode stands: B sentences of K places each.

    What a step computed stays where it is; `rows` says which of it belongs to which place, and the next step reads it
    from there.
    """

    states: Arrays
    """recurrent states by name, (R, ·) each"""
    rows: Ints
    """(B, K) the row of `states` that each place continues"""
    memory: Arrays
    """what the source contributes, one row a sentence"""
    candidates: Ints | None
    """(B, N) the ids that each sentence may use, padded with -1; None without a shortlist"""

    def reorder(self, parents: Ints) -> OnnxState:
        """Give every place the state of its parent: parents (B, K'), places inside each sentence."""
        return replace(self, rows=self.rows[np.arange(len(parents))[:, None], parents])

    def keep(self, sentences: Ints) -> OnnxState:
        """Keep the given sentences, (B',)."""
        memory = {name: part[sentences] for name, part in self.memory.items()}
        candidates = None if self.candidates is None else self.candidates[sentences]
        return OnnxState(self.states, self.rows[sentences], memory, candidates)


class _Products:
    """What the decoder's first layer reads of each token's embedding, computed when the token first occurs.

    Only rows that were computed take memory: the system gives it page by page.
    """

    def __init__(self, session: onnxruntime.InferenceSession, shape: tuple[int, int]) -> None:
        kind = np.float16 if session.get_outputs()[0].type == "tensor(float16)" else np.float32
        self.rows = np.empty(shape, dtype=kind)
        """(V, G·H), with whatever there was before where nothing was computed yet"""
        self._session = session
        self._known = np.zeros(len(self.rows), dtype=np.bool_)

    def need(self, tokens: Ints) -> None:
        """Compute the rows of these tokens (B, K) that are not known yet."""
        known = self._known[tokens]
        if known.all():
            return
        new = np.unique(tokens[~known])
        [self.rows[new]] = self._session.run(["products"], {"tokens": new})
        self._known[new] = True


class OnnxModel:
    """A model that `nmt-export` wrote; nothing of a decode is kept on it."""

    def __init__(
        self,
        *,
        encoder: Path,
        embedding: Path,
        step: Path,
        constants: Path,
        shortlist: Shortlist | None = None,
        threads: int = 1,
    ) -> None:
        """Load the graphs.

        Args:
            encoder: the graph that reads sources.
            embedding: the graph of what a token contributes to a position.
            step: the graph of one target position.
            constants: the large constants of all three.
            shortlist: what a translation may be made of, for graphs that were built for one.
            threads: of the CPU.

        Raises:
            BundleError: a file is missing or damaged, or not for this version of ONNX Runtime.
        """
        outside = _read_constants(constants)
        self._encoder, embeddings = (_load(path, outside, threads, hoard=False) for path in (encoder, embedding))
        self._step = _load(step, outside, threads, hoard=True)
        self._shortlist = shortlist
        after = [value.name for value in self._step.get_outputs()]
        self._states = [name.removeprefix("next_") for name in after if name.startswith("next_")]
        self._memory = [value.name for value in self._encoder.get_outputs() if value.name not in self._states]
        self._outputs = ["log_probs", *(f"next_{name}" for name in self._states)]
        if any(value.name == "candidates" for value in self._encoder.get_inputs()) != (shortlist is not None):
            raise BundleError(f"{encoder} and the bundle's shortlist do not belong together")
        reads = {value.name: value for value in self._step.get_inputs()}
        if set(reads) != {*_OWN_INPUTS, *self._memory, *self._states} or self._outputs[0] not in after:
            raise BundleError(f"{step} was exported by an nmt that lays graphs out in another way")
        self._products = _Products(embeddings, tuple(reads["products"].shape))

    def start(self, source: Ints, lengths: Ints) -> OnnxState:
        """Read the sources: source (B, S) ids with EOS, lengths (B,) → a state with one place a sentence."""
        inputs: Arrays = {"source": source, "lengths": lengths}
        candidates = None
        if self._shortlist is not None:
            candidates = inputs["candidates"] = self._shortlist.candidates(source, lengths)
        found = self._encoder.run([*self._states, *self._memory], inputs)
        states = dict(zip(self._states, found, strict=False))
        memory = dict(zip(self._memory, found[len(states) :], strict=True))
        return OnnxState(states, np.arange(len(source))[:, None], memory, candidates)

    def step(self, previous: Ints, state: OnnxState, *, with_weights: bool = False) -> Step:
        """Run one position: previous (B, K) ids → log-probabilities (B, K, V or N) and the state after them."""
        names = [*self._outputs, "weights"] if with_weights else self._outputs
        self._products.need(previous)
        given: Mapping[str, Any] = dict(zip(_OWN_INPUTS, (self._products.rows, previous, state.rows), strict=True))
        log_probs, *found = self._step.run(names, {**given, **state.memory, **state.states})
        weights = found.pop() if with_weights else None
        states = {name: part.reshape(-1, part.shape[-1]) for name, part in zip(self._states, found, strict=True)}
        rows = np.arange(previous.size).reshape(previous.shape)
        after = OnnxState(states, rows, state.memory, state.candidates)
        return Step(log_probs, weights, after, state.candidates, normalized=True)


def _read_constants(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleError(f"{path} is damaged or cannot be read ({' '.join(str(error).split())[:200]})") from None


def _load(path: Path, constants: Mapping[str, bytes], threads: int, *, hoard: bool) -> onnxruntime.InferenceSession:
    """Load a graph; `hoard` lets it keep the memory it worked in, for what runs often."""
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
        graph = path.read_bytes()
        # A graph and the constants that it names, one after the other, are the whole graph: see nmt.runtime.graph.
        whole = b"".join([graph, *(constant for name, constant in constants.items() if name.encode() in graph)])
        return onnxruntime.InferenceSession(whole, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise BundleError(f"{path} is missing or cannot be read ({error.strerror})") from None
    except Exception as error:  # ONNX Runtime's own exceptions have no common class
        reason = " ".join(str(error).split())[:200]
        raise BundleError(f"{path} is damaged, or not for onnxruntime {onnxruntime.__version__} ({reason})") from None
