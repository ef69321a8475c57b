import gzip
import io
import threading
import time
from types import SimpleNamespace

import pytest

from nmt.cli import lines
from nmt.cli.lines import RawLine, Unknown, decode, no_text, read_windows


def whole(data, *, chunk=1 << 16, max_lines=1000):
    """Contents of all lines of some bytes that arrive in chunks."""
    stream = io.BytesIO(data)
    windows = list(read_windows(lambda size: stream.read(min(size, chunk)), max_lines=max_lines))
    return [line.content for window in windows for line in window]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a\n", [b"a"]),
        (b"a", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n\n\n", [b"", b"", b""]),
        (b"a\r\nb\rc\n\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8\n", [b"a\r", b"b\rc", b"\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8"]),
        (b"a\0b\n\0\n", [b"a\0b", b"\0"]),
    ],
)
def test_only_newlines_end_lines_however_the_bytes_arrive(data, expected, chunk):
    assert whole(data, chunk=chunk) == expected


def test_windows_are_never_fuller_than_asked_and_grow_from_the_first():
    stream = io.BytesIO(b"x\n" * 100)
    sizes = [len(window) for window in read_windows(stream.read, max_lines=32, first_lines=4)]
    assert sum(sizes) == 100
    assert sizes == [4, 8, 16, 32, 32, 8]


def test_a_window_of_long_lines_is_full_by_its_bytes(monkeypatch):
    monkeypatch.setattr(lines, "MAX_WINDOW_BYTES", 100)
    stream = io.BytesIO(b"x" * 60 + b"\n" + b"y" * 60 + b"\nz\n")
    assert [len(window) for window in read_windows(stream.read, max_lines=100)] == [2, 1]


def test_what_there_is_comes_when_input_pauses():
    answered = threading.Event()
    script = iter([b"a\nb\nhalf", None, b" a line\n"])

    def read(size):
        chunk = next(script, b"")
        if chunk == b" a line\n":
            assert answered.wait(20)  # the rest is sent only after the first window has come
        return chunk

    windows = read_windows(read, max_lines=100)
    assert [line.content for line in next(windows)] == [b"a", b"b"]
    answered.set()
    assert [line.content for window in windows for line in window] == [b"half a line"]


def test_a_steady_trickle_is_answered_before_it_ends():
    answered = threading.Event()

    def read(size):
        time.sleep(0.005)
        return b"" if answered.is_set() else b"line\n"

    windows = read_windows(read, max_lines=10**9)
    assert len(next(windows)) > 0
    answered.set()
    list(windows)


def test_a_long_line_is_cut_and_told_of(monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    stream = io.BytesIO(b"0123456789abc\nshort\n" + b"x" * 25)
    (window,) = read_windows(lambda size: stream.read(4), max_lines=100)
    assert window == [RawLine(b"0123456789", 3), RawLine(b"short", 0), RawLine(b"x" * 10, 15)]


def test_an_error_of_the_stream_comes_after_what_was_read():
    script = iter([b"a\nb"])

    def read(size):
        try:
            return next(script)
        except StopIteration:
            raise IsADirectoryError(21, "Is a directory") from None

    windows = read_windows(read, max_lines=100)
    assert [line.content for line in next(windows)] == [b"a", b"b"]
    with pytest.raises(IsADirectoryError):
        next(windows)


def test_memory_is_bounded_when_nobody_takes_the_lines():
    taken = 0

    def read(size):
        nonlocal taken
        taken += 1
        return b"x" * (size - 1) + b"\n"

    windows = read_windows(read, max_lines=1)
    next(windows)
    time.sleep(0.2)
    assert taken < 30  # chunks, in the queue and on both sides of it


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a\r", "a"),
        (b"a\r\r", "a\r"),
        (b"\r", ""),
        ("漢字 🙂\u2028é".encode(), "漢字 🙂\u2028é"),
        (b"a\0b", "a\0b"),
        (b"\xef\xbb\xbfa", "\ufeffa"),
    ],
)
def test_lines_are_decoded_as_they_are(content, text):
    assert decode(RawLine(content, 0), 2) == (text, [])


def test_a_byte_order_mark_at_the_start_is_no_text():
    assert decode(RawLine(b"\xef\xbb\xbfa", 0), 1) == ("a", [])


def test_what_is_not_utf8_is_replaced_with_a_warning():
    assert decode(RawLine(b"caf\xe9 x", 0), 12) == (
        "caf\ufffd x",
        ["line 12: not UTF-8 (byte 0xe9 at position 4); such bytes were replaced"],
    )


def test_a_cut_inside_a_character_drops_it_with_one_warning():
    assert decode(RawLine("aé".encode()[:2], 7), 3) == (
        "a",
        ["line 3: only its first 2 bytes were read; give one sentence a line"],
    )


def test_of_what_is_no_text_bytes_are_replaced_without_a_word():
    assert decode(RawLine(b"caf\xe9 x", 0), 12, is_text=False) == ("caf\ufffd x", [])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            "Ein Hund.\nÜber\n".encode("utf-16"),
            "UTF-16 text (little-endian), not UTF-8; convert it with iconv -f UTF-16LE -t UTF-8",
        ),
        (
            "A dog.\n".encode("utf-16-be"),
            "UTF-16 text (big-endian), not UTF-8; convert it with iconv -f UTF-16BE -t UTF-8",
        ),
        (gzip.compress(b"A dog.\n", mtime=0), "gzip-compressed; unpack it with gunzip"),
    ],
)
def test_a_text_that_is_none_is_recognised_by_its_first_window(data, told):
    (window,) = read_windows(io.BytesIO(data).read, max_lines=100)
    assert no_text(window) == f"the input is {told} first"


@pytest.mark.parametrize("data", [b"a\0b\n", b"a dog\n", b"caf\xe9\n", b"\n", b"\0\n" * 3, "漢字\n".encode()])
def test_any_other_text_is_one(data):
    (window,) = read_windows(io.BytesIO(data).read, max_lines=100)
    assert no_text(window) == ""


def test_lines_with_unknown_characters_add_up():
    def of(*characters, first_line):
        return Unknown.of([SimpleNamespace(unknown=each) for each in characters], first_line)

    none, two, one = of("", "", first_line=1), of("", "ab", "c", first_line=3), of("d", first_line=1200)
    assert (none, two, one) == (Unknown(), Unknown(2, 4, "ab"), Unknown(1, 1200, "d"))
    assert none.warning == ""
    assert none.and_then(two).and_then(none).and_then(one) == Unknown(3, 4, "ab")
    assert none.and_then(two).and_then(one).warning == (
        "3 lines have characters that the model's vocabulary lacks, the first is line 4 ('ab'); "
        "they are missing from the translations"
    )
    assert none.and_then(one).warning == (
        "1 line has characters that the model's vocabulary lacks, it is line 1,200 ('d'); "
        "they are missing from its translation"
    )
    assert "('abcdefghij…')" in Unknown(1, 1, "aabcdefghijklm" * 2).warning
