"""What may be emitted: rules that any decoder applies to the log-probabilities of each step.

A rule is a callable (log_probs, tokens so far) → log_probs, see nmt.search.candidates.Rule. It takes tokens away by
setting them to -inf; the rest keeps its log-probability.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nmt.errors import ConfigError
from nmt.search.arrays import operations_for
from nmt.search.candidates import Prefix, Rule
from nmt.search.interface import Array


def forbid(ids: Iterable[int]) -> Rule:
    """Never emit these token ids: padding, BOS, control symbols."""
    forbidden = np.array(sorted(set(ids)), dtype=np.int64)

    def rule(log_probs: Array, prefix: Prefix) -> Array:
        return operations_for(log_probs).exclude(log_probs, forbidden)

    return rule


def minimum_length(tokens: int, *, eos_id: int) -> Rule:
    """Do not end before so many tokens are emitted, EOS not counted; the length limit still cuts."""
    end = np.array([eos_id], dtype=np.int64)

    def rule(log_probs: Array, prefix: Prefix) -> Array:
        return operations_for(log_probs).exclude(log_probs, end) if prefix.length < tokens else log_probs

    return rule


def no_repeat_ngram(size: int) -> Rule:
    """Emit no sequence of `size` tokens twice in one hypothesis; EOS is never in the way.

    Raises:
        ConfigError: size is below 1.
    """
    if size < 1:
        raise ConfigError(f"no_repeat_ngram is {size}; give the n-grams 1 token or more, or leave the rule out")

    def rule(log_probs: Array, prefix: Prefix) -> Array:
        if prefix.length < size:
            return log_probs
        # (B, K, T) → every n-gram so far (B, K, T - size + 1, size); those that begin as the next would may not recur
        ngrams = np.lib.stride_tricks.sliding_window_view(prefix.tokens, size, axis=-1)
        begun = prefix.tokens[:, :, None, prefix.length - size + 1 :]
        sentences, places, positions = np.nonzero((ngrams[..., :-1] == begun).all(-1))
        repeats = ngrams[sentences, places, positions, -1]
        return operations_for(log_probs).exclude_at(log_probs, sentences, places, repeats)

    return rule
