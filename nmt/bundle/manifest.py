"""The manifest of a bundle: size and checksum of each of its files, the entry ``files`` of config.json.

A file that was cut short or changed is found before it is used. Bundles of before have no manifest, and load without.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nmt.errors import BundleError
from nmt.files import encoded, require_regular

CONFIG, CARD = "config.json", "README.md"


class Written(NamedTuple):
    """What a file held when it was written."""

    bytes: int
    sha256: str


Manifest = Mapping[str, Written]
"""name, with "/" where there are folders → what the file held; config.json, which has it, is not listed"""


def with_manifest(config: dict[str, Any], contents: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a bundle, names and contents, and then its config.json, which has their manifest."""
    files = {}
    for name, content in contents:
        files[name] = Written(len(content), hashlib.sha256(content).hexdigest())._asdict()
        yield name, content
    config = config | {"files": dict(sorted(files.items()))}
    yield CONFIG, encoded(json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def manifest_of(config: Mapping[str, Any]) -> Manifest:
    """Read the manifest; nothing in a bundle of before; KeyError and the like where it is damaged."""
    manifest = {name: Written(entry["bytes"], entry["sha256"]) for name, entry in config.get("files", {}).items()}
    for name, written in manifest.items():
        if type(written.bytes) is not int or not isinstance(written.sha256, str):
            raise TypeError(f"files: {name!r} has no number of bytes and checksum")
    return manifest


def damage(path: Path, name: str, manifest: Manifest) -> str | None:
    """Say what is wrong with a file of the bundle at `path`; None: it is as it was written, as far as is known.

    The model card may be another: people edit it.
    """
    file = path / name
    try:
        require_regular(file)
        with open(file, "rb") as content:
            if name == CARD or name not in manifest:
                return None
            size, written = os.fstat(content.fileno()).st_size, manifest[name]
            if size == written.bytes:
                if hashlib.file_digest(content, "sha256").hexdigest() == written.sha256:
                    return None
                reason = "its content is not what was written"
            else:
                reason = f"it has {size:,} bytes, and had {written.bytes:,} when it was written"
    except OSError as error:
        reason = str(error.strerror)
    return f"{file} is missing or damaged ({reason})"


def require_whole(path: Path, name: str, manifest: Manifest, *, advice: str = "copy the bundle again") -> Path:
    """Return where a file of the bundle at `path` is; BundleError, with this advice, where it is missing or damaged."""
    if reason := damage(path, name, manifest):
        raise BundleError(f"{reason}; {advice}")
    return path / name


def other_files(path: Path, manifest: Manifest, *, but: str) -> Iterator[tuple[str, bytes]]:
    """Read the files of a bundle to write them into the next one: names and contents.

    Args:
        path: the bundle.
        manifest: its own.
        but: a name, or the folder of names that are left out; config.json always is.

    Raises:
        BundleError: one is damaged or cannot be read.
    """
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and name != CONFIG and but not in (name, name.partition("/")[0]):
            yield name, require_whole(path, name, manifest).read_bytes()
