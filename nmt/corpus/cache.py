"""What earlier starts found out about the same text: small facts in the cache directory, and digests of files."""

import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nmt.corpus.reader import CorpusPaths, TextFile
from nmt.errors import CorpusError

_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Cache:
    """Small facts, each under a key that names all that it depends on; one JSON file a fact.

    It is a cache and no more: a fact that is missing, damaged or cannot be written is found out again.

    Attributes:
        cache_dir: the facts lie in its directory ``facts``, which is made when the first one is written.
    """

    cache_dir: Path
    # Digests of this start; those of files that were just written are kept nowhere else.
    _fresh: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def directory(self) -> Path:
        """Where the facts lie."""
        return self.cache_dir / "facts"

    def get(self, *key: object) -> Any:
        """Return the fact under a key of plain values, or None."""
        name = _name(key)
        if name in self._fresh:
            return self._fresh[name]
        try:
            return json.loads((self.directory / name).read_text(encoding="utf-8"))["fact"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, fact: Any, *key: object) -> None:
        """Keep a fact, made of what JSON knows, under a key."""
        partial = self.directory / f"{_name(key)}.{os.getpid()}"
        # Where the cache directory cannot be written, whoever puts more than facts there says so.
        with contextlib.suppress(OSError):
            self.directory.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_text(json.dumps({"key": key, "fact": fact}), encoding="utf-8")
                os.replace(partial, self.directory / _name(key))
            finally:
                partial.unlink(missing_ok=True)

    def file_digest(self, file: TextFile) -> str:
        """SHA-256 of a file's bytes, in hex; read once, and again only after the file has changed.

        Raises:
            CorpusError: the file cannot be read.
        """
        try:
            key = ("digest", *_identity(file))
            cached = self.get(*key)
            if isinstance(cached, str):
                return cached
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            self._fresh[_name(key)] = digest
            if _identity(file) == key[1:] and _settled(file):
                self.put(digest, *key)
            return digest
        except OSError as error:
            raise CorpusError(f"{file}: cannot be read ({error.strerror or error}); check the file") from error

    def digests(self, paths: CorpusPaths) -> list[str]:
        """`file_digest` of every file of a corpus, source first, and how their form reads them."""
        return [*map(self.file_digest, paths.files), *([paths.form.digest(paths)] if paths.form is not None else [])]


def digest_of(*parts: object) -> str:
    """SHA-256 of plain values, in hex."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _name(key: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32] + ".json"


def _identity(file: TextFile) -> tuple[object, ...]:
    """Identify a file's present content without reading it; a file inside an archive has its name only."""
    if not isinstance(file, Path):
        return (str(file),)
    status = file.stat()
    return (os.path.abspath(file), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _settled(file: TextFile) -> bool:
    """Whether the next change of the file will show in its times, which advance in steps."""
    if not isinstance(file, Path):
        return False
    status = file.stat()
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
