r"""Lines of a stream, in windows: bytes in, as they come; whole windows out, or what there is when input pauses.

Only "\n" ends a line. A thread reads, because no system lets one wait for a pipe, a file and a terminal alike. Its
queue is bounded and long lines are cut, so that memory does not grow with the input.
"""

from __future__ import annotations

import codecs
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from nmt.corpus.formats import HEAD_BYTES, recognise
from nmt.errors import ConfigError

PAUSE_SECONDS = 0.05
MAX_LINE_BYTES = 1 << 20
MAX_WINDOW_BYTES = 8 << 20

_SHOWN_CHARACTERS = 10
_CHUNK_BYTES = 1 << 16
_QUEUED_CHUNKS = 16
# A signal may arrive at a thread that is not waiting; the one that waits looks for it so often.
_IDLE_SECONDS = 0.5


class RawLine(NamedTuple):
    """One line as it was read."""

    content: bytes
    """without its end, at most MAX_LINE_BYTES"""
    dropped: int
    """bytes beyond these"""


class Text(NamedTuple):
    """One line, decoded."""

    text: str
    warnings: list[str]
    """what had to be changed, naming the line"""


class HasUnknown(Protocol):
    """What a line came to."""

    @property
    def unknown(self) -> str:
        """Characters that the model's vocabulary lacks."""


class Unknown(NamedTuple):
    """Lines with characters that a model's vocabulary lacks; all of a run in constant memory."""

    lines: int = 0
    first_line: int = 0
    """number of the first of them, counted from 1"""
    characters: str = ""
    """of that line"""

    @staticmethod
    def of(translations: Iterable[HasUnknown], first_line: int) -> Unknown:
        """Collect the unknown characters of translations; the first is that of line `first_line`."""
        unknown = [(number, each.unknown) for number, each in enumerate(translations, first_line) if each.unknown]
        return Unknown(len(unknown), *unknown[0]) if unknown else Unknown()

    def and_then(self, later: Unknown) -> Unknown:
        """Add those of later lines."""
        return self._replace(lines=self.lines + later.lines) if self.lines else later

    @property
    def warning(self) -> str:
        """The warning about them, in one line; empty if there are none."""
        them = "the translations" if self.lines > 1 else "its translation"
        return f"{self.named}; they are missing from {them}" if self.lines else ""

    @property
    def named(self) -> str:
        """How many lines have such characters, and which the first ones are."""
        distinct = "".join(dict.fromkeys(self.characters))
        shown = distinct if len(distinct) <= _SHOWN_CHARACTERS else f"{distinct[:_SHOWN_CHARACTERS]}…"
        several = f"{self.lines:,} lines have", "the first is line"
        what, of_which = several if self.lines > 1 else ("1 line has", "it is line")
        return f"{what} characters that the model's vocabulary lacks, {of_which} {self.first_line:,} ({shown!r})"


def read_windows(
    read: Callable[[int], bytes | None], *, max_lines: int, first_lines: int = 0, pause: float = PAUSE_SECONDS
) -> Iterator[list[RawLine]]:
    """Read a stream to its end, window by window.

    A window ends when it is full, and at the end of the stream. It also ends once its first line has waited `pause`
    seconds and nothing more lies ready. A person who types a line is answered at once, and so is a program that sends
    one line a second.

    Args:
        read: returns up to so many bytes, b"" at the end, None if there are none yet (a non-blocking stream).
        max_lines: lines of a full window.
        first_lines: lines of the first one; they double until `max_lines`, so that a long text's first lines
            need not wait for a full window. 0: `max_lines`.
        pause: seconds.

    Raises:
        OSError: reading failed; what was read before has been yielded.
    """
    chunks: queue.Queue[bytes | Exception] = queue.Queue(maxsize=_QUEUED_CHUNKS)
    threading.Thread(target=_read, args=(read, chunks), name="read input", daemon=True).start()
    splitter = _Splitter()
    window: list[RawLine] = []
    full, held, deadline = min(first_lines or max_lines, max_lines), 0, 0.0
    while True:
        try:
            if not window:
                chunk = chunks.get(timeout=_IDLE_SECONDS)
            else:
                wait = deadline - time.monotonic()
                chunk = chunks.get(timeout=wait) if wait > 0 else chunks.get_nowait()
        except queue.Empty:
            if window:
                yield window
                window, held = [], 0
            continue
        data, ended = (b"", True) if isinstance(chunk, Exception) else (chunk, not chunk)
        for line in splitter.finish() if ended else splitter.feed(data):
            if not window:
                deadline = time.monotonic() + pause
            window.append(line)
            held += len(line.content)
            if len(window) >= full or held >= MAX_WINDOW_BYTES:
                yield window
                window, held, full = [], 0, min(2 * full, max_lines)
        if ended:
            if window:
                yield window
            if isinstance(chunk, Exception):
                raise chunk
            return


