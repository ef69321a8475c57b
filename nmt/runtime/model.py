"""A step model on NumPy arrays: graphs that ONNX Runtime computes.

Shapes: B sentences, K places, S source length, V vocabulary. N ids of a shortlist, C of all sentences together. R rows
of the states, P products of embeddings, G·H gates of the decoder's first layer.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.errors import BundleError
from nmt.runtime.lexicon import lay_out, offered
from nmt.runtime.pointer import copyable
from nmt.runtime.sessions import Later, Session, load, parts_of, read, read_constants
from nmt.search.interface import Constraints, MultiStep, Step, Taken
from nmt.text.shortlist import Shortlist, pooled

Ints = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

_OWN_INPUTS = ("products", "embedded", "rows")
"""What a step reads beside memory and states: products of embeddings, each place's row of these and of the states."""

_MULTI_STEP = ("greedy", "beam")
"""The graphs of many positions, by the names that they have among the constants."""

_POOL = ("output_weight", "output_scales", "output_bias")
"""What an encoder picks for all sentences together, of what the shortlist names."""

_TRANSLATIONS = ("translations", "chances")
"""The encoder's outputs that `nmt.runtime.lexicon` lays out."""

_COPIED = "copied"
"""The encoder's output that `nmt.runtime.pointer` lays out."""

_FEW_SCORES = 3 * 2**14
"""Above this many scores a step, times the beam's width, single steps are as fast. NumPy's top-k is faster there than
the graph's (docs/decisions/multi-step-graphs.md)."""

_LIKELY = 8
"""Translations of each source token whose products are made in advance. Graphs with a loop stop at any other token
(docs/decisions/multi-step-graphs.md)."""

_KEPT_BYTES = 2**26
"""The most that the products of embeddings may take. Where all tokens of a vocabulary need less, each is computed
once."""


class OnnxState(NamedTuple):
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
    pool: Arrays
    """the outputs that any of the batch's sentences may use; nothing without a shortlist"""
    shortlist: Ints | None
    """(B, N) the ids that each sentence may use, padded with -1; None without a shortlist"""

    def reorder(self, parents: Ints) -> OnnxState:
        """Give every place the state of its parent: parents (B, K'), places inside each sentence."""
        return self._replace(rows=self.rows[np.arange(len(parents))[:, None], parents])

    def keep(self, sentences: Ints) -> OnnxState:
        """Keep the given sentences, (B',)."""
        memory = {name: part[sentences] for name, part in self.memory.items()}
        shortlist = None if self.shortlist is None else self.shortlist[sentences]
        return OnnxState(self.states, self.rows[sentences], memory, self.pool, shortlist)


class _Table(NamedTuple):
    """Products of embeddings; rows that are filled never change."""

    rows: npt.NDArray[Any]
    """(P, G·H); the system gives memory page by page, as rows are written"""
    places: npt.NDArray[np.int64]
    """(V,) the row of each token, -1 for one that is not known"""


class _Products:
    """What the decoder's first layer reads of each token's embedding, computed when the token first occurs.

    Threads may share it: a row is written before it is told, and a table that is full is replaced, not changed.
    """

    def __init__(self, session: Session, *, vocabulary: int) -> None:
        (made,) = session.outputs
        self._session, self._vocabulary, self._width = session, vocabulary, int(made.shape[1])
        self._kind = np.dtype(np.float16 if made.type == "tensor(float16)" else np.float32)
        self._lock, self._taken = threading.Lock(), 0
        self._table = self._empty(1)

    def find(self, tokens: Ints) -> tuple[_Table, Ints]:
        """Find the products of tokens (B, K): a table of them, and the row of each token in it, (B, K)."""
        table = self._table
        places = table.places[tokens]
        if places.min() >= 0:
            return table, places
        with self._lock:
            table = self._with(tokens)
            return table, table.places[tokens]

    def _with(self, tokens: Ints) -> _Table:
        """Compute what is missing; where that does not fit, a new table begins with these tokens."""
        missing = np.unique(tokens[self._table.places[tokens] < 0])
        if self._taken + len(missing) > len(self._table.rows):
            missing = np.unique(tokens)
            self._table, self._taken = self._empty(len(missing)), 0
        new = np.arange(self._taken, self._taken + len(missing))
        [self._table.rows[new]] = self._session.run(["products"], {"tokens": missing})
        self._table.places[missing] = new
        self._taken += len(missing)
        return self._table

    def _empty(self, least: int) -> _Table:
        fitting = _KEPT_BYTES // (self._width * self._kind.itemsize)
        rows = np.empty((max(least, min(fitting, self._vocabulary)), self._width), dtype=self._kind)
        return _Table(rows, np.full(self._vocabulary, -1))


