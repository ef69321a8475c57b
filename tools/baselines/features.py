"""What a CRF without a network is told of each token: its word, affixes and shape, and its neighbours."""

from __future__ import annotations

from typing import Any

from nmt.text.words import split_tokens

_AFFIX = 3
"""The longest prefix and suffix."""


def features(line: str) -> list[dict[str, Any]]:
    """Describe each token of a line."""
    tokens = split_tokens(line)
    described = []
    for i, token in enumerate(tokens):
        own: dict[str, Any] = {"bias": 1.0, "first": i == 0, "last": i == len(tokens) - 1}
        for distance in (-1, 0, 1):
            if 0 <= i + distance < len(tokens):
                word = tokens[i + distance]
                own |= {f"{distance} word": word, f"{distance} lower": word.lower(), f"{distance} shape": shape(word)}
        for size in range(1, _AFFIX + 1):
            own |= {f"prefix {size}": token[:size], f"suffix {size}": token[-size:]}
        described.append(own)
    return described


def shape(word: str) -> str:
    """Write X for a capital, x for another letter, 0 for a digit; a run of one kind counts once."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])
