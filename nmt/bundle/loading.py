"""Load a bundle for translating: the fastest of its variants that can run here, or the one that is asked for.

A variant is a precision. PyTorch reads its weights, or ONNX Runtime computes its graphs, which `nmt-export` makes.
Where both are possible, the graphs are faster on a CPU, and start without PyTorch.
"""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nmt.bundle.description import Description, explaining, read_description, read_whole
from nmt.bundle.manifest import require_whole
from nmt.config.choices import PRECISIONS, VARIANTS, TaskName
from nmt.config.train import MOST_THREADS
from nmt.errors import BundleError, ConfigError, require

_PARTS = {
    TaskName.translation: ("encoder", "embedding", "step", "constants"),
    TaskName.labelling: ("tagger",),
    TaskName.classification: ("classifier",),
    TaskName.generation: (),
}
"""What every variant of a task for ONNX Runtime is made of, by their names in config.json; nothing: it has none."""


@dataclass(frozen=True, kw_only=True)
class LoadedBundle(Description):
    """A bundle whose model is ready, by PyTorch or ONNX Runtime."""

    model: Any
    """a `nmt.search.interface.StepModel`, or what `nmt.translation.labeller` or its neighbour `classifier` asks for"""
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
    if precision not in (None, *PRECISIONS):
        raise ConfigError(f"precision={precision} is unknown: choose one of {', '.join(PRECISIONS)}")
    require(threads >= 0, "threads", threads, "0 (PyTorch's choice) or more")
    require(threads <= MOST_THREADS, "threads", threads, f"at most {MOST_THREADS}")
    on_cpu = device in ("auto", "cpu")
    if precision == "int8" and not on_cpu:
        raise ConfigError(f"precision=int8 runs on the CPU only: take bf16 or fp32 with device={device}")
    names = () if precision == "bf16" or not on_cpu else VARIANTS if precision is None else (precision,)

    def read(whole: Path) -> LoadedBundle:
        description = read_description(whole)
        for name in names:
            if exported := _load_exported(whole, description, name, threads, is_asked_for=precision is not None):
                return exported
        return _load_torch(whole, description, device, threads, precision=precision or "fp32")

    return read_whole(Path(path), read)


def exported_parts(path: Path, description: Description, precision: str) -> dict[str, str]:
    """Name the files of a variant for ONNX Runtime: its graphs and constants, and a `shortlist` if it has one.

    Raises:
        BundleError: a name in the config.json of the bundle at `path` is none.
    """
    with explaining(path):
        files = description.variants.get(precision, {})
        return {part: os.fspath(files[part]) for part in (*_PARTS[description.task], "shortlist") if part in files}


def _load_exported(
    path: Path, description: Description, name: str, threads: int, *, is_asked_for: bool
) -> LoadedBundle | None:
    """Load an exported variant; None where it is not there, or cannot run, and something else will do."""
    parts = exported_parts(path, description, name)
    is_required = is_asked_for and name != "fp32"
    if is_required and not _PARTS[description.task]:
        raise ConfigError(f"{path} is of task={description.task}, which PyTorch computes: leave precision={name} out")
    if not parts and is_required:
        raise BundleError(f"{path} has no variant {name}; make it with: nmt-export {path} --precision {name}")
    again = f"make it again with: nmt-export {path} --precision {name}{' --shortlist N' * ('shortlist' in parts)}"
    if lacking := [part for part in _PARTS[description.task] if parts and part not in parts]:
        raise BundleError(
            f"{path}: the variant {name} lacks its {lacking[0]}: another version of nmt exported it; {again}"
        )
    if not parts or not (is_asked_for or all((path / file).is_file() for file in parts.values())):
        return None
    try:
        importlib.import_module("onnxruntime")
    except ImportError:
        if not is_required:
            return None
        raise ConfigError(
            f"the variant {name} of {path} needs ONNX Runtime, which is not installed: pip install onnxruntime"
        ) from None
    files = {part: require_whole(path, file, description.files, advice=again) for part, file in parts.items()}
    try:
        model = _EXPORTED[description.task](path, description, parts, files, threads or 1)
    except BundleError as error:
        raise BundleError(f"{error}; {again}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: a graph of the variant {name} is damaged ({error}); {again}") from None
    device = f"cpu, {name} by ONNX Runtime"
    return LoadedBundle(model=model, precision=name, device=device, threads=threads or 1, **vars(description))


