"""What a sampler draws from: the processed scores of one position, without what is forbidden, cut to the likeliest.

Shapes: B sentences, K places, V columns of the logits (the vocabulary, or N ids of a shortlist).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.search.arrays import Continuations, Floats, Ints
from nmt.search.rules import Prefix, Rule, all_ids_at_risk, allowed_by


@dataclass(frozen=True)
class Sampling:
    """How outputs are drawn. Temperature comes first, then the likeliest k, then the likeliest with a share p."""

    temperature: float = 1.0
    """above 0; scores are divided by it: below 1 the likely becomes likelier"""
    top_k: int = 0
    """only so many of the likeliest tokens are drawn from; 0: all"""
    top_p: float = 1.0
    """only the likeliest tokens that together have this probability (Holtzman et al. 2020, "The Curious Case of Neural
    Text Degeneration", section 3.1); 1: all"""
    seed: int = 1
    """of the random numbers"""


def forbid(scores: Floats, ids: Ints | None, rules: Sequence[Rule], prefix: Prefix) -> None:
    """Set to -inf what the rules forbid.

    Args:
        scores: (B, K, V), written into.
        ids: (B, V) the id of each column; None: column and id are the same.
        rules: what may be emitted.
        prefix: what has been emitted.
    """
    at_risk = all_ids_at_risk(rules, prefix)
    if at_risk is None:
        sentences, slots, columns = np.nonzero(scores > -np.inf)
    else:
        # Few ids of a vocabulary: all others need not be looked at.
        is_at_risk = np.isin(np.arange(scores.shape[2]) if ids is None else ids, at_risk)
        rows, risky = np.nonzero(np.broadcast_to(is_at_risk, (len(scores), scores.shape[2])))
        chosen, slots = np.nonzero(scores[rows, :, risky] > -np.inf)
        sentences, columns = rows[chosen], risky[chosen]
    tokens = columns if ids is None else ids[sentences, columns]
    continuations = Continuations(sentences, slots, tokens, scores[sentences, slots, columns])
    allowed = allowed_by(rules, continuations, prefix)
    if allowed is not None:
        scores[sentences[~allowed], slots[~allowed], columns[~allowed]] = -np.inf


def probabilities(scores: Floats, sampling: Sampling) -> Floats:
    """Turn scores into what is drawn from: (B, K, V) → (B, K, V), each row summing to one, or all zero if it is -inf.

    With s for scores and t for the temperature, p_v = exp(s_v / t) / Σ_w exp(s_w / t). Of these the k largest stay, and
    then the fewest of the largest whose sum is at least top_p. Of equals the one in the lower column counts as larger.
    """
    peaks = scores.max(-1, keepdims=True)
    weights = np.asarray(scores - np.where(peaks > -np.inf, peaks, 0.0))
    weights /= sampling.temperature
    np.exp(weights, out=weights)
    if sampling.top_k or sampling.top_p < 1:
        order = np.argsort(-weights, axis=-1, kind="stable")
        ranked = np.take_along_axis(weights, order, -1)
        if sampling.top_k:
            ranked[..., sampling.top_k :] = 0
        before = np.cumsum(ranked, -1) - ranked
        ranked[before >= sampling.top_p * ranked.sum(-1, keepdims=True)] = 0
        weights = np.zeros_like(weights)
        np.put_along_axis(weights, order, ranked, -1)
    sums = weights.sum(-1, keepdims=True)
    weights /= np.where(sums > 0, sums, 1.0)
    return weights


def draw_sampled(scores: Floats, sampling: Sampling, uniforms: Floats) -> Ints:
    """Draw a column for every place from processed scores: (B, K, V), numbers in [0, 1) (B, K) → (B, K)."""
    # One sentence after the other, whose numbers stay in the processor's cache.
    rows = (slice(row, row + 1) for row in range(len(scores)))
    return np.concatenate([draw(probabilities(scores[row], sampling), uniforms[row]) for row in rows])


def draw(shares: Floats, uniforms: Floats) -> Ints:
    """Draw a column for every place, by the inverse of its distribution: (B, K, V), numbers in [0, 1) (B, K) → (B, K).

    A place's column depends on its own row and number alone; what has no share is never drawn.
    """
    sums = shares.cumsum(-1)
    return np.asarray((sums > uniforms[..., None] * sums[..., -1:]).argmax(-1))
