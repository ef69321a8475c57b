"""The words of raw text: letters, digits and other characters apart.

Letters that follow each other are a word, and so are digits. Every other character is a word by itself. So is a letter
of a script without spaces between words, such as Chinese, Japanese and Thai. Combining marks and invisible format
characters stay with what they follow. White space parts words and is none.
"""

import functools
import re
import unicodedata

from nmt.text.scripts import CHINESE, KANA, OTHERS

_WITHOUT_SPACES = re.compile(f"[{KANA}{CHINESE}{OTHERS}]")
_SPACE, _LETTER, _DIGIT, _MARK, _SINGLE = range(5)


def tokenize(line: str) -> list[str]:
    """Cut a line into its words; words that spaces part are the same words again."""
    tokens: list[str] = []
    before = _SPACE
    for character in line:
        kind = _kind(character)
        if kind == _MARK and before != _SPACE:
            tokens[-1] += character
            continue
        if kind in (_LETTER, _DIGIT) and kind == before:
            tokens[-1] += character
        elif kind != _SPACE:
            tokens.append(character)
        before = kind
    return tokens


@functools.lru_cache(maxsize=1 << 14)
def _kind(character: str) -> int:
    """Tell what a character does to the word before it."""
    if character.isspace():
        return _SPACE
    category = unicodedata.category(character)
    if category[0] == "M" or category == "Cf":
        return _MARK
    if _WITHOUT_SPACES.match(character):
        return _SINGLE
    return {"L": _LETTER, "N": _DIGIT}.get(category[0], _SINGLE)
