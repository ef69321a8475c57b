"""The bundle: a directory that holds a trained model and everything it needs to translate.

A bundle is replaced in two renames through sibling names, because a directory cannot be renamed onto a full one:
``best.partial`` is written and flushed, renamed to ``best.new`` (whole from here on), ``best`` steps aside to
``best.old``, ``best.new`` takes its place, ``best.old`` goes. Whoever finds an interrupted swap finishes it, so that at
any moment the old or the new bundle is whole.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nmt import __version__
from nmt.config import ModelConfig, SearchConfig
from nmt.errors import BundleError, ConfigError, RunError, SubwordError
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.schema import from_dict, to_dict
from nmt.subwords import SubwordModel

FORMAT = 1
"""Raised when an older nmt can no longer read what a newer one writes."""

_CONFIG, _WEIGHTS, _CARD = "config.json", "model.safetensors", "README.md"
_JOINT, _SOURCE, _TARGET = "subwords.model", "subwords.source.model", "subwords.target.model"


@dataclass
class Bundle:
    """A trained model with all that translating needs."""

    model: Seq2Seq
    config: ModelConfig
    source_subwords: SubwordModel
    target_subwords: SubwordModel
    """the same object as `source_subwords` where one model serves both sides"""
    source_language: str
    target_language: str
    search: SearchConfig = field(default_factory=SearchConfig)
    """how to search unless the caller says otherwise"""
    metadata: dict[str, Any] = field(default_factory=dict)
    """what is known of the training: updates, minutes, scores with signatures"""


def save_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle to `path`, replacing one that is there; at any moment the old or the new one is whole.

    Raises:
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        finish_saving(path)
        partial = _sibling(path, "partial")
        partial.mkdir()
        try:
            for name, content in _contents(bundle):
                _write(partial / name, content)
            _flush_directory(partial)
            _swap(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def finish_saving(path: Path) -> None:
    """Finish or clear away what a killed save to `path` left; RunError where the disk does not let it."""
    with saving(path):
        _finish_swap(path)
        shutil.rmtree(_sibling(path, "partial"), ignore_errors=True)


def load_bundle(path: Path, *, device: torch.device | str = "cpu") -> Bundle:
    """Read a bundle from `path`, its model in evaluation mode on `device`.

    Raises:
        BundleError: there is no bundle at `path`, its format is newer than this nmt, or a file is missing or damaged.
    """
    while True:
        whole = _whole(Path(path))
        before = _identity(whole)
        try:
            bundle = _read_bundle(whole, device)
        except BundleError:
            if _identity(whole) == before:
                raise
        else:
            if _identity(whole) == before:
                return bundle
        # A training run replaced the bundle while it was being read: what was read may be half of each.


def _read_bundle(path: Path, device: torch.device | str) -> Bundle:
    config = _read_config(path)
    try:
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
                f"{path}: the subword models have {sizes[0]} and {sizes[1]} subwords but {_CONFIG} says "
                f"{stated[0]} and {stated[1]}; the files do not belong together, copy the bundle again"
            )
        with torch.device("meta"):
            model = build_model(model_config, source_vocabulary=sizes[0], target_vocabulary=sizes[1])
        _load_weights(model, path / config["variants"]["fp32"]["weights"], device)
        return Bundle(
            model.eval(),
            model_config,
            source_subwords=source,
            target_subwords=target,
            source_language=languages["source"],
            target_language=languages["target"],
            search=search,
            metadata=config.get("metadata", {}),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise BundleError(f"{path / _CONFIG}: an entry is missing or wrong ({error}); copy the bundle again") from None
    except (ConfigError, SubwordError) as error:
        raise BundleError(f"{path}: {error}") from None


@contextlib.contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn a failure to write `path` into a RunError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "free some space and run the same command again"
        else:
            hint = "make it writable or choose another run_dir"
        raise RunError(
            f"cannot save {path}: {error.strerror or error}; what was saved before is intact; {hint}"
        ) from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a sibling of `path`, flush it to disk and rename it over `path`."""
    partial = _sibling(path, "partial")
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _flush_directory(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _contents(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    joint = bundle.source_subwords is bundle.target_subwords
    yield _WEIGHTS, safetensors.torch.save(inference_weights(bundle.model.state_dict()), {"format": "pt"})
    if joint:
        yield _JOINT, bundle.source_subwords.to_bytes()
    else:
        yield _SOURCE, bundle.source_subwords.to_bytes()
        yield _TARGET, bundle.target_subwords.to_bytes()
    target = bundle.target_subwords
    config = {
        "format": FORMAT,
        "nmt_version": __version__,
        "languages": {"source": bundle.source_language, "target": bundle.target_language},
        "model": to_dict(bundle.config),
        "search": to_dict(bundle.search),
        "subwords": {
            "joint": joint,
            "source_vocabulary": bundle.source_subwords.vocabulary_size,
            "target_vocabulary": target.vocabulary_size,
        },
        "special_ids": {"pad": target.pad_id, "unk": target.unk_id, "bos": target.bos_id, "eos": target.eos_id},
        "variants": {"fp32": {"weights": _WEIGHTS}},
        "metadata": bundle.metadata,
    }
    yield _CONFIG, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
    yield _CARD, model_card(bundle).encode()


def inference_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights to contiguous fp32 tensors on the CPU; tied matrices are one tensor in the model already."""
    return {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in weights.items()}


def model_card(bundle: Bundle) -> str:
    """Describe a bundle for whoever finds it: languages, size, scores with signatures, how to use it."""
    parameters = sum(p.numel() for p in bundle.model.parameters())
    lines = [
        f"# {bundle.source_language} → {bundle.target_language}",
        "",
        f"A translator trained with nmt {__version__}: {bundle.config.cell} encoder-decoder with "
        f"{bundle.config.attention} attention, {parameters / 1e6:.1f} million parameters, "
        f"{bundle.target_subwords.vocabulary_size} target subwords.",
        "",
        "    nmt-translate THIS_DIRECTORY < input.txt > output.txt",
        "",
        "## Training",
        "",
    ]
    lines += [f"- {key}: {value}" for key, value in bundle.metadata.items()] or ["- nothing is recorded"]
    return "\n".join(lines) + "\n"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / _CONFIG).read_text(encoding="utf-8"))
        found = config["format"]
    except FileNotFoundError:
        if (path / "best" / _CONFIG).is_file():
            raise BundleError(f"{path} is a run, not a bundle; did you mean {path / 'best'}?") from None
        raise BundleError(
            f"{path} is not a bundle: it has no {_CONFIG}; name a directory that nmt-train made, such as runs/demo/best"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path / _CONFIG} cannot be read ({error}); copy the bundle again") from None
    if not isinstance(found, int) or found > FORMAT:
        raise BundleError(
            f"{path} has bundle format {found}, and nmt {__version__} reads formats up to {FORMAT}; install a newer nmt"
        )
    return config  # type: ignore[no-any-return]


def _load_subwords(path: Path, *, joint: bool) -> tuple[SubwordModel, SubwordModel]:
    if joint:
        model = SubwordModel.load(path / _JOINT)
        return model, model
    return SubwordModel.load(path / _SOURCE), SubwordModel.load(path / _TARGET)


def _load_weights(model: Seq2Seq, path: Path, device: torch.device | str) -> None:
    try:
        weights = safetensors.torch.load_file(path, device=str(device))
    except (OSError, safetensors.SafetensorError) as error:
        raise BundleError(f"{path} is missing or damaged ({error}); copy the bundle again") from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        wrong = sorted(name for name in expected | found if expected.get(name) != found.get(name))[0]
        raise BundleError(
            f"{path}: {wrong} has shape {found.get(wrong, 'missing')} but {_CONFIG} asks for "
            f"{expected.get(wrong, 'no such tensor')}; copy the bundle again"
        )
    model.load_state_dict(weights, assign=True)


def _sibling(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _swap(partial: Path, path: Path) -> None:
    new, old = _sibling(path, "new"), _sibling(path, "old")
    os.rename(partial, new)
    if path.exists():
        os.rename(path, old)
    try:
        os.rename(new, path)
    except FileNotFoundError:
        # Whoever loads between the two renames takes the swap for an interrupted one, and has finished it.
        if not path.exists():
            raise
    _flush_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _finish_swap(path: Path) -> None:
    """Finish a swap that was interrupted: ``.new`` is whole whenever it exists, ``.old`` is what it replaces."""
    new, old = _sibling(path, "new"), _sibling(path, "old")
    if new.exists():
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(path, old)
        os.rename(new, path)
    elif not path.exists() and old.exists():
        os.rename(old, path)
    shutil.rmtree(old, ignore_errors=True)


def _whole(path: Path) -> Path:
    """Return where the whole bundle is, after finishing an interrupted swap if the place can be written."""
    if path.exists():
        return path
    with contextlib.suppress(OSError):
        _finish_swap(path)
    for candidate in (path, _sibling(path, "new"), _sibling(path, "old")):
        if candidate.exists():
            return candidate
    raise BundleError(f"{path} does not exist; name a directory that nmt-train made, such as runs/demo/best")


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell a directory from the one that replaces it under the same name."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    # A rename survives a power cut only once its directory is on disk; not every system lets one open a directory.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
