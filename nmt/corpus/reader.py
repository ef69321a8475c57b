r"""Aligned text: where a corpus lies, and its pairs line by line.

Only "\n" ends a line, and a "\r" before it belongs to the line end. A byte order mark at the start of a file is not
part of the text. Pairs are read and dropped together, so that no line ever loses its translation.
"""

import gzip
import importlib.resources
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from nmt.corpus.formats import HEAD_BYTES, no_gzip, no_text, recognise
from nmt.errors import CorpusError

_PACKAGE = "pkg://"


TextFile: TypeAlias = Path | Traversable
"""A file on disk or inside an installed package."""


class Pair(NamedTuple):
    """A sentence and its translation, as raw text."""

    source: str
    target: str


class ParallelText(NamedTuple):
    """Sentences and their translations, line by line."""

    source: list[str]
    target: list[str]


class Form(Protocol):
    """How the files of a corpus hold its pairs, where they are neither parallel lines nor columns."""

    def digest(self, paths: "CorpusPaths") -> str:
        """Name how these files are read: the form, its settings, and what their names say."""

    def pairs(self, paths: "CorpusPaths") -> Iterator[Pair]:
        """Yield every pair in file order; CorpusError as `read_pairs`."""


@dataclass(frozen=True)
class CorpusPaths:
    """Files of one corpus, known to exist.

    Attributes:
        label: configuration key and value, as error messages name the corpus.
        source: file of the source side, or of both sides where they are the columns of one .tsv file.
        target: file of the target side, or None for one file with both.
        form: how they hold the pairs; None: as parallel lines, or as the columns of a .tsv file.
    """

    label: str
    source: TextFile
    target: TextFile | None
    form: Form | None = None

    @property
    def files(self) -> tuple[TextFile, ...]:
        """All files, source first."""
        return (self.source,) if self.target is None else (self.source, self.target)


def resolve(name: str, *, source: str, target: str, key: str) -> CorpusPaths:
    """Find the files of a corpus.

    Args:
        name: PREFIX of PREFIX.SOURCE and PREFIX.TARGET, or one .tsv file (source, tab, target); each may be gzipped
            and end in .gz. ``pkg://PACKAGE/PREFIX`` names files inside an installed package.
        source: source language, suffix of the source file.
        target: target language, suffix of the target file.
        key: configuration key that error messages name.

    Raises:
        CorpusError: a file is missing, or `name` is that of one side.
    """
    return find_files(name, (source, target), key=key, suffixes=(".tsv",))


def find_files(name: str, sides: tuple[str, str], *, key: str, suffixes: tuple[str, ...]) -> CorpusPaths:
    """Do what `resolve` does, where files with one of these suffixes hold both sides."""
    label = f"{key}={name}"
    if not name:
        raise CorpusError(f"{key} is not set: name a corpus, as in {key}=data/train for data/train.{sides[0]}")
    if name.removesuffix(".gz").endswith(suffixes):
        return CorpusPaths(label, _existing(name, (name,), label), None)
    for end in (f".{side}{packed}" for side in sides for packed in ("", ".gz")):
        if name.endswith(end) and _file(name, label).is_file():
            raise CorpusError(f"{label} names one file of two; leave off {end}: {key}={name.removesuffix(end)}")
    files = [_existing(f"{name}.{side}", (f"{name}.{side}", f"{name}.{side}.gz"), label) for side in sides]
    return CorpusPaths(label, files[0], files[1])


def find_file(candidates: tuple[str, ...], label: str) -> TextFile | None:
    """Return the first of these files that exists; CorpusError, which names `label`, where a package is missing."""
    return next((file for name in candidates if (file := _file(name, label)).is_file()), None)


def _existing(wanted: str, candidates: tuple[str, ...], label: str) -> TextFile:
    if file := find_file(candidates, label):
        return file
    also = f" (nor {candidates[1]})" if len(candidates) > 1 else ""
    raise CorpusError(f"{label}: there is no file {wanted}{also}; check the path and the languages")


def _file(name: str, label: str) -> TextFile:
    if not name.startswith(_PACKAGE):
        return Path(name).expanduser()
    package, _, inside = name.removeprefix(_PACKAGE).partition("/")
    try:
        return importlib.resources.files(package).joinpath(*inside.split("/"))
    except (ImportError, TypeError, ValueError) as error:
        raise CorpusError(
            f"{label}: there is no Python package {package!r}; check the name after {_PACKAGE}"
        ) from error


