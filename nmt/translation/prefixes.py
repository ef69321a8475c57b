"""Prefixes: the text that a translation begins with, as subwords for the search, and in front of what it found."""

from collections.abc import Sequence

from nmt.search.interface import Constraints
from nmt.search.prefix_end import PrefixEnd
from nmt.text.subwords import MARKS, SPACE, SubwordModel
from nmt.translation.request import Request, TextHypothesis, Translation, in_one_line

_FREE_SUBWORDS = 4
"""Subwords of the last word of a prefix that may be others, if they spell the same; all text is one word in some
languages."""


class PrefixReader:
    """Says what prefixes force."""

    def __init__(self, subwords: SubwordModel) -> None:
        """Read prefixes in these subwords."""
        self._subwords = subwords
        self.end = PrefixEnd(self._spelt, space=SPACE, eos_id=subwords.eos_id)
        """the processor that keeps translations to the ends of prefixes"""

    def constraints(self, prefix: str) -> Constraints:
        """Force the best subwords of all words but the last, and the spelling of that: it may be part of a word.

        A space at the end forces a new word. Characters that the vocabulary lacks are left out: the model does not see
        them.
        """
        ids, spelling = self._subwords.encode(prefix), self.end.spelling
        begins = [i for i, each in enumerate(ids) if spelling.pieces[each].startswith(SPACE)]
        unspelt = [i + 1 for i, each in enumerate(ids) if not spelling.pieces[each]]  # unknown, or in bytes
        cut = max([len(ids) - _FREE_SUBWORDS, *begins[-1:], *unspelt[-1:]]) if ids else 0
        end = "".join(spelling.pieces[each] for each in ids[cut:])
        if prefix.endswith(" ") and ids:
            cut, end = len(ids), SPACE
        forced = tuple(each for each in ids[:cut] if each != self._subwords.unk_id)
        # A shortlist need not have what begins with a space: it has enough of that.
        spellers = spelling.within(end) | (spelling.beginning(end) if len(end) > 1 else set())
        return Constraints(forced, end=end, spelling=tuple(sorted(spellers)))

    def _spelt(self) -> list[str]:
        """Say what each subword spells: nothing where it is a symbol or a byte."""
        silent = {*range(self._subwords.language_ids.stop), *self._subwords.byte_ids}
        return ["" if i in silent else piece for i, piece in enumerate(self._subwords.pieces)]


def added_text(subwords: SubwordModel, begun: Sequence[int], tokens: Sequence[int]) -> str:
    """Decode what stands behind the first subwords of a text, with the space before it if a new word follows them."""
    before, whole = subwords.decode(begun) if begun else "", subwords.decode(tokens)
    # Bytes of a character that is spelt in bytes read otherwise when more follow.
    return whole[len(before) :] if whole.startswith(before) else subwords.decode(tokens[len(begun) :])


def continued(subwords: SubwordModel, prefix: str, tokens: Sequence[int]) -> str:
    """Write a translation that begins with exactly its prefix.

    Args:
        subwords: of the target.
        prefix: as it was given.
        tokens: of the whole translation.
    """
    if not prefix:
        return subwords.decode(tokens)
    before, whole = subwords.decode(subwords.encode(prefix)), subwords.decode(tokens)
    if not whole.startswith(before):  # it was cut inside the prefix
        return prefix
    added = whole[len(before) :]
    return prefix + (added.removeprefix(" ") if prefix.endswith(" ") else added)


def beginning_with(prefix: str, untranslated: str) -> str:
    """Put a prefix before marks that need no translation, without those that it has already."""
    if untranslated.startswith(prefix):
        return untranslated
    return prefix + "".join(each for each in untranslated if each not in MARKS or each not in prefix)


def without_source(request: Request) -> Translation:
    """Answer a line without a single subword: with its prefix alone, or with nothing."""
    return Translation([TextHypothesis(in_one_line(request.prefix), 0.0, 0.0, True, [])], id=request.id)


def unread(subwords: SubwordModel, prefix: str) -> list[str]:
    """Warn of characters of a prefix that the vocabulary lacks, but for those that marks stand for."""
    lacking = "".join(dict.fromkeys(subwords.unknown_characters(prefix))) if prefix else ""
    lacking = lacking.translate(dict.fromkeys(map(ord, MARKS)))
    return [f"the model does not know characters of the prefix ({lacking[:10]!r}), and read past them"] * bool(lacking)
