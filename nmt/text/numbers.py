"""Numbers of a source that its translation must have, in the ways in which languages write them.

Digits are compared, not their punctuation: 1,000.5 and 1.000,5 are one number. Some numbers may be written otherwise.
Small ones are words, hours of the afternoon may follow the clock of twelve, and large ones units of ten thousand.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_NUMBER = re.compile(r"\d+(?:[.,:'’\u00a0\u202f]\d+)*")
_SPACED = re.compile(r"(?<!\d)\d{1,3}(?: \d{3})+(?!\d)")
_GROUPED = re.compile(r"(\d{1,3})((?:[.,]\d{3})*)(?:([.,])(\d+))?")
_WORDS_UP_TO = 12
"""Numbers that are often written as words."""
_HOURS = range(13, 25)
_UNITS = {"万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8}
"""Powers of ten that stand behind a number."""
_DECIMAL_COMMA = frozenset(
    re.findall(
        r"\w+",
        "be bg ca cs da de el es et eu fi fr gl hr hu id is it lt lv mk nb nl nn no pl pt ro ru sk sl sq sr sv tr uk",
    )
)
"""Languages that write 1.000,5."""
_DECIMAL_POINT = frozenset(
    re.findall(r"\w+", "am bn en fa ga gu he hi ja ko mr ms my ne pa sw ta te th tl ur yo zh zu")
)
"""Languages that write 1,000.5."""


class Number(NamedTuple):
    """A number and where it stands: characters `start` to before `end`."""

    text: str
    start: int
    end: int


def missing_numbers(source: str, translation: str) -> list[Number]:
    """Find the numbers of a source that its translation lacks."""
    if not any(map(str.isdecimal, source)):
        return []
    written, groups = _written(translation)
    return [each for each in _numbers(source) if not _is_there(each, written, groups)]


def localised(number: str, *, source: str, target: str) -> str:
    """Write a number as another language does: 1,000.5 of English as 1.000,5 of German.

    It stays as it is where either language is unknown here, or where it is no grouped or decimal number.

    Args:
        number: as a text has it.
        source: language of that text, as in ``en`` or ``en_US``.
        target: the language to write it in.
    """
    languages = [re.split("[-_]", name.lower())[0] for name in (source, target)]
    swaps = [(a in _DECIMAL_COMMA and b in _DECIMAL_POINT) for a, b in (languages, languages[::-1])]
    if not any(swaps) or (not _GROUPED.fullmatch(number) and not re.fullmatch(r"\d+[.,]\d+", number)):
        return number
    return number.translate(str.maketrans(".,", ",."))


def _numbers(text: str) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        yield Number(match.group(), match.start(), match.end())


def _digits(text: str) -> str:
    """Return the digits of any script as those of ASCII."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else " " for c in text)


def _written(text: str) -> tuple[set[str], set[str]]:
    """List the numbers of a text without punctuation, those in large units multiplied out, and all groups of digits."""
    written: set[str] = set()
    groups: set[str] = set()
    written.update(match.group().replace(" ", "") for match in _SPACED.finditer(text))
    for number in _numbers(text):
        parts = _digits(number.text).split()
        groups.update(part.lstrip("0") or "0" for part in parts)
        written.add("".join(parts))
        power = _UNITS.get(text[number.end : number.end + 1])
        if power:
            whole, _, fraction = number.text.replace(",", "").partition(".")
            written.add(_digits(whole) + _digits(fraction).ljust(power, "0"))
    return written, groups


def _is_there(number: Number, written: set[str], groups: set[str]) -> bool:
    parts = _digits(number.text).split()
    if "".join(parts) in written or all((part.lstrip("0") or "0") in groups for part in parts):
        return True
    if len(parts[0]) > 2:
        return False
    value = int(parts[0])
    if len(parts) == 1 and value <= _WORDS_UP_TO:
        return True
    return (len(parts) == 1 or ":" in number.text) and value in _HOURS and str(value - 12) in groups
