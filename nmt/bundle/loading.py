"""Load a bundle for translating: the fastest of its variants that can run here, or the one that is asked for.

A variant is a precision. PyTorch reads its weights, or ONNX Runtime computes its graphs, which `nmt-export` makes.
Where both are possible, the graphs are faster on a CPU, and start without PyTorch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.bundle.description import Surroundings, explaining, read_config, read_description, read_whole
from nmt.config.choices import PRECISIONS, VARIANTS
from nmt.config.train import MOST_THREADS
from nmt.errors import BundleError, ConfigError
from nmt.search.interface import StepModel

if TYPE_CHECKING:
    from nmt.runtime.model import OnnxModel


_PARTS = ("encoder", "embedding", "step", "constants")
"""What every variant for ONNX Runtime is made of, by their names in config.json."""


@dataclass(frozen=True, kw_only=True)
class LoadedBundle(Surroundings):
    """A bundle whose model is ready to step, by PyTorch or ONNX Runtime."""

    model: StepModel
    precision: str
    """one of `nmt.config.choices.PRECISIONS`"""
    device: str
    """what computes, for people to read, as in ``cpu``, ``cuda:0``, ``cpu, int8 by ONNX Runtime``"""
    threads: int
    """CPU threads"""


def load(path: Path | str, *, precision: str | None = None, device: str = "auto", threads: int = 0) -> LoadedBundle:
    """Load a bundle, ready for `nmt.translation.translator.Translator`.

    Args:
        path: the bundle.
        precision: one of `nmt.config.choices.PRECISIONS`; None: the fastest exported variant of which all is there
            and can run here, else fp32.
        device: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: the CPU for an exported variant, else a GPU if there is one.
        threads: of the CPU; 0: one for an exported variant, else PyTorch's choice.

    Raises:
        BundleError: the bundle, or the variant asked for, is missing or damaged.
        ConfigError: the precision, device or number of threads is impossible, or what it needs is not installed.
    """
    path = Path(path)
    if precision not in (None, *PRECISIONS):
        raise ConfigError(f"precision={precision} is unknown: choose one of {', '.join(PRECISIONS)}")
    if threads < 0:
        raise ConfigError(f"threads={threads} is not possible: it must be 0 (PyTorch's choice) or more")
    if threads > MOST_THREADS:
        raise ConfigError(f"threads={threads} is not possible: it must be at most {MOST_THREADS}")
    if precision == "bf16":
        return _load_torch(path, device, threads, precision=precision)
    if device not in ("auto", "cpu"):
        if precision == "int8":
            raise ConfigError(f"precision=int8 runs on the CPU only: take bf16 or fp32 with device={device}")
        return _load_torch(path, device, threads)
    exported = read_whole(path, lambda whole: _read_exported(whole, precision, threads))
    return exported or _load_torch(path, device, threads)


def exported_files(path: Path, precision: str) -> dict[str, Path]:
    """Tell where a variant's graphs and constants are, and its `shortlist` if it has one, by name; {} if there is none.

    Raises:
        BundleError: there is no bundle, or its config.json is damaged.
    """
    config = read_config(path)
    with explaining(path):
        files = config["variants"].get(precision, {})
        return {name: path / files[name] for name in (*_PARTS, "shortlist") if name in files}


def _read_exported(path: Path, precision: str | None, threads: int) -> LoadedBundle | None:
    """Load the exported variant asked for, or the fastest that can run; None where that is PyTorch's."""
    for name in VARIANTS if precision is None else (precision,):
        required = precision is not None and name != "fp32"
        files = exported_files(path, name)
        if not files and required:
            raise BundleError(f"{path} has no variant {name}; make it with: nmt-export {path} --precision {name}")
        if not files or (precision is None and not all(file.is_file() for file in files.values())):
            continue
        description = read_description(path)
        sizes = (description.source_subwords.vocabulary_size, description.target_subwords.vocabulary_size)
        model = _onnx_model(path, name, files, threads, sizes=sizes, required=required)
        if model is None:
            continue
        device = f"cpu, {name} by ONNX Runtime"
        return LoadedBundle(
            model=model, precision=name, device=device, threads=threads or 1, **description.surroundings()
        )
    return None


def _onnx_model(
    path: Path, name: str, files: dict[str, Path], threads: int, *, sizes: tuple[int, int], required: bool
) -> OnnxModel | None:
    """Load a variant's graphs, for vocabularies of these sizes, source and target.

    None where ONNX Runtime is not installed and something else will do.
    """
    try:
        importlib.import_module("onnxruntime")
    except ImportError:
        if not required:
            return None
        raise ConfigError(
            f"the variant {name} of {path} needs ONNX Runtime, which is not installed: pip install onnxruntime"
        ) from None
    from nmt.runtime.model import OnnxModel
    from nmt.text.shortlist import Shortlist

    try:
        if missing := [part for part in _PARTS if part not in files]:
            raise BundleError(f"{path}: the variant {name} lacks its {missing[0]}: another version of nmt exported it")
        parts = {part: files[part] for part in _PARTS}
        shortlist = Shortlist.load(files["shortlist"]) if "shortlist" in files else None
        if shortlist and (shortlist.source_vocabulary, shortlist.target_vocabulary) != sizes:
            raise BundleError(f"{files['shortlist']} is of another bundle's subwords")
        return OnnxModel(**parts, vocabulary=sizes[1], shortlist=shortlist, threads=threads or 1)
    except BundleError as error:
        reason = str(error)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{path}: a graph of the variant {name} is damaged ({error})"
    options = f"--precision {name}{' --shortlist N' if 'shortlist' in files else ''}"
    raise BundleError(f"{reason}; make it again with: nmt-export {path} {options}")


def _load_torch(path: Path, device: str, threads: int, *, precision: str = "fp32") -> LoadedBundle:
    """Load the fp32 weights with PyTorch, and round them where bf16 is asked for."""
    try:
        import torch
    except ImportError:
        if precision == "bf16":
            raise ConfigError("precision=bf16 needs PyTorch, which is not installed: pip install torch") from None
        raise ConfigError(read_whole(path, _without_torch)) from None
    from nmt.bundle.weights import load_bundle
    from nmt.machine import choose_device, set_threads

    used = set_threads(threads)
    chosen = choose_device(device)
    # cuDNN's recurrences round to TF32 unless told otherwise, and then a translation depends on its batch.
    torch.backends.cudnn.allow_tf32 = False
    bundle = load_bundle(path, device=chosen)
    model = bundle.model.to(torch.bfloat16) if precision == "bf16" else bundle.model
    return LoadedBundle(model=model, precision=precision, device=str(chosen), threads=used, **bundle.surroundings())


def _without_torch(path: Path) -> str:
    """Say what to do where PyTorch is not installed and nothing else can run."""
    if any(exported_files(path, name) for name in VARIANTS):
        return f"{path} needs ONNX Runtime for what was exported (pip install onnxruntime), or PyTorch"
    return (
        f"{path} needs PyTorch, which is not installed: pip install torch, or run "
        f"nmt-export {path} --precision int8 where it is, and copy the bundle again"
    )