class OnnxModel:
    """A model that `nmt-export` wrote; nothing of a decode is kept on it, and threads may share it."""

    device = None
    """It computes on NumPy arrays."""

    def __init__(
        self,
        *,
        encoder: Path,
        embedding: Path,
        step: Path,
        constants: Path,
        vocabulary: int,
        shortlist: Shortlist | None = None,
        threads: int = 1,
    ) -> None:
        """Load the graphs.

        Args:
            encoder: the graph that reads sources.
            embedding: the graph of what a token contributes to a position.
            step: the graph of one target position.
            constants: the large constants of all of them, with the graphs of many positions.
            vocabulary: V of the target.
            shortlist: what a translation may be made of, for graphs that were built for one.
            threads: of the CPU.

        Raises:
            BundleError: a file is missing or damaged, or not for this version of ONNX Runtime.
        """
        outside = read_constants(constants)
        multi_step = [outside.pop(name, b"") for name in _MULTI_STEP]
        if not all(multi_step):
            raise BundleError(f"{constants} was exported by an nmt that lays graphs out in another way")
        self._encoder, embeddings = (
            load(path, parts_of(read(path), outside), threads, hoard=False) for path in (encoder, embedding)
        )
        self._step = load(step, parts_of(read(step), outside), threads, hoard=True)
        self._greedy, self._beam = (
            Later(partial(load, constants, parts_of(graph, outside), threads, hoard=True)) for graph in multi_step
        )
        self._shortlist = shortlist
        after = [value.name for value in self._step.outputs]
        self._states = [name.removeprefix("next_") for name in after if name.startswith("next_")]
        outputs = [value.name for value in self._encoder.outputs if value.name not in self._states]
        self._translations = [name for name in outputs if name in _TRANSLATIONS]
        self._pool = [name for name in outputs if name in _POOL]
        self._copied = [name for name in outputs if name == _COPIED]
        self._memory = [name for name in outputs if name not in (*_TRANSLATIONS, *_POOL, _COPIED)]
        listed = {"columns", *self._pool} if shortlist else set()
        lexical = ("lexical", "words")[: 1 if shortlist else 2] if self._translations else ()
        copies = ("copy_columns", "copy_places") if self._copied else ()
        self._vocabulary = vocabulary
        self._outputs = ["log_probs", *(f"next_{name}" for name in self._states)]
        optional_inputs = {value.name for value in self._encoder.inputs} - {"source", "lengths"}
        if bool(optional_inputs) != (shortlist is not None):
            raise BundleError(f"{encoder} and the bundle's shortlist do not belong together")
        self._last = [f"last_{name}" for name in self._states]
        expected = {*_OWN_INPUTS, *self._memory, *listed, *lexical, *copies, *self._states}
        reads = {value.name for value in self._step.inputs}
        if reads != expected or self._outputs[0] not in after:
            raise BundleError(f"{step} was exported by an nmt that lays graphs out in another way")
        self._products = _Products(embeddings, vocabulary=vocabulary)

    @property
    def multi_step(self) -> MultiStep:
        """What takes many positions at once, see `nmt.search.interface.StepModel`."""
        return self.take_steps

    def start(self, source: Ints, lengths: Ints, constraints: Sequence[Constraints] | None = None) -> OnnxState:
        """Read the sources: source (B, S) ids with EOS, lengths (B,) → a state with one place a sentence.

        What `constraints` need is added to their sentences' shortlists.
        """
        inputs: Arrays = {"source": source, "lengths": lengths}
        memory: Arrays = {}
        shortlist = None
        if self._shortlist is not None:
            needed = [each.needed for each in constraints or ()]
            shortlist = self._shortlist.ids(source, lengths, needed=needed)
            inputs["pool"], columns = pooled(shortlist, self._vocabulary)
            memory["columns"] = columns[:, None]
        names = [*self._states, *self._memory, *self._pool, *self._translations, *self._copied]
        arrays = dict(zip(names, self._encoder.run(names, inputs), strict=True))
        states, pool = ({name: arrays[name] for name in some} for some in (self._states, self._pool))
        memory |= {name: arrays[name] for name in self._memory}
        if self._translations:
            self._products.find(arrays["translations"][:, :, :_LIKELY])  # what is missing of these, in one run
            memory |= self._lexical(arrays["translations"], arrays["chances"], shortlist)
        if self._copied:
            self._products.find(arrays[_COPIED])
            memory |= copyable(arrays[_COPIED], shortlist, self._vocabulary)
        return OnnxState(states, np.arange(len(source))[:, None], memory, pool, shortlist)

    def step(self, previous: Ints, state: OnnxState, *, with_weights: bool = False) -> Step:
        """Run one position: previous (B, K) ids → log-probabilities (B, K, V or N) and the state after them."""
        names = [*self._outputs, "weights"] if with_weights else self._outputs
        log_probs, *found = self._step.run(names, self._given(previous, state)[1])
        weights = found.pop() if with_weights else None
        return Step(log_probs, weights, self._after(previous, state, found), state.shortlist, normalized=True)

    def take_steps(
        self,
        previous: Ints,
        state: OnnxState,
        *,
        log_probs: npt.NDArray[np.float64],
        width: int,
        most: int,
        eos_id: int,
        ended: npt.NDArray[np.bool_],
        enough: int,
    ) -> Taken | None:
        """Run positions in a graph that has a loop over them, see `nmt.search.interface.MultiStep`.

        None for a beam of several sentences, because one of them soon ends. None too above `_FEW_SCORES`, where single
        steps are as fast.
        """
        sentences, places = previous.shape
        columns = self._vocabulary if state.shortlist is None else state.shortlist.shape[1]
        is_greedy = places == width == 1
        if (
            sentences * width * columns > _FEW_SCORES
            or width > columns
            or not (is_greedy or (sentences == enough == 1))
        ):
            return None
        table, given = self._given(previous, state)
        given |= {"places": table.places, "most": np.array(most), "eos_id": np.array(eos_id)}
        if state.shortlist is not None:
            given["candidates"] = state.shortlist[:, None]
        if is_greedy:
            given |= {"first_ended": ended[:, None], "enough": np.array(enough)}
            *found, tokens, gains = self._greedy.run([*self._last, "all_token", "all_log_prob"], given)
            gains = np.concatenate([log_probs[None], gains[..., 0]])  # in double precision
            return Taken(tokens, np.zeros_like(tokens), gains.cumsum(0)[1:], self._after(tokens[-1], state, found))
        given |= {"first_so_far": log_probs, "width": np.array([width])}
        *found, tokens, parents, totals = self._beam.run(
            [*self._last, "all_token", "all_parent", "all_log_prob"], given
        )
        return Taken(tokens, parents, totals, self._after(tokens[-1], state, found))

    def _given(self, previous: Ints, state: OnnxState) -> tuple[_Table, Arrays]:
        """Collect what a step reads, and the table that it finds the products of embeddings in."""
        table, embedded = self._products.find(previous)
        inputs = dict(zip(_OWN_INPUTS, (table.rows, embedded, state.rows), strict=True))
        return table, {**inputs, **state.memory, **state.pool, **state.states}

    def _after(self, previous: Ints, state: OnnxState, found: list[npt.NDArray[Any]]) -> OnnxState:
        """Make the state after `previous` (B, K) of the states (B, K, ·) that were found."""
        states = {name: part.reshape(-1, part.shape[-1]) for name, part in zip(self._states, found, strict=True)}
        return state._replace(states=states, rows=np.arange(previous.size).reshape(previous.shape))

    def _lexical(self, translations: Ints, chances: npt.NDArray[Any], shortlist: Ints | None) -> Arrays:
        """Lay out what the lexicon says for the steps: by the ids of a shortlist, or by words of its own."""
        if shortlist is not None:
            return {"lexical": lay_out(translations, chances, shortlist, self._vocabulary)}
        word_ids = offered(translations, self._vocabulary)
        return {"lexical": lay_out(translations, chances, word_ids, self._vocabulary), "words": word_ids}
