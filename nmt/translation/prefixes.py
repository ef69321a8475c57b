"""Prefixes: the text that a translation begins with, as subwords for the search, and in front of what it found."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmt.search.interface import Constraints
from nmt.text.subwords import SPACE, SubwordModel
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line


def constraints_of(subwords: SubwordModel, prefix: str) -> Constraints:
    """Say what a prefix forces: its own best subwords, and a new word behind a space at its end.

    The last subword may end inside a word: what the search adds may continue it. Characters that the vocabulary lacks
    are left out; the model does not see them.
    """
    ids = tuple(each for each in subwords.encode(prefix) if each != subwords.unk_id)
    return Constraints(ids, word_follows=bool(ids) and prefix.endswith(" "))


def word_starts(subwords: SubwordModel) -> npt.NDArray[np.bool_]:
    """(V,) which ids may follow a space at the end of a prefix: the first subwords of words, and EOS."""
    begins = np.array([piece.startswith(SPACE) for piece in subwords.pieces])
    begins[subwords.eos_id] = True
    return begins


def added_text(subwords: SubwordModel, begun: Sequence[int], tokens: Sequence[int]) -> str:
    """Decode what stands behind the first subwords of a text, with the space before it if a new word follows them."""
    before, whole = subwords.decode(begun) if begun else "", subwords.decode(tokens)
    # Bytes of a character that is spelt in bytes read otherwise when more follow.
    return whole[len(before) :] if whole.startswith(before) else subwords.decode(tokens[len(begun) :])


def continued(subwords: SubwordModel, prefix: str, begun: Sequence[int], tokens: Sequence[int]) -> str:
    """Write a translation that begins with exactly its prefix.

    Args:
        subwords: of the target.
        prefix: as it was given.
        begun: the subwords that it forced.
        tokens: of the whole translation.
    """
    added = added_text(subwords, begun, tokens)
    return prefix + (added.removeprefix(" ") if prefix.endswith(" ") else added)


def without_source(request: Request) -> Translation:
    """Answer a line without a single subword: with its prefix alone, or with nothing."""
    return Translation([TextHypothesis(in_one_line(request.prefix), 0.0, 0.0, True, [])], id=request.id)


def unread(subwords: SubwordModel, prefix: str) -> list[str]:
    """Warn of characters of a prefix that the vocabulary lacks."""
    lacking = "".join(dict.fromkeys(subwords.unknown_characters(prefix))) if prefix else ""
    return [f"the model does not know characters of the prefix ({lacking[:10]!r}), and read past them"] * bool(lacking)
