"""Lines as people write them: in capitals, with typing errors, with spaces amiss; and lines that are to be copied.

A model that has seen no such line in training translates it badly (Belinkov & Bisk 2018, "Synthetic and Natural Noise
Both Break Neural Machine Translation"). Each function draws what it changes from `draw`.
"""

import re
import string
from collections.abc import Callable, Sequence
from functools import cache

Draw = Callable[[], float]
"""A random number from 0 to below 1."""
Capitals = dict[int, str]
"""For `str.translate`: the capitals of letters."""

WORD = re.compile(r"(?<!\w)[^\W\d_]{3,}(?!\w)")
"""What may have a typing error, and what a space may divide."""

_TYPING_ERRORS = 0.15
"""Share of the words of a line with typing errors that have one; one word at least has."""
_SPACES = 0.1
"""Share of the places of a line where a space may be amiss; it is in one place at least."""
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_FIRST_LETTER = re.compile(r"(?<![\w'’])[^\W\d_]")
_MOST_WORDS, _MOST_CHARACTERS = 6, 10
"""Of a line of noise."""


@cache
def capitals(characters: frozenset[str] | None) -> Capitals:
    """Map letters to their capitals, where `characters` has these; None: all of Unicode's basic plane is there.

    A capital that no subword spells would be unknown to the model, so that such a letter stays as it is.
    """
    letters = characters if characters is not None else _letters()
    return {
        ord(letter): letter.upper()
        for letter in letters
        if letter.upper() != letter and (characters is None or characters.issuperset(letter.upper()))
    }


@cache
def _letters() -> frozenset[str]:
    return frozenset(letter for letter in map(chr, range(1 << 16)) if letter.islower())


def has_case(text: str) -> bool:
    """Whether most letters of a text have capitals."""
    letters = [letter.upper() != letter.lower() for letter in text if letter.isalpha()]
    return 2 * sum(letters) > len(letters)


def titled(text: str, table: Capitals) -> str:
    """Begin every word with a capital."""
    return _FIRST_LETTER.sub(lambda match: match[0].translate(table), text)


def with_typos(text: str, draw: Draw) -> str:
    """Put typing errors into words of letters: swapped, left out, doubled, or mistaken for a neighbouring key."""
    return _with_changed_words(text, with_typo, _TYPING_ERRORS, draw)


def with_typo(word: str, draw: Draw) -> str:
    """Put a typing error into a word; the letters that it swaps may be equal."""
    kind, at = int(draw() * 4), int(draw() * len(word))
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    neighbours = _neighbours(word[at])
    if kind == 2 and neighbours:
        return word[:at] + neighbours[int(draw() * len(neighbours))] + word[at + 1 :]
    at = min(at, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _neighbours(letter: str) -> str:
    """List the keys to the left and the right of a letter's, in its case; none beyond the Latin alphabet."""
    for row in _KEYBOARD:
        place = row.find(letter.lower())
        if place >= 0:
            keys = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            return keys.upper() if letter.isupper() else keys
    return ""


def with_merged_words(text: str, draw: Draw) -> str:
    """Leave out spaces between words."""
    spaced_words = text.split(" ")
    missing = set(_some(range(1, len(spaced_words)), _SPACES, draw))
    return "".join(word if i in missing or not i else f" {word}" for i, word in enumerate(spaced_words))


def with_split_words(text: str, draw: Draw) -> str:
    """Divide words of letters by spaces."""
    return _with_changed_words(text, _split, _SPACES, draw)


def _split(word: str, draw: Draw) -> str:
    at = 1 + int(draw() * (len(word) - 1))
    return f"{word[:at]} {word[at:]}"


def _with_changed_words(text: str, change: Callable[[str, Draw], str], share: float, draw: Draw) -> str:
    """Change a share of the words of letters, and one at least; neither numbers nor marks for protected spans."""
    matches = list(WORD.finditer(text))
    for i in reversed(_some(range(len(matches)), share, draw)):
        start, end = matches[i].span()
        text = text[:start] + change(text[start:end], draw) + text[end:]
    return text


def _some(places: Sequence[int], share: float, draw: Draw) -> list[int]:
    """Choose a share of places, and one at least where there is any."""
    if not places:
        return []
    surely = places[int(draw() * len(places))]
    return [place for place in places if (draw() < share) or place == surely]


def noise_line(characters: Sequence[str], draw: Draw) -> str:
    """Draw a line of random words of these characters, one at least."""
    word_count = 1 + int(draw() * _MOST_WORDS)
    lengths = [1 + int(draw() * _MOST_CHARACTERS) for _ in range(word_count)]
    return " ".join("".join(characters[int(draw() * len(characters))] for _ in range(length)) for length in lengths)


def noise_characters(*sides: frozenset[str] | None) -> list[str]:
    """List the letters, digits and signs of ASCII that the subwords of all sides spell; None: they spell all."""
    signs = string.ascii_letters + string.digits + string.punctuation
    return [sign for sign in signs if all(side is None or sign in side for side in sides)]
