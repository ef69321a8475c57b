"""English inflection: articles and verbs."""

from __future__ import annotations

from words import DOUBLING


def article(following: str) -> str:
    """Choose "a" or "an" by the sound of the next word."""
    return "an" if following[0] in "aeiou" else "a"


def third_person(base: str) -> str:
    """Third person singular: "go" → "goes", "carry" → "carries", "run" → "runs"."""
    if base == "have":
        return "has"
    if base.endswith(("s", "x", "ch", "sh", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + "s"


def progressive(base: str) -> str:
    """Build the -ing form: "write" → "writing", "run" → "running", "see" → "seeing"."""
    if base.endswith("e") and not base.endswith("ee"):
        return base[:-1] + "ing"
    return base + (base[-1] if base in DOUBLING else "") + "ing"


def be(*, past: bool, first: bool, plural: bool) -> str:
    """Forms of "be": "I am", "she was", "they are"."""
    if past:
        return "were" if plural else "was"
    return "are" if plural else "am" if first else "is"
