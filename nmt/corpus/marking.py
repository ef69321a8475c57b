"""Marks put into training pairs at random: so a model learns to bring protected spans through, see nmt.text.spans.

Real text has few of them. A mark takes the place of a name that both sides write alike. Or it is put between words, at
about the same place on both sides.
"""

import re
from collections.abc import Callable, Sequence
from itertools import islice

from nmt.text.scripts import is_unspaced

Draw = Callable[[], float]
"""A random number from 0 to below 1."""

_NAME = re.compile(r"(?<!\w)(?:[^\W\d_a-z]\w+|\w*\d\w*|\w{5,})(?!\w)")
"""Words that both sides may write alike: names, numbers and long ones, not short words that mean something else."""
_ENDING = re.compile(r"[.!?。！？…]*$")
_SECOND, _THIRD = 0.4, 0.15
"""Shares of the pairs with a second mark, and with a third."""
_REPLACED = 0.5
"""Share of the marks that take a name's place, where there is one."""
_START, _END = 0.15, 0.35
"""Of the others: a number below the first begins the line with the mark, below the second ends it."""
_ATTACHED = 0.1
"""Share of the others that touch a word."""


def marked_pair(source: str, target: str, *, marks: str, draw: Draw) -> tuple[str, str]:
    """Put one to three marks into both sides of a pair, as `draw` says.

    Args:
        source: a line, perhaps with marks already.
        target: its translation.
        marks: to choose from; those that the pair has are left out.
        draw: the random numbers.
    """
    free = [mark for mark in marks if mark not in source and mark not in target]
    number = draw()
    for mark in islice(_shuffled(free, draw), 1 + (number < _SECOND) + (number < _THIRD)):
        names = _shared_names(source, target) if draw() < _REPLACED else []
        if names:
            name = names[int(draw() * len(names))]
            source, target = (_replaced(side, name, mark) for side in (source, target))
        else:
            source, target = _inserted((source, target), mark, draw)
    return source, target


def _shuffled(marks: Sequence[str], draw: Draw) -> list[str]:
    return [mark for _, mark in sorted((draw(), mark) for mark in marks)]


def _shared_names(source: str, target: str) -> list[str]:
    """List the words that stand on each side once."""
    there = _NAME.findall(target)
    here = _NAME.findall(source)
    return [name for name in here if here.count(name) == 1 == there.count(name)]


def _replaced(text: str, name: str, mark: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", mark, text, count=1)


def _inserted(sides: tuple[str, str], mark: str, draw: Draw) -> tuple[str, str]:
    """Put a mark into both sides: before, behind, or between words at about the same place."""
    place, inside, touches = draw(), draw(), draw() < _ATTACHED
    behind_ending = draw() < 0.5
    texts: list[str] = []
    for text in sides:
        unspaced = " " not in text.strip() and any(map(is_unspaced, text))
        space = "" if touches or unspaced else " "
        if place < _START:
            texts.append(f"{mark}{space}{text}")
        elif place < _END:
            end = len(text) if behind_ending else _ENDING.search(text).start()  # type: ignore[union-attr]
            texts.append(f"{text[:end]}{space}{mark}{text[end:]}")
        else:
            gaps = range(1, len(text)) if unspaced else [match.start() for match in re.finditer(" ", text)]
            at = gaps[int(inside * len(gaps))] if len(gaps) else len(text)
            texts.append(f"{text[:at]}{space}{mark}{text[at:]}")
    return texts[0], texts[1]
