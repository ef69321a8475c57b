"""The description of a bundle's model: config.json and the subwords, without a single weight.

A bundle is a directory that holds a trained model and everything it needs to translate. Its weights are
`nmt.bundle.weights`'s (PyTorch) and `nmt.runtime`'s (ONNX Runtime); here nothing but the standard library, NumPy and
sentencepiece is needed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from nmt.bundle.replacement import find_whole, identity
from nmt.config.model import ModelConfig
from nmt.config.schema import from_dict, to_dict
from nmt.config.search import SearchConfig
from nmt.errors import BundleError, ConfigError, SubwordError
from nmt.files import encoded, read_regular, require_regular
from nmt.text.subwords import SubwordModel
from nmt.version import __version__

FORMAT = 1
"""Raised when an older nmt can no longer read what a newer one writes."""

CONFIG = "config.json"
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z")
_JOINT, _SOURCE, _TARGET = "subwords.model", "subwords.source.model", "subwords.target.model"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The languages, subwords and settings around a model, for PyTorch and ONNX Runtime alike."""

    source_subwords: SubwordModel
    target_subwords: SubwordModel
    """the same object as `source_subwords` where one model serves both sides"""
    source_language: str
    target_language: str
    search: SearchConfig = field(default_factory=SearchConfig)
    """how to search unless the caller says otherwise"""
    metadata: dict[str, Any] = field(default_factory=dict)
    """facts about the training: updates, minutes, scores with signatures"""

    def surroundings(self) -> dict[str, Any]:
        """Return these fields by name, to put another model between them."""
        return {each.name: getattr(self, each.name) for each in fields(Surroundings)}


@dataclass(frozen=True, kw_only=True)
class Description(Surroundings):
    """All of a bundle but its weights."""

    config: ModelConfig
    variants: dict[str, dict[str, str]]
    """precision → which file holds what: ``weights`` for PyTorch, ``encoder`` and ``step`` for ONNX Runtime"""


def read_whole(path: Path, read: Callable[[Path], T]) -> T:
    """Read a bundle with `read`, and once more if it was replaced meanwhile: the result may be half old, half new.

    Raises:
        BundleError: there is no bundle at `path`, or `read` says so.
    """
    while True:
        try:
            whole = find_whole(path)
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror}); check the path") from None
        if whole is None:
            raise BundleError(f"{path} does not exist; name a directory that nmt-train made, such as runs/demo/best")
        if not whole.is_dir():
            raise BundleError(_no_directory(whole))
        before = identity(whole)
        try:
            content = read(whole)
        except BundleError:
            if identity(whole) == before:
                raise
        else:
            if identity(whole) == before:
                return content


def _no_directory(path: Path) -> str:
    """Say what to do where a bundle was meant and a file was named."""
    if (path.parent / CONFIG).is_file():
        return f"{path} is a file of a bundle; name its directory: {path.parent}"
    if path.suffix in _ARCHIVES:
        return f"{path} is an archive, not a bundle; unpack it and name the directory that comes out"
    return f"{path} is a file, not a bundle; name a directory that nmt-train made, such as runs/demo/best"


def read_description(path: Path) -> Description:
    """Read config.json and the subwords of a bundle.

    Raises:
        BundleError: it is no bundle, its format is newer than this nmt, or a file is missing or damaged.
    """
    config = read_config(path)
    with explaining(path):
        model_config = from_dict(ModelConfig, config["model"])
        search = from_dict(SearchConfig, config["search"])
        model_config.validate()
        search.validate()
        source, target = _load_subwords(path, joint=bool(config["subwords"]["joint"]))
        languages = config["languages"]
        sizes = (source.vocabulary_size, target.vocabulary_size)
        stated = (config["subwords"]["source_vocabulary"], config["subwords"]["target_vocabulary"])
        if sizes != stated:
            raise BundleError(
                f"{path}: the subword models have {sizes[0]} and {sizes[1]} subwords but {CONFIG} says "
                f"{stated[0]} and {stated[1]}; the files do not belong together, copy the bundle again"
            )
        return Description(
            config=model_config,
            source_subwords=source,
            target_subwords=target,
            source_language=languages["source"],
            target_language=languages["target"],
            search=search,
            metadata=config.get("metadata", {}),
            variants={name: {**files} for name, files in config["variants"].items()},
        )


@contextlib.contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged entry of config.json into a BundleError that names the bundle."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise BundleError(f"{path / CONFIG}: an entry is missing or wrong ({error}); copy the bundle again") from None
    except (ConfigError, SubwordError) as error:
        raise BundleError(f"{path}: {error}") from None


def description_files(description: Description) -> Iterator[tuple[str, bytes]]:
    """Write a description as the files of a bundle: names and contents."""
    source, target = description.source_subwords, description.target_subwords
    joint = source is target
    if joint:
        yield _JOINT, source.to_bytes()
    else:
        yield _SOURCE, source.to_bytes()
        yield _TARGET, target.to_bytes()
    config = {
        "format": FORMAT,
        "nmt_version": __version__,
        "languages": {"source": description.source_language, "target": description.target_language},
        "model": to_dict(description.config),
        "search": to_dict(description.search),
        "subwords": {
            "joint": joint,
            "source_vocabulary": source.vocabulary_size,
            "target_vocabulary": target.vocabulary_size,
        },
        "special_ids": {"pad": target.pad_id, "unk": target.unk_id, "bos": target.bos_id, "eos": target.eos_id},
        "variants": description.variants,
        "metadata": description.metadata,
    }
    yield CONFIG, config_bytes(config)


def config_bytes(config: dict[str, Any]) -> bytes:
    """Write config.json."""
    return encoded(json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def files_of(path: Path) -> Iterator[tuple[str, Path]]:
    """List the files of a bundle: names with "/" where there are folders, and where they are."""
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def read_file(path: Path) -> bytes:
    """Read a file of a bundle, to write it into the next one.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        require_regular(path)
        return path.read_bytes() if path.suffix == ".safetensors" else read_regular(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); copy the bundle again") from None


def read_config(path: Path) -> dict[str, Any]:
    """Read config.json as it is.

    Raises:
        BundleError: it is missing or damaged, or its format is newer than this nmt.
    """
    try:
        config = json.loads(read_regular(path / CONFIG))
        version = config["format"]
    except FileNotFoundError:
        if (path / "best" / CONFIG).is_file():
            raise BundleError(f"{path} is a run, not a bundle; did you mean {path / 'best'}?") from None
        raise BundleError(
            f"{path} is not a bundle: it has no {CONFIG}; name a directory that nmt-train made, such as runs/demo/best"
        ) from None
    except OSError as error:
        raise BundleError(f"{path / CONFIG} cannot be read ({error.strerror}); copy the bundle again") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"{path / CONFIG} cannot be read ({error}); copy the bundle again") from None
    if not isinstance(version, int) or version > FORMAT:
        raise BundleError(
            f"{path} has bundle format {version}, and nmt {__version__} reads formats up to {FORMAT}; "
            "install a newer nmt"
        )
    return config  # type: ignore[no-any-return]


def _load_subwords(path: Path, *, joint: bool) -> tuple[SubwordModel, SubwordModel]:
    if joint:
        model = SubwordModel.load(path / _JOINT)
        return model, model
    return SubwordModel.load(path / _SOURCE), SubwordModel.load(path / _TARGET)
