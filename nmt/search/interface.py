"""All that search knows of a model: two methods, a state, and what comes out of them.

Shapes: B sentences, K places of a beam, S source length, T target length, V vocabulary, N ids of a shortlist.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

# A torch tensor or a NumPy array: the kind the source has. Search never asks which; nmt.search.arrays does.
Array: TypeAlias = Any


class State(Protocol):
    """All that belongs to one decode, and nothing of it anywhere else; states are values, never changed in place.

    Rows are sentence-major and every sentence has the same number of places. What the source contributes
    (values, keys, mask) has one row a sentence, whatever the number of places, and only `keep` touches it.
    """

    def reorder(self, parents: Array, /) -> "State":
        """Take for place k of sentence b what was in its place `parents[b, k]`: (B, K') integers below K.

        K' may differ from K: the first step expands 1 → K, and a beam narrows as its hypotheses end.
        """

    def keep(self, sentences: Array, /) -> "State":
        """Stay with these sentences only: (B',) row numbers below B, ascending, without repeats."""


class Term(NamedTuple):
    """A term that the source of a sentence has."""

    positions: tuple[int, ...]
    """of the source, in which it stands"""
    forms: tuple[tuple[int, ...], ...]
    """target ids of each form that is allowed"""
    times: int = 1
    """how often it stands there"""


@dataclass(frozen=True)
class Constraints:
    """What the translation of one sentence has to keep to, in ids; made from a `nmt.translation.request.Request`."""

    prefix: tuple[int, ...] = ()
    """target ids that the translation begins with"""
    end: str = ""
    """what the tokens behind the prefix spell, which may go on: see nmt.search.prefix_end"""
    spelling: tuple[int, ...] = ()
    """ids that may spell it"""
    marks: tuple[int, ...] = ()
    """ids of the marks that the source has, for protected spans: each may come once, and no other at all"""
    requires_marks: bool = False
    """whether the translation may not end before it has them all"""
    terms: tuple[Term, ...] = ()
    """what shall be in the translation, see nmt.search.terms"""
    requires_terms: bool = False
    """whether the translation may not end before it has a form of each"""

    def forces(self, length: int) -> bool:
        """Tell whether the token behind a prefix of `length` tokens is given, so that no rule is asked about it."""
        return length < len(self.prefix)

    @property
    def needed(self) -> tuple[int, ...]:
        """Target ids that the model must score, whatever its shortlist holds."""
        terms = (i for term in self.terms for form in term.forms for i in form)
        return (*self.prefix, *self.spelling, *self.marks, *terms)

    @property
    def begun(self) -> int:
        """How many tokens the prefix and its end take at most."""
        return len(self.prefix) + len(self.end)

    @property
    def changes_scores(self) -> bool:
        """Tell whether a processor has anything to do with this sentence, see nmt.search.processors."""
        return bool(self.prefix or self.end or self.terms) or self.requires_marks


class StepLike(Protocol):
    """What `StepModel.step` returns, by its fields: `Step`, or a model's own tuple of the same names."""

    @property
    def logits(self) -> Array:
        """(B, K, V), see `Step`."""

    @property
    def weights(self) -> Array | None:
        """(B, K, S) or None, see `Step`."""

    @property
    def state(self) -> State:
        """The state after this position, still with K places a sentence."""

    @property
    def shortlist(self) -> Array | None:
        """(B, N) or None, see `Step`."""

    @property
    def normalized(self) -> bool:
        """See `Step`."""


class Step(NamedTuple):
    """One target position of every place, a ready-made `StepLike`."""

    logits: Array
    """(B, K, V), floating, never written into: log-probabilities where `normalized` says so, else search normalises."""
    weights: Array | None
    """(B, K, S) attention over the source, each row summing to one, where asked for; else None."""
    state: State
    """The state after this position, still with K places a sentence."""
    shortlist: Array | None = None
    """(B, N) the id of each column, where the model scores only N ids of each sentence; the logits are (B, K, N) then.
    A row has the sentence's own ids in any order, none twice, and -1 beyond them, where logits are -inf. None: column
    and id are the same. Rules and hypotheses speak of ids in both cases. Of equal continuations the one in the lower
    column comes first, so ascending ids give the order of a search without a shortlist."""
    normalized: bool = False
    """Whether the logits are log-probabilities already, in single precision at least. ONNX Runtime and torch take
    logsumexp in a third of the time that NumPy needs (one CPU thread), which is most of what search costs."""


class Taken(NamedTuple):
    """T positions that a model took by itself; all but the state on the host, as NumPy arrays."""

    tokens: npt.NDArray[np.int64]
    """(T, B, K) ids; ids behind the end of a sentence have no meaning"""
    parents: npt.NDArray[np.int64]
    """(T, B, K) the places before each position that those after it continue"""
    log_probs: npt.NDArray[np.float64]
    """(T, B, K) of the whole prefixes"""
    state: State
    """the state after the last position, its places those that were taken there"""


class MultiStep(Protocol):
    """Takes many positions at once, faster than step by step."""

    def __call__(
        self,
        previous: Array,
        state: Any,
        /,
        *,
        log_probs: npt.NDArray[np.float64],
        width: int,
        most: int,
        eos_id: int,
        ended: npt.NDArray[np.bool_],
        enough: int,
    ) -> Taken | None:
        """Do what as many steps do that each take the best continuations, from all places of a sentence, of all tokens.

        Of equals they take the one of the lowest place, then that in the lowest column.

        Args:
            previous: (B, K) tokens, as for `StepModel.step`.
            state: with K places a sentence; it is left as it was.
            log_probs: (B, K) of the prefixes, on the host, to which those of the tokens are added.
            width: how many continuations to take of each sentence, as long as none of them ends.
            most: take so many positions at most, 1 or more.
            eos_id: what ends a hypothesis.
            ended: (B,) bool, on the host: the sentences that have ended before and only wait.
            enough: take no further position once in so many sentences a hypothesis has ended, those included.

        Returns:
            one position or more; None where steps are as fast.
        """


class StepModel(Protocol):
    """A model that translates one target position at a time; an ensemble or an exported model is one more.

    A model with a shortlist chooses each sentence's ids in `start`, from that sentence alone; its states carry them.
    Parameters are positional here so that a model may give them names of its own.
    """

    @property
    def device(self) -> Any | None:
        """The torch device that its arrays lie on; None where they are NumPy arrays."""

    @property
    def multi_step(self) -> MultiStep | None:
        """What takes many positions at once; None where the model has only steps."""

    def start(self, source: Array, lengths: Array, constraints: Sequence[Constraints] | None = None, /) -> State:
        """Encode source ids (B, S) with their lengths (B,) into a state with one place a sentence.

        `constraints`, one a sentence, name ids that a shortlist must hold; None: there are none.
        """

    def step(self, previous: Array, state: Any, /, *, with_weights: bool = False) -> StepLike:
        """Read the previous tokens (B, K), `bos_id` at first, and score every next token of every place.

        `state` is one that this model's own `start`, `step`, `reorder` or `keep` made; it is left as it was.
        `with_weights` asks for the attention weights; a model without attention answers None all the same.
        """


@dataclass
class Hypothesis:
    """One translation of one sentence, with what the model thinks of it."""

    tokens: list[int]
    """Target ids, without BOS and without EOS."""
    log_prob: float
    """Natural logarithm of the model's probability of all tokens, EOS included if it is finished. Teacher-forced
    rescoring gives the same number, whatever rules the search kept to."""
    score: float
    """What ranks it, higher is better: `log_prob` and what processors added, normalised by length."""
    finished: bool
    """Whether it ended with EOS; False for one that was cut at its length limit."""
    weights: npt.NDArray[np.floating[Any]] | None = field(default=None, repr=False, compare=False)
    """(T, S) attention of each of the `tokens` over the sentence's own source positions, a NumPy array on the host. It
    has no padding and no row for EOS. None unless asked for."""
