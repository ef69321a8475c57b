"""Recognise bytes that are not UTF-8 text: text in another encoding, an archive, a document."""

import codecs
from typing import NamedTuple

HEAD_BYTES = 1 << 14
"""Bytes at the start of a file that are enough to recognise it."""

# In this many lines, a NUL in every one is no accident.
_MANY_LINES = 10
# Fewer bytes with a NUL tell nothing.
_ENOUGH_BYTES = 8
# Of ASCII letters in UTF-16 nearly every other byte is NUL.
_ASCII_NUL_SHARE = 0.45
# Control characters besides white space and ESC: text in an eight-bit encoding has few of them.
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_CONTROL_SHARE = 0.01


class Finding(NamedTuple):
    """What bytes are instead of UTF-8 text."""

    what: str
    """with its article, as in "a PDF document" """
    advice: str
    """what to do with it"""


_GZIP_START = b"\x1f\x8b"
_GZIP = Finding("gzip-compressed", "unpack it with gunzip")
_UTF_32 = "UTF-32 text, not UTF-8", "convert it with iconv -f UTF-32 -t UTF-8"
_TABLE = Finding("a table in a binary format", "write its columns out as text in UTF-8")
# Of two that fit, the first one counts.
_STARTS: tuple[tuple[bytes, Finding], ...] = (
    (codecs.BOM_UTF32_LE, Finding(*_UTF_32)),
    (codecs.BOM_UTF32_BE, Finding(*_UTF_32)),
    (_GZIP_START, _GZIP),
    (b"PK\x03\x04", Finding("a zip archive", "unpack it with unzip and name the text in it")),
    (b"\xfd7zXZ\x00", Finding("xz-compressed", "unpack it with xz -d")),
    (b"BZh", Finding("bzip2-compressed", "unpack it with bzip2 -d")),
    (b"\x28\xb5\x2f\xfd", Finding("zstd-compressed", "unpack it with zstd -d")),
    (b"7z\xbc\xaf\x27\x1c", Finding("a 7z archive", "unpack it and name the text in it")),
    (b"%PDF-", Finding("a PDF document", "write its text out first, for example with pdftotext")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Finding("an office document", "save it as text in UTF-8 instead")),
    (b"PAR1", _TABLE),
    (b"ARROW1", _TABLE),
    (b"SQLite format 3\x00", _TABLE),
)
_OFFICE = Finding("an office document (such as .xlsx or .docx)", "save it as text in UTF-8 instead")
_OFFICE_NAMES = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis.opendocument")
_TAR = Finding("a tar archive", "unpack it with tar -xf and name the text in it")
_NULS = Finding("text with NUL characters in every line", "take them out, for example with tr -d '\\000'")
_BINARY = Finding("a binary file, no text", "name a file of text in UTF-8")


def recognise(head: bytes) -> Finding | None:
    """Recognise a file by its first `HEAD_BYTES`, or all that it has; None for what may be UTF-8 text.

    A stray NUL is text like any other character.
    """
    if b"\0" not in head and _is_utf_8(head):
        return None
    if head.startswith(b"PK\x03\x04") and any(name in head for name in _OFFICE_NAMES):
        return _OFFICE
    for start, finding in _STARTS:
        if head.startswith(start):
            return finding
    if head[257:262] == b"ustar":
        return _TAR
    if order := _utf_16_order(head):
        return Finding(f"UTF-16 text ({order[1]}), not UTF-8", f"convert it with iconv -f UTF-16{order[0]} -t UTF-8")
    return _binary(head)


def no_text(name: str, found: Finding) -> str:
    """Write the message for a file that is not text: what it is, and what to do."""
    advice = found.advice
    if found is _GZIP:
        packed_twice = name.endswith(".gz")
        advice += " once more" if packed_twice else f", or rename it: called {name}.gz it is read as it is"
    return f"{name} is {found.what}; {advice}"


def no_gzip(name: str, head: bytes) -> str:
    """Write the message for a file that is called .gz and is not compressed; empty if it is."""
    if head.startswith(_GZIP_START):
        return ""
    recognised = recognise(head)
    if recognised is None:
        return f"{name} is not gzip-compressed, though it is called .gz; rename it: leave off .gz"
    return f"{name} is {recognised.what}, though it is called .gz; {recognised.advice}"


def _binary(head: bytes) -> Finding | None:
    if not _is_utf_8(head):
        controls = len(head) - len(head.translate(None, _CONTROLS))
        return _BINARY if controls > _CONTROL_SHARE * len(head) else None
    if len(head) >= _ENOUGH_BYTES and 2 * head.count(0) > len(head):
        return _BINARY
    lines = [line for line in head.split(b"\n")[:-1] if line.strip()]
    return _NULS if len(lines) >= _MANY_LINES and all(b"\0" in line for line in lines) else None


def _is_utf_8(head: bytes) -> bool:
    try:
        # The head may end within a character.
        codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _utf_16_order(head: bytes) -> tuple[str, str] | None:
    """Return the byte order of UTF-16 text, in iconv's word and in a person's; None for anything else."""
    orders = ("LE", "little-endian"), ("BE", "big-endian")
    for order, mark in zip(orders, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), strict=True):
        if head.startswith(mark):
            return order
    if len(head) < _ENOUGH_BYTES:
        return None
    for order, codec in zip(orders, ("utf-16-le", "utf-16-be"), strict=True):
        if _has_halves(head, little=order[0] == "LE") and _is_readable(head, codec):
            return order
    return None


def _has_halves(head: bytes, *, little: bool) -> bool:
    """Whether bytes lie in pairs as UTF-16 has them in one byte order: of line ends, and of ASCII letters."""
    low, high = (head[::2], head[1::2]) if little else (head[1::2], head[::2])
    ends = sum(pair == (10, 0) for pair in zip(low, high, strict=False))
    if _is_utf_8(head):
        only_letters = 0 not in low and high.count(0) >= 2 * _ASCII_NUL_SHARE * len(high)
        # Where NULs stand before newlines only, it may as well be that every line ends with one.
        return only_letters or (1 < ends == head[: 2 * len(high)].count(b"\n") and head.count(0) > ends)
    # The byte of a newline is half of other characters too, as of U+4E0A.
    return ends > 0 and 3 * ends >= head.count(b"\n")


def _is_readable(head: bytes, codec: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(codec)("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)
