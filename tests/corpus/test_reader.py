"""The aligned reader: what ends a line, which errors name what, and which pairs are left out."""

import gzip
import lzma
import os
import random
import threading

import pytest

from nmt.corpus.filters import FilterCounts, Filters, hold_out_threshold
from nmt.corpus.formats import HEAD_BYTES
from nmt.corpus.reader import read_lines, read_pairs, read_text

from .conftest import error, find, write


def test_bytes_that_are_not_utf8_are_replaced_where_it_is_asked_for(tmp_path):
    (tmp_path / "a").write_bytes(b"a\n\xf0b\nc\xff\n")
    told = []
    assert list(read_lines(tmp_path / "a", replaced=told.append)) == ["a", "\ufffdb", "c\ufffd"]
    assert told == [
        f"{tmp_path}/a: line {line} is not UTF-8 (byte 0x{byte} at column {column}); such bytes were replaced"
        for line, byte, column in ((2, "f0", 1), (3, "ff", 2))
    ]
    assert "line 2 is not UTF-8 (byte 0xf0 at column 1); convert the file" in error(read_lines, tmp_path / "a")


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n\n", ["", ""]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"a\rb\n", ["a\rb"]),
        (b" a \t\n", [" a \t"]),
        (
            "a\u2028b\u0085c\x0bd\x0ce\x1cf\x1dg\x1eh\u2029i\0j\n".encode(),
            ["a\u2028b\u0085c\x0bd\x0ce\x1cf\x1dg\x1eh\u2029i\0j"],
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_only_newlines_end_a_line(tmp_path, data, lines, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    assert list(read_lines(path)) == lines


def test_pairs_stay_aligned_around_empty_lines(tmp_path):
    paths = write(tmp_path, b"one\n\nthree\nfour\n", b"eins\nzwei\n\nvier\n")
    assert list(read_pairs(paths)) == [("one", "eins"), ("", "zwei"), ("three", ""), ("four", "vier")]
    assert read_text(paths).source == ["one", "", "three", "four"]


def test_a_side_may_be_compressed(tmp_path):
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"one\n"))
    (tmp_path / "train.de").write_bytes(b"eins\n")
    assert list(read_pairs(find(tmp_path / "train"))) == [("one", "eins")]


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_tsv(tmp_path, suffix):
    data = b"one\teins\r\n\tzwei\n"
    path = tmp_path / f"train{suffix}"
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    assert list(read_pairs(find(path))) == [("one", "eins"), ("", "zwei")]
    assert len(find(path).files) == 1


@pytest.mark.parametrize(("line", "columns"), [(b"one", 1), (b"one\teins\t1", 3), (b"", 1)])
def test_tsv_with_a_wrong_number_of_columns(tmp_path, line, columns):
    path = tmp_path / "train.tsv"
    path.write_bytes(b"one\teins\n" + line + b"\n")
    assert error(read_pairs, find(path)) == (
        f"{path}: line 2 has {columns} columns instead of two (source, tab, target); correct it"
    )


def test_missing_files(tmp_path):
    assert error(find, tmp_path / "train") == (
        f"corpus.train={tmp_path}/train: there is no file {tmp_path}/train.en (nor {tmp_path}/train.en.gz); "
        f"check the path and the languages"
    )
    (tmp_path / "train.en").write_bytes(b"one\n")
    (tmp_path / "train.de").mkdir()
    assert f"there is no file {tmp_path}/train.de (nor" in error(find, tmp_path / "train")
    assert f"there is no file {tmp_path}/x.tsv; check" in error(find, tmp_path / "x.tsv")
    assert error(find, "") == "corpus.train is not set: name a corpus, as in corpus.train=data/train for data/train.en"


@pytest.mark.parametrize("end", [".en", ".de", ".en.gz"])
def test_the_name_of_one_side_is_not_that_of_a_corpus(tmp_path, end):
    (tmp_path / f"train{end}").write_bytes(b"one\n")
    assert error(find, tmp_path / f"train{end}") == (
        f"corpus.train={tmp_path}/train{end} names one file of two; leave off {end}: corpus.train={tmp_path}/train"
    )


def test_files_inside_a_package(tmp_path, monkeypatch):
    folder = tmp_path / "some_corpora" / "demo"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_bytes(b"")
    write(folder, b"one\n", b"eins\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(read_pairs(find("pkg://some_corpora/demo/train"))) == [("one", "eins")]
    assert "there is no file pkg://some_corpora/demo/test.en" in error(find, "pkg://some_corpora/demo/test")
    assert "there is no Python package 'no_such'; check the name after pkg://" in error(find, "pkg://no_such/train")
    assert "there is no Python package ''" in error(find, "pkg:///train")


@pytest.mark.parametrize(("source", "target"), [(10, 9), (9, 10), (3, 0), (0, 3)])
def test_unequal_line_counts(tmp_path, source, target):
    paths = write(tmp_path, b"one\n" * source, b"eins\n" * target)
    assert error(read_pairs, paths) == (
        f"corpus.train={tmp_path}/train: {tmp_path}/train.en has {source} lines, {tmp_path}/train.de has {target} "
        f"lines; each line needs its counterpart on the same line of the other file"
    )


def test_not_utf8(tmp_path):
    paths = write(tmp_path, b"one\ntwo\n", "eins\nf\u00fcnf\n".encode("latin-1"))
    assert error(read_pairs, paths) == (
        f"{tmp_path}/train.de: line 2 is not UTF-8 (byte 0xfc at column 2); "
        f"convert the file, for example with iconv -f LATIN1 -t UTF-8"
    )


def test_damaged_gzip(tmp_path):
    path = tmp_path / "text.gz"
    whole = gzip.compress(bytes(random.Random(1).choices(b"abcdefgh\n", k=20_000)))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b"\x1f\x8b"):
        path.write_bytes(damaged)
        assert error(read_lines, path).startswith(f"{path}: damaged gzip file (")