def _exported_translator(
    path: Path, description: Description, parts: dict[str, str], files: dict[str, Path], threads: int
) -> Any:
    """Load the graphs of a variant, whose files are whole."""
    from nmt.runtime.model import OnnxModel
    from nmt.text.shortlist import Shortlist

    sizes = (description.source_subwords.vocabulary_size, description.target_subwords.vocabulary_size)
    shortlist = Shortlist.load(files["shortlist"]) if "shortlist" in files else None
    if shortlist and (shortlist.source_vocabulary, shortlist.target_vocabulary) != sizes:
        raise BundleError(f"{path / parts['shortlist']} is of another bundle's subwords")
    graphs = {part: file for part, file in files.items() if part != "shortlist"}
    return OnnxModel(**graphs, vocabulary=sizes[1], shortlist=shortlist, threads=threads)


def _exported_tagger(
    path: Path, description: Description, parts: dict[str, str], files: dict[str, Path], threads: int
) -> Any:
    from nmt.runtime.tagger import OnnxTagger
    from nmt.text.words import LabelVocabulary

    assert isinstance(description.target_subwords, LabelVocabulary)
    return OnnxTagger(**files, labels=len(description.target_subwords.labels), threads=threads)


def _exported_classifier(
    path: Path, description: Description, parts: dict[str, str], files: dict[str, Path], threads: int
) -> Any:
    from nmt.runtime.classifier import OnnxClassifier
    from nmt.text.words import ClassVocabulary

    assert isinstance(description.target_subwords, ClassVocabulary)
    return OnnxClassifier(**files, labels=len(description.target_subwords.labels), threads=threads)


_EXPORTED = {
    TaskName.translation: _exported_translator,
    TaskName.labelling: _exported_tagger,
    TaskName.classification: _exported_classifier,
}
"""What loads the graphs of a variant of each task."""


def _load_torch(path: Path, description: Description, device: str, threads: int, *, precision: str) -> LoadedBundle:
    """Load the fp32 weights with PyTorch, and round them where bf16 is asked for."""
    try:
        import torch
    except ImportError:
        raise ConfigError(_without_torch(path, description, precision)) from None
    from nmt.bundle.weights import read_bundle
    from nmt.machine import choose_device, set_threads

    used = set_threads(threads)
    chosen = choose_device(device)
    # cuDNN's recurrences round to TF32 unless told otherwise, and then a translation depends on its batch.
    torch.backends.cudnn.allow_tf32 = False
    model = read_bundle(path, description, chosen).model
    model = model.to(torch.bfloat16) if precision == "bf16" else model
    return LoadedBundle(model=model, precision=precision, device=str(chosen), threads=used, **vars(description))


def _without_torch(path: Path, description: Description, precision: str) -> str:
    """Say what to do where PyTorch is not installed and nothing else can run."""
    if precision == "bf16":
        return "precision=bf16 needs PyTorch, which is not installed: pip install torch"
    if not _PARTS[description.task]:
        return f"{path} needs PyTorch, which is not installed: pip install torch"
    if any(exported_parts(path, description, name) for name in VARIANTS):
        return f"{path} needs ONNX Runtime for what was exported (pip install onnxruntime), or PyTorch"
    precision = "int8" if description.task is TaskName.translation else "fp32"
    return (
        f"{path} needs PyTorch, which is not installed: pip install torch, or run "
        f"nmt-export {path} --precision {precision} where it is, and copy the bundle again"
    )
