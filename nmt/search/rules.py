"""Rules: what may be emitted. Every decoder asks them about the continuations of each step.

Shapes: B sentences, K places, T positions, M continuations over all sentences.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nmt.search.arrays import Bools, Continuations, Ints
from nmt.search.interface import Constraints


@dataclass
class Prefix:
    """What has been emitted before this step."""

    sentences: Ints
    """(B,) which rows of the caller's batch are still here, ascending. For those that have ended and wait it does not
    matter what they are allowed."""
    length: int
    """how many tokens every place has emitted, BOS not counted; all places move together"""
    read: Callable[[], Ints]
    """reads `tokens` from the back-pointers"""
    constraints: Sequence[Constraints] = ()
    """(B,) what each of these sentences is held to; empty: none is"""
    forced: Bools | None = None
    """(B,) the sentences whose next token is given, so that no rule is asked about it; None: none"""
    weights: npt.NDArray[np.floating[Any]] | None = None
    """(B, K, S) attention of this step, where a sentence has terms and the model attends; else None"""

    @cached_property
    def tokens(self) -> Ints:
        """(B, K, length), without BOS, on the host; read only if a rule asks."""
        return self.read()


class Rule(Protocol):
    """Forbids continuations, by their ids; it does not give their probability to others.

    A rule sees only continuations that are good enough to be chosen: search asks for more where it takes some away.
    `log_prob` remains the model's own of the same tokens.
    """

    def allowed(self, found: Continuations, prefix: Prefix) -> Bools | None:
        """Tell which continuations may be emitted, (M,); None: all of them, which saves work at nearly every step."""

    def allows_all(self, tokens: Ints, length: int) -> bool:
        """Tell whether many positions (T, B, K), after prefixes of `length` tokens, are beyond question."""

    def ids_at_risk(self, prefix: Prefix) -> Ints | None:
        """Name the ids that it may forbid at this step; None: any. Of others it need not be asked."""


def all_ids_at_risk(rules: Sequence[Rule], prefix: Prefix) -> Ints | None:
    """Name the ids that some rule may forbid at this step; None: any."""
    ids = [rule.ids_at_risk(prefix) for rule in rules]
    named = [each for each in ids if each is not None]
    return np.concatenate([np.empty(0, dtype=np.int64), *named]) if len(named) == len(ids) else None


def allowed_by(rules: Sequence[Rule], found: Continuations, prefix: Prefix) -> Bools | None:
    """(M,) what every rule allows; None: everything."""
    allowed: Bools | None = None
    for rule in rules:
        by_one = rule.allowed(found, prefix)
        if by_one is not None:
            allowed = by_one if allowed is None else allowed & by_one
    if allowed is not None and prefix.forced is not None:
        allowed = allowed | prefix.forced[found.sentences]
    return None if allowed is None or allowed.all() else allowed


class Forbidden:
    """Never emit these token ids: padding, BOS, control symbols."""

    def __init__(self, ids: Iterable[int]) -> None:
        forbidden = sorted(set(ids))
        # The last entry stands for all ids from there on.
        self._allowed = np.ones(max(forbidden, default=0) + 2, dtype=np.bool_)
        self._allowed[forbidden] = False
        self._last = len(self._allowed) - 1
        self._forbidden = np.array(forbidden, dtype=np.int64)

    def allowed(self, found: Continuations, prefix: Prefix) -> Bools | None:
        """See `Rule`."""
        return self._among(found.tokens)

    def allows_all(self, tokens: Ints, length: int) -> bool:
        """See `Rule`."""
        allowed = self._among(tokens)
        return allowed is None or bool(allowed.all())

    def ids_at_risk(self, prefix: Prefix) -> Ints | None:
        """See `Rule`."""
        return self._forbidden

    def _among(self, tokens: Ints) -> Bools | None:
        if tokens.min(initial=self._last) >= self._last:  # special symbols have the lowest ids: nearly always
            return None
        return np.asarray(self._allowed[np.minimum(tokens, self._last)])


class MinimumLength:
    """Do not end before so many tokens are emitted, EOS not counted; the length limit still cuts."""

    def __init__(self, tokens: int, *, eos_id: int) -> None:
        self._tokens, self._eos_id = tokens, eos_id

    def allowed(self, found: Continuations, prefix: Prefix) -> Bools | None:
        """See `Rule`."""
        if prefix.length >= self._tokens:
            return None
        return np.asarray(found.tokens != self._eos_id)

    def allows_all(self, tokens: Ints, length: int) -> bool:
        """See `Rule`."""
        return self._eos_id not in tokens[: max(0, self._tokens - length)]

    def ids_at_risk(self, prefix: Prefix) -> Ints | None:
        """See `Rule`."""
        return np.array([self._eos_id] if prefix.length < self._tokens else [], dtype=np.int64)


class OwnMarks:
    """Emit of the marks for protected spans only those of the source, `Constraints.marks`, and each once."""

    def __init__(self, ids: range) -> None:
        self._ids = ids

    def allowed(self, found: Continuations, prefix: Prefix) -> Bools | None:
        """See `Rule`."""
        marks = self._among(found.tokens)
        if not len(marks):
            return None
        allowed = np.ones(len(found.tokens), dtype=np.bool_)
        allowed[marks] = False
        for row in marks.tolist() if prefix.constraints else ():
            sentence, token = found.sentences[row], found.tokens[row]
            if token in prefix.constraints[sentence].marks:
                allowed[row] = token not in prefix.tokens[sentence, found.places[row]]
        return allowed

    def allows_all(self, tokens: Ints, length: int) -> bool:
        """See `Rule`; what the source has is not known here."""
        return not len(self._among(tokens.reshape(-1)))

    def ids_at_risk(self, prefix: Prefix) -> Ints | None:
        """See `Rule`."""
        return np.arange(self._ids.start, self._ids.stop)

    def _among(self, tokens: Ints) -> Ints:
        """Find the marks among tokens (M,): where they stand."""
        if tokens.min(initial=self._ids.stop) >= self._ids.stop:  # they have low ids: nearly always
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero((tokens >= self._ids.start) & (tokens < self._ids.stop))


class NoRepeatNgram:
    """Emit no sequence of `size` tokens, 1 or more, twice in one hypothesis; EOS is never in the way."""

    def __init__(self, size: int) -> None:
        self._size = size

    def allowed(self, found: Continuations, prefix: Prefix) -> Bools | None:
        """See `Rule`."""
        if prefix.length < self._size:
            return None
        ngrams = np.lib.stride_tricks.sliding_window_view(prefix.tokens, self._size, axis=2)  # (B, K, windows, size)
        begun = prefix.tokens[:, :, None, prefix.length - self._size + 1 :]  # (B, K, 1, size - 1)
        # Few places have an n-gram that may recur. Of these alone the tokens are compared.
        recurring = (ngrams[..., :-1] == begun).all(-1)  # (B, K, windows)
        rows = np.flatnonzero(recurring.any(2)[found.sentences, found.places])  # of the M
        at = found.sentences[rows], found.places[rows]
        again = (recurring[at] & (ngrams[..., -1][at] == found.tokens[rows, None])).any(1)
        allowed = np.ones(len(found.tokens), dtype=np.bool_)
        allowed[rows[again]] = False
        return allowed

    def allows_all(self, tokens: Ints, length: int) -> bool:
        """See `Rule`; what came before is not known here."""
        return False

    def ids_at_risk(self, prefix: Prefix) -> Ints | None:
        """See `Rule`."""
        return np.empty(0, dtype=np.int64) if prefix.length < self._size else None
