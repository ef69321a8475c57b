"""Fetch a public corpus by its recipe: download, verify, publish whole or not at all.

A recipe is a JSON file. It names the public address, every file with the SHA-256 of its uncompressed text, the licence
and what to cite. The package ``nmt.corpora`` has some.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import importlib.resources
import io
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from nmt.errors import CorpusError

_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
"""Before the second attempt; doubles."""
_BLOCK_BYTES = 1 << 16


class _Interrupted(Exception):
    """The connection broke or timed out; another attempt may succeed."""


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus."""

    name: str
    """here"""
    path: str
    """under the address"""
    sha256: str
    """of its uncompressed bytes"""


@dataclass(frozen=True)
class Recipe:
    """Where a corpus comes from and under which terms."""

    name: str
    description: str
    url: str
    licence: str
    citation: str
    files: tuple[CorpusFile, ...]


def known_recipes() -> dict[str, Path]:
    """Return the recipes that come with nmt, by name."""
    folder = cast("Path", importlib.resources.files("nmt.corpora"))
    return {path.name.removesuffix(".json"): path for path in sorted(folder.iterdir()) if path.name.endswith(".json")}


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raises CorpusError where it is missing or not a recipe."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(CorpusFile(**entry) for entry in data.pop("files"))
        recipe = Recipe(**data, files=files)
    except OSError as error:
        raise CorpusError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorpusError(
            f"{path}: not a recipe ({' '.join(str(error).split())}); it needs name, description, url, licence, "
            "citation and files, each file with name, path and sha256"
        ) from error
    for name in (recipe.name, *(file.name for file in files)):
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise CorpusError(f"{path}: {name!r} is not a plain file name; correct the recipe")
    return recipe


def fetch(
    recipe: Recipe, output: Path, *, address: str = "", progress: Callable[[str], None] = lambda name: None
) -> bool:
    """Fill a directory with a corpus; return False where it was already complete.

    Everything is downloaded into a temporary sibling and verified first. A new directory appears by one rename. In
    an existing one, files that are missing or wrong are replaced one by one, and all other files are left alone.

    Args:
        recipe: what to fetch.
        output: the directory.
        address: a directory or URL of a copy to use instead of the public one.
        progress: is told the name of each file before it is fetched.

    Raises:
        CorpusError: a file cannot be fetched, or is not the one that the recipe means.
        OSError: the directory cannot be written.
    """
    base = (address or recipe.url).rstrip("/")
    wanted = [file for file in recipe.files if _digest(output / file.name) != file.sha256]
    if not wanted:
        return False
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.fetching-{os.getpid()}")
    try:
        temporary.mkdir()
        for file in wanted:
            progress(file.name)
            _download(file, base, temporary / file.name)
        if output.exists():
            for file in wanted:
                _replace(temporary / file.name, output / file.name)
        else:
            temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None where there is none."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    return digest.hexdigest()


def _replace(new: Path, old: Path) -> None:
    try:
        os.replace(new, old)
    except OSError as error:
        raise CorpusError(
            f"{old}: cannot be replaced ({error.strerror}); move it away and run the same command again, which keeps "
            "what is right already"
        ) from error


def _download(file: CorpusFile, base: str, destination: Path) -> None:
    """Fetch one file, compressed or plain, uncompress it and check its digest."""
    candidates = list(dict.fromkeys((file.path, file.name, f"{file.name}.gz")))
    for address in (f"{base}/{candidate}" for candidate in candidates):
        digest = attempt(address, destination)
        if digest == file.sha256:
            return
        if digest is not None:
            raise CorpusError(
                f"{address}: wrong content: its SHA-256 is {digest}, the recipe says {file.sha256}; "
                f"try another copy with --from"
            )
    raise CorpusError(f"{base}: has none of {', '.join(candidates)}; check the address or name a copy with --from")


def attempt(address: str, destination: Path) -> str | None:
    """Transfer a file with a few retries.

    Args:
        address: a path or URL.
        destination: where its uncompressed text goes.

    Returns:
        The SHA-256 of the text, or None where the address holds nothing.

    Raises:
        CorpusError: it cannot be fetched, or is damaged.
    """
    for number in range(1, _ATTEMPTS + 1):
        try:
            return _transfer(address, destination)
        except _Interrupted as error:
            if number == _ATTEMPTS:
                raise CorpusError(
                    f"{address}: cannot be fetched ({error}); check the connection or name a copy with --from"
                ) from error
            time.sleep(_PAUSE_SECONDS * 2 ** (number - 1))
    return None


def _transfer(address: str, destination: Path) -> str | None:
    """Try once; raises _Interrupted where another try may help."""
    digest = hashlib.sha256()
    with open(destination, "wb") as sink:
        try:
            with _opened(address) as source:
                if source is None:
                    return None
                while block := _read(source):
                    digest.update(block)
                    sink.write(block)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{address}: damaged gzip file ({error}); try another copy with --from") from error
        except (EOFError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _Interrupted(str(error) or type(error).__name__) from error
    return digest.hexdigest()


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(_BLOCK_BYTES)
    except gzip.BadGzipFile:
        raise
    except OSError as error:  # a connection breaks in many ways
        raise _Interrupted(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def _opened(address: str) -> Iterator[IO[bytes] | None]:
    """Open what lies at a path or URL, uncompressed; None where there is nothing."""
    try:
        url = address if "://" in address else Path(address).resolve().as_uri()
        response = urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            yield None
            return
        if error.code >= 500 or error.code == 429:
            raise _Interrupted(f"HTTP {error.code} {error.reason}") from error
        raise CorpusError(f"{address}: HTTP {error.code} {error.reason}; name a copy with --from") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError) or "No such file" in str(error.reason):
            yield None
            return
        if not isinstance(error.reason, OSError):
            raise CorpusError(f"{address}: {error.reason}; check the address") from error
        raise _Interrupted(str(error.reason)) from error
    with response, io.BufferedReader(_Counted(response)) as reader:
        compressed = reader.peek(2)[:2] == b"\x1f\x8b"
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=reader)) if compressed else reader


class _Counted(io.RawIOBase):
    """A response that notices when it ends before its announced length."""

    def __init__(self, response: IO[bytes]) -> None:
        self._response = response
        headers = getattr(response, "headers", None)
        length = headers.get("Content-Length") if headers is not None else None
        self._missing = int(length) if length is not None else None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; EOFError where bytes are missing at the end."""
        block = self._response.read(len(buffer))
        buffer[: len(block)] = block
        if self._missing is not None:
            self._missing -= len(block)
            if not block and self._missing > 0:
                raise EOFError(f"{self._missing} bytes are missing at the end")
        return len(block)