def read_lines(file: TextFile, *, replaced: Callable[[str], None] | None = None) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, plain or gzipped, without their ends.

    Args:
        file: to be read.
        replaced: is called with a message about each line that is not UTF-8, whose wrong bytes become U+FFFD; None:
            such a line is refused.

    Raises:
        CorpusError: unreadable, no text (says what it is), not UTF-8 (names the line), or a damaged gzip file.
    """
    number = 0
    try:
        with file.open("rb") as raw:
            stream: Any = gzip.GzipFile(fileobj=raw) if file.name.endswith(".gz") else raw
            head = stream.read(HEAD_BYTES)
            if found := recognise(head):
                raise CorpusError(no_text(str(file), found))
            for number, line in enumerate(_lines(head, stream), start=1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                content = line.removesuffix(b"\n").removesuffix(b"\r")
                try:
                    text = content.decode("utf-8")
                except UnicodeDecodeError as error:
                    where = _not_utf_8(file, number, error)
                    if replaced is None:
                        advice = "convert the file, for example with iconv -f LATIN1 -t UTF-8"
                        raise CorpusError(f"{where}; {advice}") from error
                    replaced(f"{where}; such bytes were replaced")
                    text = content.decode("utf-8", errors="replace")
                yield text
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(file, error, number) from error
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read ({error.strerror or error}); check the file") from error


def _not_utf_8(file: TextFile, number: int, error: UnicodeDecodeError) -> str:
    return f"{file}: line {number} is not UTF-8 (byte 0x{error.object[error.start]:02x} at column {error.start + 1})"


def _lines(head: bytes, stream: Any) -> Iterator[bytes]:
    """Yield the lines of a stream, with their ends, of which `head` has been read."""
    *lines, rest = head.split(b"\n")
    rest += stream.readline()
    return itertools.chain((line + b"\n" for line in lines), [rest] if rest else [], stream)


def _damaged(file: TextFile, error: Exception, number: int) -> CorpusError:
    if file.is_file():  # a pipe is not there a second time
        with file.open("rb") as raw:
            if message := no_gzip(str(file), raw.read(HEAD_BYTES)):
                return CorpusError(message)
    return CorpusError(f"{file}: damaged gzip file ({error} after line {number}); fetch or compress it again")


def read_pairs(paths: CorpusPaths) -> Iterator[Pair]:
    """Yield every pair of the corpus in file order, nothing filtered.

    Raises:
        CorpusError: as `read_lines`; both sides must have as many lines, and a .tsv line two columns.
    """
    return paths.form.pairs(paths) if paths.form is not None else parallel_pairs(paths)


def parallel_pairs(paths: CorpusPaths, *, replaced: Callable[[str], None] | None = None) -> Iterator[Pair]:
    """Do what `read_pairs` does where files hold parallel lines or columns; `replaced` as for `read_lines`."""
    if paths.target is None:
        yield from _read_columns(paths.source)
        return
    source_lines, target_lines = (read_lines(file, replaced=replaced) for file in (paths.source, paths.target))
    for count, (source, target) in enumerate(itertools.zip_longest(source_lines, target_lines)):
        if source is None or target is None:
            longer = count + 1 + sum(1 for _ in (target_lines if source is None else source_lines))
            counts = (count, longer) if source is None else (longer, count)
            raise CorpusError(
                f"{paths.label}: {paths.source} has {counts[0]} lines, {paths.target} has {counts[1]} lines; "
                f"each line needs its counterpart on the same line of the other file"
            )
        yield Pair(source, target)


def _read_columns(file: TextFile) -> Iterator[Pair]:
    for number, line in enumerate(read_lines(file), start=1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise CorpusError(
                f"{file}: line {number} has {len(columns)} columns instead of two (source, tab, target); correct it"
            )
        yield Pair(*columns)


def read_text(paths: CorpusPaths) -> ParallelText:
    """Read a whole corpus as it stands, for validation and tests, where the raw reference counts.

    Raises:
        CorpusError: as `read_pairs`, or no pair at all, or none with text on both sides.
    """
    text = ParallelText([], [])
    for source, target in read_pairs(paths):
        text.source.append(source)
        text.target.append(target)
    if not text.source:
        raise CorpusError(f"{paths.label}: {paths.source} is empty; name a corpus with text")
    if not any(map(has_text, zip(*text, strict=True))):
        raise CorpusError(f"{paths.label}: no line has text on both sides; name a corpus with text")
    return text


def is_blank(text: str) -> bool:
    """Whether a text has nothing to translate."""
    return not text.strip()


def has_text(pair: Iterable[str]) -> bool:
    """Whether both sides of a pair have something to translate."""
    return not any(map(is_blank, pair))
