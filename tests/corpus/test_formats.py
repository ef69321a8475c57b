"""What a file is that is no UTF-8 text, told from its first bytes; and that text is taken for nothing else."""

import bz2
import gzip
import io
import lzma
import random
import sqlite3
import tarfile
import zipfile

import pytest

from nmt.corpus.formats import HEAD_BYTES, recognise

TEXTS = {
    "German": "Ein Hund läuft.\nDie Straße ist naß.\n" * 30,
    "Chinese": "他昨天上去了北京的大学。\n一只狗在山上。\n" * 30,
    "Russian": "Собака бежит.\nКот спит.\n" * 30,
    "Arabic": "كلب يركض.\n" * 30,
    "emoji": "A 😀 dog.\n\n" * 30,
    "Windows": "A dog runs.\r\nA cat.\r\n" * 30,
    "two lines": "A dog.\nA cat.\n",
    "one line": "A dog runs.",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_is_text_wherever_it_is_cut(text, encoding):
    data = text.encode(encoding)
    assert recognise(data) is None
    assert all(recognise(data[:length]) is None for length in range(min(len(data), 100)))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("German", "latin-1"), ("Russian", "cp1251"), ("Russian", "koi8-r"), ("Chinese", "gbk"), ("Arabic", "cp1256")],
)
def test_text_in_another_encoding_is_left_to_the_reader_who_names_its_line(text, encoding):
    assert recognise(TEXTS[text].encode(encoding)) is None


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize(("encoding", "order"), [("LE", "little-endian"), ("BE", "big-endian")])
def test_utf_16_with_and_without_a_byte_order_mark(text, mark, encoding, order):
    data = ("\ufeff" * mark + text).encode(f"utf-16-{encoding.lower()}")
    for head in (data, data[:101]):  # cut within a character
        assert recognise(head) == (
            f"UTF-16 text ({order}), not UTF-8",
            f"convert it with iconv -f UTF-16{encoding} -t UTF-8",
        )


def test_utf_32():
    assert recognise(TEXTS["German"].encode("utf-32")).what == "UTF-32 text, not UTF-8"
    assert recognise(TEXTS["German"].encode("utf-32-be")).what == "a binary file, no text"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\0",
        b"\0\n",
        b"a\0b",
        b"a\0b\n\0\n",
        b"a\0b\n" * 9,
        b"a\0b\n" + b"a b\n" * 12,
        b"a dog.\0\na cat\n" * 12,
        b"\n\0\n\0",
        "läuft\0".encode(),
    ],
)
def test_stray_nuls_are_text(data):
    assert recognise(data) is None


@pytest.mark.parametrize("line", [b"a\0b\n", b"a dog.\0\n", b"a cat\0\nA dog runs\0\n", "läuft\0\n".encode()])
def test_nuls_in_every_line_are_not(line):
    assert recognise(line * 20) == (
        "text with NUL characters in every line",
        "take them out, for example with tr -d '\\000'",
    )
    assert recognise(b"\n \n" + line * 20).what == "text with NUL characters in every line"


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in names:
            archive.writestr(name, content)
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("train.en"))
    return file.getvalue()


def database(folder):
    with sqlite3.connect(folder / "text.db") as connection:
        connection.execute("CREATE TABLE pairs (source TEXT)")
    connection.close()
    return (folder / "text.db").read_bytes()


GERMAN = TEXTS["German"].encode()
BINARY = {
    "gzip": (gzip.compress(GERMAN, mtime=0), "gzip-compressed", "unpack it with gunzip"),
    "zip": (zipped(("a.en", GERMAN)), "a zip archive", "unpack it with unzip and name the text in it"),
    "xz": (lzma.compress(GERMAN), "xz-compressed", "unpack it with xz -d"),
    "bzip2": (bz2.compress(GERMAN), "bzip2-compressed", "unpack it with bzip2 -d"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00", "zstd-compressed", "unpack it with zstd -d"),
    "tar": (tarred(), "a tar archive", "unpack it with tar -xf and name the text in it"),
    "PDF": (
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "a PDF document",
        "write its text out first, for example with pdftotext",
    ),
    "xlsx": (
        zipped(("[Content_Types].xml", "<Types/>"), ("xl/workbook.xml", "")),
        "an office document (such as .xlsx or .docx)",
        "save it as text in UTF-8 instead",
    ),
    "ods": (
        zipped(("mimetype", "application/vnd.oasis.opendocument.spreadsheet")),
        "an office document (such as .xlsx or .docx)",
        "save it as text in UTF-8 instead",
    ),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "an office document",
        "save it as text in UTF-8 instead",
    ),
    "parquet": (b"PAR1\x15\x04\x15\x00", "a table in a binary format", "write its columns out as text in UTF-8"),
    "zeros": (bytes(600), "a binary file, no text", "name a file of text in UTF-8"),
    "noise": (random.Random(1).randbytes(9000), "a binary file, no text", "name a file of text in UTF-8"),
}


@pytest.mark.parametrize(("data", "what", "advice"), BINARY.values(), ids=BINARY)
def test_binary_files_are_named(data, what, advice):
    assert recognise(data[:HEAD_BYTES]) == (what, advice)


def test_a_database_is_one(tmp_path):
    assert recognise(database(tmp_path)).what == "a table in a binary format"


@pytest.mark.parametrize("line", [b"%PDF-1.7 is a version.\n", b"PAR1 or PAR2?\n", b"BZh91 is a word.\n", b"PK\n"])
def test_text_that_begins_like_a_binary_file_is_text(line):
    assert recognise(line * 20) is None
