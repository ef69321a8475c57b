"""Glossaries: files of terms that people keep in a spreadsheet."""

from pathlib import Path
from typing import NamedTuple

from nmt.errors import ConfigError
from nmt.files import read_regular
from nmt.text.terms import Term


class Glossary(NamedTuple):
    """The terms of a file."""

    terms: tuple[Term, ...]
    warnings: tuple[str, ...]
    """what a user should know of them"""


def read_glossary(path: Path) -> Glossary:
    """Read a UTF-8 file: on each line a source, its target and further forms of that, with tabs between them.

    Spaces around them do not count, nor do blank lines and those that begin with "#". A source that has several lines
    may become any of their targets.

    Raises:
        ConfigError: the file cannot be read, or a line is no term, with its number.
    """
    try:
        lines, warnings = read_regular(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), []
    except OSError as error:
        raise ConfigError(f"cannot read the glossary {path} ({error.strerror}): name a file of terms") from None
    terms: list[Term] = []
    first: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8").strip("\r")
        except UnicodeDecodeError as error:
            where = f"byte 0x{raw[error.start]:02x} at position {error.start + 1}"
            raise ConfigError(f"{path}: line {number}: not UTF-8 ({where}): save the file as UTF-8") from None
        if not line.strip() or line.startswith("#"):
            continue
        source, *forms = (" ".join(field.split()) for field in line.split("\t"))
        if not (source and forms and forms[0]):
            missing = "source" if not source else "target"
            raise ConfigError(f"{path}: line {number}: the {missing} of a term is missing: write source, tab, target")
        if source in first:
            warnings.append(f"{path}: line {number}: {source!r} is on line {first[source]} too: it may become either")
        first.setdefault(source, number)
        terms.append(Term(source, tuple(filter(None, forms))))
    return Glossary(tuple(terms), tuple(warnings))
