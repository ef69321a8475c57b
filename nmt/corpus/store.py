"""The encoded corpus on disk: ids, offsets and the filtered raw text (sampling needs it), memory-mapped.

A store lies in the user's cache directory under a name that hashes the files' content and every setting that shapes it.
It is built once, as a stream, and published by one rename. A lock guards it: where several processes start together,
one builds and the others wait.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs

from nmt.corpus.cache import Cache
from nmt.corpus.encoding import EncodedCorpus, Encoder, Progress, assemble
from nmt.corpus.reader import CorpusPaths, Pair, read_pairs
from nmt.errors import ConfigError, RunError

_FORMAT = 2
_META = "meta.json"


def default_cache_dir() -> Path:
    """Where stores live unless a setting says otherwise: $NMT_CACHE, or the user's cache directory."""
    return Path(os.environ.get("NMT_CACHE") or platformdirs.user_cache_path("nmt")).expanduser()


def open_store(
    paths: CorpusPaths, encoder: Encoder, *, cache: Cache, progress: Progress | None = None
) -> tuple[EncodedCorpus, bool]:
    """Open the encoded corpus, building it first where it is missing or damaged.

    Args:
        paths: the training text.
        encoder: what encodes and filters it.
        cache: knows the digests of files; the stores lie in its directory too.
        progress: called with the number of pairs read so far, while building.

    Returns:
        The corpus, and whether this call built it.

    Raises:
        CorpusError: as `read_pairs`, or no pair is left after filtering.
        ConfigError: the cache directory cannot be written.
        RunError: the disk is full.
    """
    root = cache.cache_dir / "corpora"
    recipe: dict[str, Any] = {
        "format": _FORMAT,
        "files": cache.digests(paths),
        "subwords": [encoder.source_subwords.digest, encoder.target_subwords.digest],
        "filters": asdict(encoder.filters),
        "hold_out": encoder.hold_out,
    }
    if encoder.hold_out_side != "source":
        recipe["hold_out_side"] = encoder.hold_out_side
    if encoder.validation:
        recipe["validation"] = sorted(encoder.validation)
    if encoder.deduplicate:
        recipe["deduplicate"] = True
    final = root / hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:32]
    if (corpus := _load(final)) is not None:
        return corpus, False
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(final):
            if (corpus := _load(final)) is not None:  # another process built it while this one waited
                return corpus, False
            _sweep(root, besides=final)
            _build(final, encoder, read_pairs(paths), paths.label, progress)
    except OSError as error:
        raise _disk_error(root, error) from error
    if (corpus := _load(final)) is None:
        raise RunError(f"{final}: the encoded corpus cannot be read back; check the disk or set corpus.cache_dir")
    return corpus, True


def _build(final: Path, encoder: Encoder, pairs: Iterable[Pair], label: str, progress: Progress | None) -> None:
    """Write a sibling directory and rename it into place; on any failure nothing stays behind."""
    building = final.with_name(f"{final.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        with ExitStack() as stack:
            sinks = {name: stack.enter_context(open(building / name, "wb")) for name in encoder.dtypes()}
            meta = encoder.write(pairs, sinks, label, progress)
        meta["format"] = _FORMAT
        meta["sizes"] = {name: (building / name).stat().st_size for name in sinks}
        with open(building / _META, "w", encoding="utf-8", newline="\n") as stream:
            json.dump(meta, stream, ensure_ascii=False)
        shutil.rmtree(final, ignore_errors=True)  # a damaged one
        os.rename(building, final)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _load(directory: Path) -> EncodedCorpus | None:
    """Memory-map a store, or None where it is missing, incomplete or unreadable."""
    try:
        with open(directory / _META, encoding="utf-8") as stream:
            meta = json.load(stream)
        if meta["format"] != _FORMAT:
            return None
        if any((directory / name).stat().st_size != size for name, size in meta["sizes"].items()):
            return None
        dtypes = meta["dtypes"].items()
        return assemble({name: np.memmap(directory / name, dtype=dtype, mode="r") for name, dtype in dtypes}, meta)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _locked(final: Path) -> AbstractContextManager[object]:
    """Lock a store until the context ends, and say so where it has to wait."""
    lock = filelock.FileLock(_lock_path(final))
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        logging.getLogger("nmt").info("another process is encoding the corpus; waiting for it (%s)", final)
        return lock.acquire()


def _lock_path(final: Path) -> Path:
    return final.with_name(f"{final.name}.lock")


def _sweep(root: Path, *, besides: Path) -> None:
    """Remove the half-built directories of crashed builders of other stores: those whose lock is free."""
    for building in root.glob("*.building"):
        if building.stem == besides.name:
            continue
        lock = filelock.FileLock(_lock_path(building.with_suffix("")))
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(building, ignore_errors=True)
        except filelock.Timeout:
            continue


def _disk_error(root: Path, error: OSError) -> RunError | ConfigError:
    if error.errno == errno.EFBIG:
        return RunError(
            f"{root}: the encoded corpus is larger than a file may be; raise that limit (ulimit -f), or set "
            "corpus.cache_dir or $NMT_CACHE elsewhere"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"{root}: no space left to encode the corpus; free some, or set corpus.cache_dir or $NMT_CACHE elsewhere"
        )
    return ConfigError(
        f"{root}: the encoded corpus cannot be written ({error.strerror or error}); "
        f"set corpus.cache_dir or $NMT_CACHE to a directory of yours"
    )
