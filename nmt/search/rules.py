"""What may be emitted: rules that any decoder asks about the candidates of each step.

A rule is a callable (possible continuations, tokens so far) → which of them are allowed; see
nmt.search.candidates.Rule.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nmt.errors import ConfigError
from nmt.search.arrays import Bools, Continuations
from nmt.search.candidates import Prefix, Rule


def forbid(ids: Iterable[int]) -> Rule:
    """Never emit these token ids: padding, BOS, control symbols."""
    forbidden = sorted(set(ids))
    # The last entry stands for all ids from there on.
    allowed = np.ones(max(forbidden, default=0) + 2, dtype=np.bool_)
    allowed[forbidden] = False
    last = len(allowed) - 1

    def rule(found: Continuations, prefix: Prefix) -> Bools | None:
        if found.tokens.min(initial=last) >= last:  # special symbols have the lowest ids: nearly always
            return None
        return np.asarray(allowed[np.minimum(found.tokens, last)])

    return rule


def minimum_length(tokens: int, *, eos_id: int) -> Rule:
    """Do not end before so many tokens are emitted, EOS not counted; the length limit still cuts."""

    def rule(found: Continuations, prefix: Prefix) -> Bools | None:
        if prefix.length >= tokens:
            return None
        return np.asarray(found.tokens != eos_id)

    return rule


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
