"""The bundle as PyTorch has it: saved atomically, loaded safely.

The rest of a bundle is in `nmt.bundle.description`; `nmt.bundle.replacement` replaces one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nmt.bundle.description import (
    WEIGHTS,
    Description,
    explaining,
    read_config,
    read_description,
    read_whole,
    subword_files,
    written_config,
)
from nmt.bundle.manifest import CARD, CONFIG, other_files, require_whole, with_manifest
from nmt.bundle.networks import build_network
from nmt.bundle.replacement import replace_directory
from nmt.config.choices import Pooling, TaskName
from nmt.config.model import ModelConfig
from nmt.config.schema import to_dict
from nmt.errors import BundleError
from nmt.files import encoded, is_utf8
from nmt.version import __version__


@dataclass(frozen=True, kw_only=True)
class Bundle(Description):
    """A trained model with all that using it needs."""

    model: Any
    """what `nmt.bundle.networks.build_network` builds for its task, such as a Seq2Seq"""


def save_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle to `path`, replacing one that is there; at any moment the old or the new one is whole.

    Exported variants are not written: they are of other weights.

    Raises:
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """

    def contents() -> Iterator[tuple[str, bytes]]:
        yield WEIGHTS, safetensors.torch.save(inference_weights(bundle.model.state_dict()), {"format": "pt"})
        yield from subword_files(bundle)
        yield CARD, encoded(model_card(bundle))

    config = written_config(bundle) | {"variants": {"fp32": {"weights": WEIGHTS}}}
    replace_directory(path, with_manifest(config, contents()))


def save_settings(bundle: Bundle, path: Path) -> None:
    """Write a bundle's metadata and how it searches into the bundle at `path`; all else in it stays as it is.

    Raises:
        BundleError: it is no bundle, or a file of it is damaged.
        RunError: the disk is full or not writable; what was at `path` is untouched.
    """

    def contents() -> Iterator[tuple[str, bytes]]:
        config = read_config(path) | {"metadata": bundle.metadata, "search": to_dict(bundle.search)}
        card = CARD, encoded(model_card(bundle))
        yield from with_manifest(config, (card, *other_files(path, read_description(path).files, but=CARD)))

    replace_directory(path, contents())


def load_bundle(path: Path, *, device: torch.device | str = "cpu") -> Bundle:
    """Read a bundle from `path`, its model in evaluation mode on `device`.

    Raises:
        BundleError: there is no bundle at `path`, its format is newer than this nmt, or a file is missing or damaged.
    """
    return read_whole(Path(path), lambda whole: read_bundle(whole, read_description(whole), device))


def read_bundle(path: Path, description: Description, device: torch.device | str) -> Bundle:
    """Read the weights of a bundle that is there, and whose description was read; BundleError as `load_bundle`."""
    source, target = description.source_subwords, description.target_subwords
    with explaining(path):
        weights = require_whole(path, description.variants["fp32"]["weights"], description.files)
        model = build_network(description.task, description.config, source, target, shapes_only=True)
    _load_weights(model, weights, device)
    return Bundle(model=model.eval(), **vars(description))


def inference_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights to contiguous tensors on the CPU, of fp32 or, where they are ids, as they are.

    Tied matrices are one tensor in the model already.
    """
    return {
        name: tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in weights.items()
    }


def model_card(bundle: Bundle) -> str:
    """Write the model card: languages, size, scores with signatures, how to use it."""
    parameters = sum(p.numel() for p in bundle.model.parameters())
    what = _CARDS[bundle.task]
    one_pair = " → ".join(filter(None, (bundle.source_language, bundle.target_language)))
    to = f" --to {bundle.pairs[0].target}" if bundle.pairs and not bundle.target_language else ""
    lines = [
        f"# {', '.join(map(str, bundle.pairs)) or one_pair}",
        "",
        f"A {what.name} trained with nmt {__version__}: {what.kind(bundle.config)}, "
        f"{parameters / 1e6:.1f} million parameters, {bundle.target_subwords.vocabulary_size} {what.units}.",
        "",
        f"    {what.command} THIS_DIRECTORY{to} < input.txt > output.txt",
        "",
        "## Training",
        "",
    ]
    if bundle.pairs:
        directions = f"It was trained to translate {', '.join(map(str, bundle.pairs))}; --to names the target language."
        lines[-2:-2] = [directions, ""]
    if bundle.tags:
        style = f"With --tag {' or --tag '.join(bundle.tags)} it writes in the style of a part of its text."
        lines[-2:-2] = [style, ""]
    lines += [f"- {key}: {value}" for key, value in bundle.metadata.items()] or ["- nothing is recorded"]
    return "\n".join(lines) + "\n"


def _kind(config: ModelConfig) -> str:
    """Say in a few words what a model is made of."""
    encoder, decoder = config.cells
    cells = f"{encoder} encoder-decoder" if encoder == decoder else f"{encoder} encoder and {decoder} decoder"
    attention = " without attention" if config.attention == "none" else f" with {config.attention} attention"
    return cells + attention + (" and a pointer" if config.pointer else "")


_POOLING = {Pooling.attention: "attention over its words", Pooling.last: "its last states"}


class _Card(NamedTuple):
    """How a model card calls a model of a task."""

    name: str
    kind: Callable[[ModelConfig], str]
    """says in a few words what a model is made of"""
    units: str
    """of the target's vocabulary"""
    command: str


_CARDS = {
    TaskName.translation: _Card("translator", _kind, "target subwords", "nmt-translate"),
    TaskName.labelling: _Card(
        "labeller", lambda config: f"{config.cells[0]} tagger with a CRF", "labels and special ids", "nmt predict"
    ),
    TaskName.classification: _Card(
        "classifier",
        lambda config: f"{config.cells[0]} encoder with {_POOLING[config.pooling]}",
        "labels and special ids",
        "nmt predict",
    ),
    TaskName.generation: _Card(
        "language model", lambda config: f"{config.cells[1]} language model", "subwords", "nmt predict"
    ),
}


def _read_weights(path: Path, device: torch.device | str) -> dict[str, Tensor]:
    if is_utf8(path):
        return safetensors.torch.load_file(path, device=str(device))
    return {name: tensor.to(device) for name, tensor in safetensors.torch.load(path.read_bytes()).items()}


def _load_weights(model: Any, path: Path, device: torch.device | str) -> None:
    try:
        weights = _read_weights(path, device)
    except safetensors.SafetensorError:
        raise BundleError(
            f"{path} is missing or damaged (it is no whole safetensors file); copy the bundle again"
        ) from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != shapes:
        wrong = sorted(name for name in expected | shapes if expected.get(name) != shapes.get(name))[0]
        raise BundleError(
            f"{path}: {wrong} has shape {shapes.get(wrong, 'missing')} but {CONFIG} asks for "
            f"{expected.get(wrong, 'no such tensor')}; copy the bundle again"
        )
    model.load_state_dict(weights, assign=True)