def no_text(window: Sequence[RawLine]) -> str:
    """Write the message for a text whose first window is not UTF-8 at all, such as UTF-16; empty for all others."""
    head = b"\n".join(line.content for line in window)[:HEAD_BYTES]
    recognised = recognise(head)
    return f"the input is {recognised.what}; {recognised.advice} first" if recognised else ""


def decode(line: RawLine, number: int, *, is_text: bool = True) -> Text:
    """Decode line `number` from UTF-8: what is not UTF-8 is replaced (U+FFFD), with a warning if the input is text.

    A carriage return at the end belongs to the line end, a byte order mark at the start of the text is none of it.
    """
    content, dropped = line
    warnings = []
    if dropped:
        warnings.append(f"line {number}: only its first {len(content)} bytes were read; give one sentence a line")
    else:
        content = content.removesuffix(b"\r")
    if number == 1:
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        # A cut may have left half a character at the end; that is dropped too.
        text = codecs.getincrementaldecoder("utf-8")("strict").decode(content, final=not dropped)
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", errors="replace")
        byte = content[error.start]
        if is_text:
            warnings.append(
                f"line {number}: not UTF-8 (byte 0x{byte:02x} at position {error.start + 1}); such bytes were replaced"
            )
    return Text(text, warnings)


def standard_input(name: str) -> Callable[[int], bytes | None]:
    """Give what reads standard input for the command of this name; ConfigError if it is closed."""
    if sys.stdin is None:
        raise ConfigError(f"standard input is closed: give the text as in {name} MODEL < input.txt")
    # Unbuffered: a thread that still waits in a buffered stream would bar Python's way out.
    raw: Any = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    read: Callable[[int], bytes | None] = raw.read
    return read


def raw_lines(read: Callable[[int], bytes | None]) -> Iterator[RawLine]:
    """Read a stream line by line, no further than its next line needs; OSError where reading failed."""
    splitter = _Splitter()
    while chunk := read(_CHUNK_BYTES):
        yield from splitter.feed(chunk)
    yield from splitter.finish()


class _Splitter:
    """Cuts chunks into lines, in linear time and bounded memory however long a line is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = self._dropped = 0
        self._open = False

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Yield the lines that end in this chunk."""
        *ends, rest = chunk.split(b"\n")
        for part in ends:
            self._hold(part)
            yield self._take()
        if rest:
            self._hold(rest)
            self._open = True

    def finish(self) -> Iterator[RawLine]:
        """Yield the last line, if the stream did not end it."""
        if self._open:
            yield self._take()

    def _hold(self, part: bytes) -> None:
        stored = part[: MAX_LINE_BYTES - self._size]
        self._size += len(stored)
        self._dropped += len(part) - len(stored)
        if stored:
            self._parts.append(stored)

    def _take(self) -> RawLine:
        line = RawLine(b"".join(self._parts), self._dropped)
        self._parts, self._size, self._dropped, self._open = [], 0, 0, False
        return line


def _read(read: Callable[[int], bytes | None], chunks: queue.Queue[bytes | Exception]) -> None:
    while True:
        try:
            chunk = read(_CHUNK_BYTES)
        except Exception as error:  # whatever it is, the reader of the queue must not wait for ever
            chunks.put(error)
            return
        if chunk is None:
            time.sleep(PAUSE_SECONDS / 5)
            continue
        chunks.put(chunk)
        if not chunk:
            return