@pytest.mark.parametrize("name", ["text.en", "text.gz"])
@pytest.mark.parametrize(("order", "word"), [("LE", "little-endian"), ("BE", "big-endian")])
def test_utf_16_is_named_with_what_converts_it(tmp_path, name, order, word):
    data = "Ein Hund läuft.\n".encode(f"utf-16-{order.lower()}")
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert error(read_lines, path) == (
        f"{path} is UTF-16 text ({word}), not UTF-8; convert it with iconv -f UTF-16{order} -t UTF-8"
    )


def test_gzip_under_a_wrong_name(tmp_path):
    packed = gzip.compress(b"one\teins\n")
    (tmp_path / "train.tsv").write_bytes(packed)
    assert error(read_pairs, find(tmp_path / "train.tsv")) == (
        f"{tmp_path}/train.tsv is gzip-compressed; unpack it with gunzip, or rename it: called {tmp_path}/train.tsv.gz "
        "it is read as it is"
    )
    (tmp_path / "train.tsv").rename(tmp_path / "train.tsv.gz")
    assert list(read_pairs(find(tmp_path / "train.tsv.gz"))) == [("one", "eins")]
    (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(packed))
    assert error(read_pairs, find(tmp_path / "train.tsv.gz")) == (
        f"{tmp_path}/train.tsv.gz is gzip-compressed; unpack it with gunzip once more"
    )


def test_what_is_called_gz_and_is_none(tmp_path):
    path = tmp_path / "text.gz"
    path.write_bytes(b"plain text\n")
    assert error(read_lines, path) == (
        f"{path} is not gzip-compressed, though it is called .gz; rename it: leave off .gz"
    )
    path.write_bytes(lzma.compress(b"one\n"))
    assert error(read_lines, path) == f"{path} is xz-compressed, though it is called .gz; unpack it with xz -d"
    assert (path.write_bytes(b""), list(read_lines(path))) == (0, [])


@pytest.mark.parametrize("side", ["en", "de"])
def test_either_side_of_a_corpus_is_looked_at(tmp_path, side):
    paths = write(tmp_path, b"one\n" * 20, b"eins\n" * 20)
    (tmp_path / f"train.{side}").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"x\n" * 18)
    told = f"{tmp_path}/train.{side} is a PDF document; write its text out first, for example with pdftotext"
    assert error(read_pairs, paths) == told
    assert error(read_text, paths) == told
    assert error(lambda: [hold_out_threshold(paths, 1)]) == told


def test_lines_longer_than_what_is_looked_at_are_whole(tmp_path):
    lines = ["x" * length for length in (HEAD_BYTES - 1, HEAD_BYTES, 1, 3 * HEAD_BYTES, 0, HEAD_BYTES + 1)]
    for end in ("\n", ""):
        for first in range(len(lines)):
            (tmp_path / "text").write_text("\n".join(lines[first:]) + end, newline="\n")
            assert list(read_lines(tmp_path / "text")) == lines[first:]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("name", ["text", "text.gz"])
def test_a_pipe_is_read_once(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    data = b"one\n" * 10_000
    for content, lines in ((gzip.compress(data) if name.endswith("gz") else data, 10_000), (b"BZh", 0)):
        writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
        writer.start()
        if lines:
            assert list(read_lines(path)) == ["one"] * lines
        elif name.endswith("gz"):
            assert error(read_lines, path).startswith(f"{path}: damaged gzip file (Not a gzipped file")
        else:
            assert list(read_lines(path)) == ["BZh"]
        writer.join()


def test_unreadable_file(tmp_path):
    assert error(read_lines, tmp_path) == f"{tmp_path}: cannot be read (Is a directory); check the file"


def test_empty_corpus(tmp_path):
    paths = write(tmp_path, b"", b"")
    assert error(read_text, paths) == (
        f"corpus.train={tmp_path}/train: {tmp_path}/train.en is empty; name a corpus with text"
    )


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (1, 1, "kept"),
        (0, 5, "empty"),
        (5, 0, "empty"),
        (20, 30, "kept"),
        (21, 5, "too_long"),
        (5, 31, "too_long"),
        (20, 5, "kept"),  # 20 = 2·5 + 10
        (20, 4, "ratio"),
        (4, 19, "ratio"),
    ],
)
def test_filters(source, target, reason):
    assert Filters(max_source_tokens=20, max_target_tokens=30, max_length_ratio=2).reason(source, target) == reason


def test_counts_are_one_line():
    counts = FilterCounts(kept=12345, empty=3, ratio=1)
    assert counts.summary() == ("12,345 pairs kept; left out: 3 with an empty side, 0 too long, 1 of unlike lengths")
