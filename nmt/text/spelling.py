"""How the subwords of one vocabulary are spelled with those of another."""

from collections.abc import Mapping

from nmt.text.subwords import SubwordModel


def ordinary_pieces(subwords: SubwordModel) -> dict[str, int]:
    """Return the pieces of a vocabulary that are text, and their ids: no special symbols, marks or bytes."""
    other = {*range(subwords.mark_ids.stop), *subwords.byte_ids}
    return {piece: i for i, piece in enumerate(subwords.pieces) if i not in other}


def spell(piece: str, known: Mapping[str, int]) -> list[int]:
    """Spell a piece with the fewest known pieces, of equally many with the longest first.

    Args:
        piece: as SentencePiece writes it, U+2581 standing for a space.
        known: pieces and their ids.

    Returns:
        The ids in their order; empty where no known pieces spell it.
    """
    # fewest[i]: ids that spell the piece from its character i on; None where nothing does.
    fewest: list[list[int] | None] = [*[None] * len(piece), []]
    for start in reversed(range(len(piece))):
        for end in range(len(piece), start, -1):
            rest, first = fewest[end], known.get(piece[start:end])
            best = fewest[start]
            if rest is not None and first is not None and (best is None or len(rest) + 1 < len(best)):
                fewest[start] = [first, *rest]
    return fewest[0] or []


def spell_all(vocabulary: SubwordModel, known: SubwordModel) -> list[list[int]]:
    """Spell each piece of a vocabulary with those of another: ids of the same one, else of its parts, else none.

    Special symbols, marks and bytes have no parts, and are none.
    """
    same = {piece: i for i, piece in enumerate(known.pieces)}
    parts, whole = ordinary_pieces(known), ordinary_pieces(vocabulary)
    return [
        [same[piece]] if piece in same else spell(piece, parts) if piece in whole else [] for piece in vocabulary.pieces
    ]
