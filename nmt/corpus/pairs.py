"""Where the text of a language pair lies, where a name stands for the texts of several."""

from nmt.config.pairs import LanguagePair
from nmt.corpus.reader import CorpusPaths, find_file, resolve
from nmt.errors import CorpusError

_COLUMNS = (".tsv", ".tsv.gz")


def resolve_pair(name: str, pair: LanguagePair, *, key: str) -> CorpusPaths:
    """Find the files of a pair's text.

    Where a pair has no text under its own name, the text of the other direction is read the other way round. A .tsv
    file, whose columns have an order, is not.

    Args:
        name: as `nmt.config.pairs.LanguagePair.text` takes it.
        pair: the languages.
        key: configuration key that error messages name.

    Raises:
        CorpusError: a file is missing; the message names the pair.
    """
    own, other = pair.text(name), pair.reverse.text(name)
    is_turned = not (own.endswith(_COLUMNS) or _has_file(own, pair)) and _has_file(other, pair)
    try:
        return resolve(other if is_turned else own, source=pair.source, target=pair.target, key=key)
    except CorpusError as error:
        raise CorpusError(f"the pair {pair}: {error}") from None


def has_text(name: str, pair: LanguagePair) -> bool:
    """Tell whether `resolve_pair` would find a file, be it of one side alone."""
    own, other = pair.text(name), pair.reverse.text(name)
    return _has_file(own, pair) or (not own.endswith(_COLUMNS) and _has_file(other, pair))


def _has_file(name: str, pair: LanguagePair) -> bool:
    """Tell whether there is a file of a text whose name is that of one direction."""
    files = (name,) if name.endswith(_COLUMNS) else (f"{name}.{side}{end}" for side in pair for end in ("", ".gz"))
    return find_file(tuple(files), name) is not None
