"""The description of a bundle's model: config.json and the subwords, without a single weight.

A bundle is a directory that holds a trained model and everything it needs to translate. Its weights are
`nmt.bundle.weights`'s (PyTorch) and `nmt.runtime`'s (ONNX Runtime); here nothing but the standard library, NumPy and
sentencepiece is needed.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nmt.bundle.manifest import CONFIG, Manifest, manifest_of, require_whole
from nmt.bundle.replacement import find_whole, identity
from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.pairs import LanguagePair
from nmt.config.schema import from_dict, to_dict
from nmt.config.search import SearchConfig
from nmt.errors import BundleError, ConfigError, SubwordError
from nmt.files import read_regular
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import Vocabulary, read_vocabulary
from nmt.version import __version__

FORMAT = 1
"""Raised when an older nmt can no longer read what a newer one writes."""

WEIGHTS = "model.safetensors"
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z")
_JOINT, _SOURCE, _TARGET = "subwords.model", "subwords.source.model", "subwords.target.model"
_WORDS, _LABELS = "words.json", "labels.json"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Description:
    """All of a bundle but its weights, for PyTorch and ONNX Runtime alike."""

    config: ModelConfig
    source_subwords: Vocabulary
    """subwords, or the words of a model that gives labels"""
    target_subwords: Vocabulary
    """subwords, or labels; the same object as `source_subwords` where one model serves both sides"""
    source_language: str
    target_language: str
    task: TaskName = TaskName.translation
    """what the model is for"""
    search: SearchConfig = field(default_factory=SearchConfig)
    """how to search unless the caller says otherwise"""
    pairs: tuple[LanguagePair, ...] = ()
    """the directions that a model of several languages was trained in; nothing where there is one direction. Where
    pairs have several sources, or targets, `source_language`, or `target_language`, is empty"""
    tags: dict[str, int] = field(default_factory=dict)
    """name → control symbol (0 to 15) before the source; nothing in a bundle without names"""
    metadata: dict[str, Any] = field(default_factory=dict)
    """facts about the training: updates, minutes, scores with signatures"""
    variants: dict[str, dict[str, str]] = field(default_factory=lambda: {"fp32": {"weights": WEIGHTS}})
    """precision → part → file: ``weights`` for PyTorch; ``encoder``, ``step`` and others for ONNX Runtime"""
    files: Manifest = field(default_factory=dict)
    """the manifest that was read; nothing in a bundle of before"""


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
        manifest = manifest_of(config)
        subwords, languages = config["subwords"], config["languages"]
        task = _task(path, config)
        names = _vocabulary_names(task, joint=bool(subwords["joint"]))
        source, target = _load_vocabularies(path, manifest, names)
        sizes = (source.vocabulary_size, target.vocabulary_size)
        stated = (subwords["source_vocabulary"], subwords["target_vocabulary"])
        if sizes != stated:
            raise BundleError(
                f"{path}: the subword models have {sizes[0]} and {sizes[1]} subwords but {CONFIG} says "
                f"{stated[0]} and {stated[1]}; the files do not belong together, copy the bundle again"
            )
        return Description(
            config=model_config,
            task=task,
            source_subwords=source,
            target_subwords=target,
            source_language=languages["source"],
            target_language=languages["target"],
            pairs=_pairs(path, languages),
            search=search,
            tags=_tags(path, config),
            metadata=config.get("metadata", {}),
            variants={name: {**parts} for name, parts in config["variants"].items()},
            files=manifest,
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


def subword_files(description: Description) -> Iterator[tuple[str, bytes]]:
    """Write the vocabularies as files of a bundle: names and contents."""
    source, target = description.source_subwords, description.target_subwords
    names = _vocabulary_names(description.task, joint=source is target)
    yield from ((name, side.to_bytes()) for name, side in zip(names, (source, target), strict=False))


def written_config(description: Description) -> dict[str, Any]:
    """Make config.json, still without the manifest."""
    source, target = description.source_subwords, description.target_subwords
    languages: dict[str, Any] = {"source": description.source_language, "target": description.target_language}
    if description.pairs:
        languages["pairs"] = [list(pair) for pair in description.pairs]
    return {
        "format": FORMAT,
        "nmt_version": __version__,
        "task": str(description.task),
        "languages": languages,
        "model": to_dict(description.config),
        "search": to_dict(description.search),
        "tags": description.tags,
        "subwords": {
            "joint": source is target,
            "source_vocabulary": source.vocabulary_size,
            "target_vocabulary": target.vocabulary_size,
        },
        "special_ids": {"pad": target.pad_id, "unk": target.unk_id, "bos": target.bos_id, "eos": target.eos_id},
        "variants": description.variants,
        "metadata": description.metadata,
    }


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
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BundleError(f"{path / CONFIG} cannot be read ({reason}); copy the bundle again") from None
    if not isinstance(version, int) or version > FORMAT:
        raise BundleError(
            f"{path} has bundle format {version}, and nmt {__version__} reads formats up to {FORMAT}; "
            "install a newer nmt"
        )
    return config  # type: ignore[no-any-return]


def _task(path: Path, config: dict[str, Any]) -> TaskName:
    """Read the task; bundles of before have none, and translate."""
    name = config.get("task", TaskName.translation.value)
    if name not in TaskName.__members__:
        raise BundleError(f"{path} is of task {name}, which nmt {__version__} does not know; install a newer nmt")
    return TaskName[name]


def _pairs(path: Path, languages: dict[str, Any]) -> tuple[LanguagePair, ...]:
    """Read the directions of a model of several languages; other bundles have none."""
    pairs = languages.get("pairs", [])
    if not (
        isinstance(pairs, list)
        and all(
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) for each in pair) for pair in pairs
        )
    ):
        raise BundleError(f"{path / CONFIG}: pairs must be lists of two languages each; copy the bundle again")
    return tuple(LanguagePair(*pair) for pair in pairs)


def _tags(path: Path, config: dict[str, Any]) -> dict[str, int]:
    """Read the names of tags; bundles of before have none."""
    tags = config.get("tags", {})
    if not (isinstance(tags, dict) and all(type(number) is int and 0 <= number <= 15 for number in tags.values())):
        raise BundleError(f"{path / CONFIG}: tags must be names with numbers from 0 to 15; copy the bundle again")
    return tags


def _vocabulary_names(task: TaskName, *, joint: bool) -> tuple[str, ...]:
    if task in (TaskName.labelling, TaskName.classification):
        return _WORDS, _LABELS
    return (_JOINT,) if joint else (_SOURCE, _TARGET)


def _load_vocabularies(path: Path, manifest: Manifest, names: tuple[str, ...]) -> tuple[Vocabulary, Vocabulary]:
    models: list[Vocabulary] = []
    for name in names:
        file = require_whole(path, name, manifest)
        if name not in (_WORDS, _LABELS):
            models.append(SubwordModel.load(file))
            continue
        try:
            data = read_regular(file)
        except OSError as error:
            raise BundleError(f"{file} cannot be read ({error.strerror}); copy the bundle again") from None
        models.append(read_vocabulary(data, origin=str(file)))
    return models[0], models[-1]
