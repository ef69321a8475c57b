"""What may be emitted: rules that any decoder asks about the candidates of each step.

A rule is a callable (possible continuations, tokens so far) → which of them are allowed; see
nmt.search.candidates.Rule. One that can tell more cheaply that it has nothing against many positions at once does so in
a method `allows_all`; see nmt.search.candidates.in_question.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nmt.errors import ConfigError
from nmt.search.arrays import Bools, Continuations, Ints
from nmt.search.candidates import Prefix, Rule


def forbid(ids: Iterable[int]) -> Rule:
    """Never emit these token ids: padding, BOS, control symbols."""
    return _Forbidden(ids)


def minimum_length(tokens: int, *, eos_id: int) -> Rule:
    """Do not end before so many tokens are emitted, EOS not counted; the length limit still cuts."""
    return _MinimumLength(tokens, eos_id)


class _Forbidden:
    def __init__(self, ids: Iterable[int]) -> None:
        forbidden = sorted(set(ids))
        # The last entry stands for all ids from there on.
        self._allowed = np.ones(max(forbidden, default=0) + 2, dtype=np.bool_)
        self._allowed[forbidden] = False
        self._last = len(self._allowed) - 1

    def __call__(self, found: Continuations, prefix: Prefix) -> Bools | None:
        return self._among(found.tokens)

    def allows_all(self, tokens: Ints, length: int) -> bool:
        allowed = self._among(tokens)
        return allowed is None or bool(allowed.all())

    def _among(self, tokens: Ints) -> Bools | None:
        if tokens.min(initial=self._last) >= self._last:  # special symbols have the lowest ids: nearly always
            return None
        return np.asarray(self._allowed[np.minimum(tokens, self._last)])


class _MinimumLength:
    def __init__(self, tokens: int, eos_id: int) -> None:
        self._tokens, self._eos_id = tokens, eos_id

    def __call__(self, found: Continuations, prefix: Prefix) -> Bools | None:
        if prefix.length >= self._tokens:
            return None
        return np.asarray(found.tokens != self._eos_id)

    def allows_all(self, tokens: Ints, length: int) -> bool:
        return self._eos_id not in tokens[: max(0, self._tokens - length)]


def no_repeat_ngram(size: int) -> Rule:
    """Emit no sequence of `size` tokens twice in one hypothesis; EOS is never in the way.

    Raises:
        ConfigError: size is below 1.
    """
    if size < 1:
        raise ConfigError(f"no_repeat_ngram is {size}; give the n-grams 1 token or more, or leave the rule out")

    def rule(found: Continuations, prefix: Prefix) -> Bools | None:
        if prefix.length < size:
            return None
        so_far = prefix.tokens[found.sentences, found.places]  # (M, T)
        ngrams = np.lib.stride_tricks.sliding_window_view(so_far, size, axis=1)  # (M, T - size + 1, size)
        begun = so_far[:, None, prefix.length - size + 1 :]  # (M, 1, size - 1)
        recurs = (ngrams[..., :-1] == begun).all(-1) & (ngrams[..., -1] == found.tokens[:, None])
        return np.asarray(~recurs.any(1))

    return rule
