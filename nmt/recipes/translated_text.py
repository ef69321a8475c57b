"""A text and its translation by a teacher, line by line in two files; what was stopped goes on where it stopped."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock
from tqdm import tqdm

from nmt.corpus.reader import read_lines
from nmt.errors import ConfigError, CorpusError
from nmt.files import sibling
from nmt.runs.log import LOG, Pace, clock

if TYPE_CHECKING:
    from nmt.recipes.teacher import Teacher
    from nmt.translation.translator import Translator


class Text(NamedTuple):
    """What is translated."""

    label: str
    """how messages name it"""
    files: tuple[Path, ...]
    """in which it is kept; none of them is ever overwritten"""
    lines: Callable[[], Iterator[str]]
    """reads it; raises CorpusError"""


class Files(NamedTuple):
    """What is written; each has a partial one beside it until all is whole."""

    given: Path
    """the lines of the text"""
    made: Path
    """their translations"""
    state: Path
    """while it lasts: of which text the translations are made, and how"""

    @staticmethod
    def of(prefix: str, *, given: str, made: str) -> Files:
        """Name the files after a prefix and the languages of both sides."""
        return Files(*(Path(f"{prefix}.{end}") for end in (given, made, "state.json")))

    def require_possible(self, text: Text, *, overwrite: bool) -> None:
        """Check what can be checked before a model is loaded.

        Raises:
            ConfigError: the directory is missing, or the translations would replace something.
        """
        if not self.made.parent.is_dir():
            raise ConfigError(f"--output {self.made}: there is no directory {self.made.parent}; make it first")
        if not self.made.exists():
            return
        if any(self.made.samefile(file) for file in text.files):
            raise ConfigError(f"{text.label} is where the translations go ({self.made}); choose another --output")
        if not overwrite:
            raise ConfigError(f"{self.made} exists already; choose another --output, or add --overwrite")


def translate_text(teacher: Teacher, text: Text, files: Files, *, overwrite: bool = False) -> None:
    """Write a text and its translation, or go on where an earlier call was stopped.

    Args:
        teacher: translates; its languages are the caller's affair.
        text: what is translated.
        files: where both sides go.
        overwrite: replace what another call left there.

    Raises:
        NmtError: the teacher, the text or an earlier call's files are not what they should be.
        OSError: a file cannot be written.
        KeyboardInterrupt: stopped; what was translated stays.
    """
    files.require_possible(text, overwrite=overwrite)
    loaded = teacher.load()
    with _claimed(files):
        total, digest = _copy(text, partial(files.given))
        _require_same(text, files, overwrite=overwrite)
        done = _resume(files, {"input": digest, **loaded.fingerprint()}, overwrite=overwrite)
        if done:
            LOG.info("going on after line %s of %s", f"{done:,}", f"{total:,}")
        try:
            _translate(loaded.translator, files, done=done, total=total)
        except KeyboardInterrupt:
            LOG.info("stopped; the same command goes on from here")
            raise
        _publish(text, files)


@contextlib.contextmanager
def _claimed(files: Files) -> Iterator[None]:
    """Keep a second call off the same files; raises ConfigError."""
    path = files.state.with_suffix(".lock")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(f"{files.made} is being made by another command; wait, or choose another --output") from None
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


def _copy(text: Text, copy: Path) -> tuple[int, str]:
    r"""Copy the text, unpacked and with "\n" as its line ends; return how many lines it has, and their SHA-256.

    Every start does so: a line that is not UTF-8 is found before hours of translation, not after.

    Raises:
        CorpusError: the text cannot be read, is not UTF-8, is damaged or empty.
    """
    total, digest = 0, hashlib.sha256()
    try:
        with open(copy, "wb") as file:
            for line in text.lines():
                encoded = f"{line}\n".encode()
                file.write(encoded)
                digest.update(encoded)
                total += 1
            file.flush()
            os.fsync(file.fileno())
        if not total:
            raise CorpusError(f"{text.label} is empty; name a text with a sentence a line")
    except CorpusError:
        copy.unlink()
        raise
    return total, digest.hexdigest()


def _is_original(text: Text, path: Path) -> bool:
    """Tell whether a file is the text's own."""
    return path.exists() and any(path.samefile(file) for file in text.files)


def _require_same(text: Text, files: Files, *, overwrite: bool) -> None:
    """Refuse to replace a file that is neither the text itself nor equal to it; raises ConfigError."""
    if overwrite or not files.given.exists() or _is_original(text, files.given):
        return
    if not filecmp.cmp(files.given, partial(files.given), shallow=False):
        partial(files.given).unlink()
        raise ConfigError(
            f"{files.given} exists already and is not {text.label}; choose another --output, or add --overwrite"
        )


def _resume(files: Files, state: dict[str, Any], *, overwrite: bool) -> int:
    """Return how many whole lines an interrupted call has translated; what follows the last of them is cut off.

    Raises:
        ConfigError: it translated another text, with another model or another search.
    """
    translations = partial(files.made)
    before: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(files.state.read_text(encoding="utf-8"))
    changed = [key for key in state if before.get(key) != state[key]]
    if translations.exists() and not changed:
        return _whole_lines(translations)
    if translations.exists() and before and not overwrite:
        raise ConfigError(
            f"{translations} was made with another {' and '.join(changed)}; give the same to go on, choose another "
            "--output, or add --overwrite to start anew"
        )
    translations.write_bytes(b"")
    files.state.write_text(json.dumps(state), encoding="utf-8")
    return 0


def _whole_lines(path: Path) -> int:
    """Count the lines of a file, after cutting off one that has no end."""
    lines = end = 0
    with open(path, "rb+") as file:
        for line in file:
            if line.endswith(b"\n"):
                lines += 1
                end += len(line)
        file.truncate(end)
    return lines


def _translate(translator: Translator, files: Files, *, done: int, total: int) -> None:
    """Translate what follows the first `done` lines, window by window, so that memory does not grow with the text."""
    lines = itertools.islice(read_lines(partial(files.given)), done, None)
    began, first, pace, cut = time.monotonic(), done, Pace(), 0
    silent = True if sys.stderr is None else None  # None: shown on a terminal only
    with (
        open(partial(files.made), "ab") as file,
        tqdm(total=total, initial=done, unit=" lines", file=sys.stderr, disable=silent) as bar,
    ):
        while window := list(itertools.islice(lines, translator.window)):
            translations = translator.translate(window)
            file.write("".join(f"{translation.text}\n" for translation in translations).encode())
            file.flush()
            done += len(window)
            cut += sum(1 for translation in translations if translation.warnings)
            bar.update(len(window))
            if bar.disable and pace.due():
                speed = (done - first) / (time.monotonic() - began)
                left = clock((total - done) / speed)
                LOG.info("%s of %s lines, %s lines/s, %s left", f"{done:,}", f"{total:,}", f"{speed:,.1f}", left)
        os.fsync(file.fileno())
    if cut:
        LOG.warning(
            "%s of %s lines were too long for the model, or their translations did not end; the filters of nmt-train "
            "(corpus.max_length_ratio and others) leave most such pairs out",
            f"{cut:,}",
            f"{done - first:,}",
        )


def _publish(text: Text, files: Files) -> None:
    """Give the whole files their names; the translations last, since they are what says that all is done."""
    if _is_original(text, files.given):
        partial(files.given).unlink()
    else:
        os.replace(partial(files.given), files.given)
    os.replace(partial(files.made), files.made)
    files.state.unlink()


def partial(path: Path) -> Path:
    """Name the file that a path is written to until it is whole."""
    return sibling(path, "partial")
