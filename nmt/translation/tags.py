"""Tags: the control symbol before a source, by its number or by the name that the bundle has for it."""

from collections.abc import Mapping

from nmt.errors import ConfigError

TAGS = range(-1, 16)
"""None at all, and the control symbols that every subword model reserves."""


def check_tag(tag: int | str) -> None:
    """Raise ConfigError where a number is no tag's; a name may be any."""
    if not isinstance(tag, str) and tag not in TAGS:
        raise ConfigError(f"tag {tag} is not possible: it must be between 0 and {TAGS[-1]}, or -1 for none")


def tag_number(tag: int | str, names: Mapping[str, int]) -> int:
    """Find the number of a tag.

    Args:
        tag: its number, or its name.
        names: those of the bundle.

    Raises:
        ConfigError: the number is impossible, or there is no such name.
    """
    check_tag(tag)
    if not isinstance(tag, str):
        return tag
    if tag in names:
        return names[tag]
    advice = f"take one of {', '.join(names)}" if names else f"the model has no names, take a number (0 to {TAGS[-1]})"
    raise ConfigError(f"there is no tag {tag!r}: {advice}, or -1 for none")
