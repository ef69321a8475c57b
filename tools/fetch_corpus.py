#!/usr/bin/env python3
"""Fetch a public corpus by its recipe: download, verify, publish whole or not at all.

``tools/fetch_corpus.py multi30k`` fills corpora/multi30k/. A recipe is a JSON file in corpora/ that names the public
address, every file with the SHA-256 of its uncompressed text, the licence and what to cite. Needs nothing beyond the
standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast

RECIPES = Path(__file__).resolve().parent.parent / "corpora"
TIMEOUT_SECONDS = 30
ATTEMPTS = 3
PAUSE_SECONDS = 1.0  # before the second attempt; doubles
BLOCK = 1 << 16


class FetchError(Exception):
    """What is wrong, where, and what to do, in one line; the user can fix it."""


class _Interrupted(Exception):
    """The connection broke or timed out; another attempt may succeed."""


@dataclass(frozen=True)
class CorpusFile:
    """One file of a corpus: its name here, its path under the address, and the digest of its uncompressed bytes."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """Where a corpus comes from and under which terms."""

    name: str
    description: str
    url: str
    licence: str
    citation: str
    files: tuple[CorpusFile, ...]


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raises FetchError where it is missing or not a recipe."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(CorpusFile(**entry) for entry in data.pop("files"))
        recipe = Recipe(**data, files=files)
    except OSError as error:
        raise FetchError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FetchError(f"{path}: not a recipe ({' '.join(str(error).split())}); see corpora/multi30k.json") from error
    for name in (recipe.name, *(file.name for file in files)):
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise FetchError(f"{path}: {name!r} is not a plain file name; correct the recipe")
    return recipe


def known_recipes() -> dict[str, Path]:
    """Recipes in corpora/, by name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.json"))}


def digest_of(path: Path) -> str | None:
    """SHA-256 of a file, or None where there is none."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
    except (FileNotFoundError, IsADirectoryError):
        return None
    return digest.hexdigest()


def fetch(recipe: Recipe, output: Path, base: str) -> bool:
    """Fill `output` with the corpus; returns False where it was already complete.

    Everything is downloaded into a temporary sibling and verified first. A new directory appears by one rename; files
    missing or wrong in an existing one are replaced one by one, and whatever else lies there is left alone.
    """
    wanted = [file for file in recipe.files if digest_of(output / file.name) != file.sha256]
    if not wanted:
        return False
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.fetching-{os.getpid()}")
    try:
        temporary.mkdir()
        for file in wanted:
            print(f"{recipe.name}: fetching {file.name}", file=sys.stderr)
            download(file, base, temporary / file.name)
        if output.exists():
            for file in wanted:
                _replace(temporary / file.name, output / file.name)
        else:
            temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _replace(new: Path, old: Path) -> None:
    try:
        os.replace(new, old)
    except OSError as error:
        raise FetchError(
            f"{old}: cannot be replaced ({error.strerror}); move it away and run the same command again, which keeps "
            "what is right already"
        ) from error


def download(file: CorpusFile, base: str, destination: Path) -> None:
    """Fetch one file, compressed or plain, uncompress it and check its digest."""
    candidates = list(dict.fromkeys((file.path, file.name, f"{file.name}.gz")))
    for candidate in candidates:
        address = f"{base}/{candidate}"
        found = attempt(address, destination)
        if found is None:
            continue
        if found != file.sha256:
            raise FetchError(
                f"{address}: wrong content: its SHA-256 is {found}, the recipe says {file.sha256}; "
                f"try another copy with --from"
            )
        return
    raise FetchError(f"{base}: has none of {', '.join(candidates)}; check the address or name a copy with --from")


def attempt(address: str, destination: Path) -> str | None:
    """Transfer with a few retries; returns the digest of the text, or None where the address holds nothing."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return transfer(address, destination)
        except _Interrupted as error:
            if number == ATTEMPTS:
                raise FetchError(
                    f"{address}: cannot be fetched ({error}); check the connection or name a copy with --from"
                ) from error
            time.sleep(PAUSE_SECONDS * 2 ** (number - 1))
    return None


def transfer(address: str, destination: Path) -> str | None:
    """One try at `attempt`; raises _Interrupted where another may help."""
    digest = hashlib.sha256()
    with open(destination, "wb") as sink:
        try:
            with opened(address) as source:
                if source is None:
                    return None
                while block := _read(source):
                    digest.update(block)
                    sink.write(block)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise FetchError(f"{address}: damaged gzip file ({error}); try another copy with --from") from error
        except (EOFError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _Interrupted(str(error) or type(error).__name__) from error
    return digest.hexdigest()


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(BLOCK)
    except gzip.BadGzipFile:
        raise
    except OSError as error:  # a connection breaks in many ways
        raise _Interrupted(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def opened(address: str) -> Iterator[IO[bytes] | None]:
    """Open what lies at a path or URL, uncompressed; None where there is nothing."""
    try:
        url = address if "://" in address else Path(address).resolve().as_uri()
        response = urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            yield None
            return
        if error.code >= 500 or error.code == 429:
            raise _Interrupted(f"HTTP {error.code} {error.reason}") from error
        raise FetchError(f"{address}: HTTP {error.code} {error.reason}; name a copy with --from") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError) or "No such file" in str(error.reason):
            yield None
            return
        if not isinstance(error.reason, OSError):
            raise FetchError(f"{address}: {error.reason}; check the address") from error
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
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        block = self._response.read(len(buffer))
        buffer[: len(block)] = block
        if self._missing is not None:
            self._missing -= len(block)
            if not block and self._missing > 0:
                raise EOFError(f"{self._missing} bytes are missing at the end")
        return len(block)


def _terminated(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks."""
    recipes = known_recipes()
    if options.list:
        for path in recipes.values():
            recipe = load_recipe(path)
            print(f"{recipe.name}: {recipe.description} [{recipe.licence}]")
        return
    known = ", ".join(recipes)
    if options.recipe is not None:
        recipe = load_recipe(options.recipe)
    elif options.corpus in recipes:
        recipe = load_recipe(recipes[options.corpus])
    elif options.corpus is None:
        raise FetchError(f"no corpus is named; known: {known}")
    else:
        raise FetchError(f"{options.corpus}: unknown corpus; known: {known}")
    output = options.output or RECIPES / recipe.name
    base = (options.source or recipe.url).rstrip("/")
    if "://" not in base and not Path(base).is_dir():
        raise FetchError(f"--from {base}: there is no such directory; name a directory or a URL")
    fetched = fetch(recipe, output, base)
    state = "complete" if fetched else "already complete"
    print(f"{recipe.name}: {state} in {output} ({len(recipe.files)} files verified)")
    print(f"licence: {recipe.licence}\nplease cite: {recipe.citation}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Fetch a public corpus, verified, into corpora/NAME/.")
    parser.add_argument("corpus", nargs="?", metavar="NAME", help="which corpus; see --list")
    parser.add_argument("--from", dest="source", metavar="DIR-OR-URL", help="a copy to use instead of the public one")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where the files go (default: corpora/NAME)")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe of your own instead of NAME")
    parser.add_argument("--list", action="store_true", help="list the known corpora and their licences")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        run(options)
    except FetchError as error:
        print(f"fetch_corpus: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = error.filename or "the corpus"
        print(
            f"fetch_corpus: {where}: cannot be written ({error.strerror or error}); nothing was changed",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("fetch_corpus: stopped; nothing was changed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
