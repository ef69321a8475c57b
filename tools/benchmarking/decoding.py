"""One row of the decoding benchmark: which one, and how our own are measured, each in a process of its own."""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarking.arithmetic import weights_of
from benchmarking.inside_peers.meter import peak_memory
from benchmarking.machine import plain_product_rate
from nmt.config.model import ModelConfig
from nmt.config.schema import from_dict
from nmt.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from nmt.translation.translator import Translator

_WITH_TORCH = "-torch"
WITH_WORKERS = "-workers"
SMALL_BATCH = 8
"""Batches of fewer sentences are for those who wait: no processes share them."""

_WARM_UP_BATCHES = 2
_WARM_UP_SENTENCES = 5


class Row(NamedTuple):
    """How to translate."""

    engine: str
    """a precision (``int8``); with ``-workers`` by as many processes as threads, with ``-torch`` by PyTorch
    where ONNX Runtime has it too; or a peer's, ``ctranslate2-int8``"""
    beam: int
    batch: int
    threads: int

    @property
    def name(self) -> str:
        """As ``--rows`` chooses it: ENGINE:BEAM:BATCH:THREADS."""
        return ":".join(map(str, self))


def rows_of(
    engines: Sequence[str],
    *,
    beams: Sequence[int],
    batches: Sequence[int],
    threads: Sequence[int],
    patterns: Sequence[str],
) -> list[Row]:
    """List the rows that any of the patterns matches, all where there is no pattern.

    Where several threads are asked for, our own precisions also have a row of as many processes, ``-workers``.

    Raises:
        ConfigError: a pattern matches none.
    """
    rows = [
        Row(engine, beam, batch, number)
        for number in dict.fromkeys(threads)
        for batch in batches
        for beam in beams
        for engine in engines
        if not engine.endswith(WITH_WORKERS) or (number > 1 and batch >= SMALL_BATCH)
    ]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(row.name, pattern) for row in rows):
            raise ConfigError(
                f"--rows {pattern} matches none of the {len(rows)} rows; they are ENGINE:BEAM:BATCH:THREADS, such as "
                f"{rows[0].name} or '{rows[0].engine}:*:{rows[0].batch}:*'"
            )
    return [row for row in rows if not patterns or any(fnmatch.fnmatchcase(row.name, pattern) for pattern in patterns)]


def engines_of(bundle: Path, *, with_bf16: bool) -> list[str]:
    """List what a bundle can be translated with: its variants, one process or several, and PyTorch beside graphs.

    PyTorch makes bf16 of fp32 weights anywhere, but where the machine does not compute it natively a row takes hours.

    Raises:
        BundleError: its config.json cannot be read.
    """
    variants = _read_config(bundle, "variants")
    engines = []
    for name, files in variants.items():
        engines += [name, name + WITH_WORKERS]
        if "weights" in files and len(files) > 1:
            engines.append(name + _WITH_TORCH)
        if "weights" in files and with_bf16:
            engines += ["bf16", "bf16" + WITH_WORKERS]
    return engines


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Load, translate and time; runs in a process of its own.

    Args:
        request: "bundle", "engine", "words" of a command line that `nmt.cli.options` parses, "source" (lines of text),
            "began" (the time when the process was asked for).

    Returns:
        "hypotheses", "seconds" of translation, "target_tokens", "load_seconds" from "began" to a translator that is
        ready, "peak_mb", "flop" of the model's products, and the "rate" of the machine's fp32 products a moment later.
    """
    from nmt.evaluation.report import translate_text

    translator, lines = _load(request), request["source"]
    load_seconds = time.time() - request["began"]
    # Engines compile and allocate for the first shapes that they meet.
    translator.translate(lines[: max(_WARM_UP_SENTENCES, _WARM_UP_BATCHES * translator.search.batch_size)])
    counted = _Counted(translator._rows._model, _read_config(Path(request["bundle"]), "subwords")["target_vocabulary"])
    translator._rows._model = counted  # type: ignore[assignment]
    timed = translate_text(translator, lines)
    memory = peak_memory()  # before anything else takes some
    return {
        "hypotheses": timed.hypotheses,
        "seconds": timed.seconds,
        "target_tokens": timed.target_tokens,
        "load_seconds": load_seconds,
        "peak_mb": memory,
        "flop": _flop(counted, Path(request["bundle"])),
        "rate": plain_product_rate(),
    }


def _load(request: dict[str, Any]) -> Translator:
    """Load as nmt-translate would, or with PyTorch what ONNX Runtime would be taken for."""
    from nmt.cli.common import Parser
    from nmt.cli.options import add_machine_options, add_search_options, load_translator, search_config

    parser = Parser("benchmark")
    add_search_options(parser)
    add_machine_options(parser)
    arguments = parser.parse_args([*request["words"], "--precision", request["engine"].removesuffix(_WITH_TORCH)])
    if not request["engine"].endswith(_WITH_TORCH):
        return load_translator(arguments, request["bundle"]).translator
    from nmt.bundle.weights import load_bundle
    from nmt.machine import set_threads
    from nmt.translation.translator import Translator

    set_threads(arguments.threads)
    bundle = load_bundle(Path(request["bundle"]))
    return Translator(bundle, search=search_config(arguments, bundle.search))


def has_shortlist(bundle: Path, engine: str) -> bool:
    """Whether a variant scores only what a shortlist names."""
    files = _read_config(bundle, "variants").get(engine.removesuffix(WITH_WORKERS), {})
    return "shortlist" in files


def _read_config(bundle: Path, key: str) -> dict[str, Any]:
    path = bundle / "config.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); name a directory that nmt-train saved") from None
    return found


class _Counted:
    """A step model that counts what it is asked for, and is the one within in all else."""

    def __init__(self, model: Any, vocabulary: int) -> None:
        self._model, self._vocabulary = model, vocabulary
        self.sentences = self.source_positions = self.rows = self.outputs = 0
        self.is_exported = model.device is None
        self.multi_step = model.multi_step and self._take_steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def start(self, source: Any, lengths: Any, *others: Any, **options: Any) -> Any:
        self.sentences += len(lengths)
        self.source_positions += int(lengths.sum())
        return self._model.start(source, lengths, *others, **options)

    def step(self, previous: Any, state: Any, **options: Any) -> Any:
        found = self._model.step(previous, state, **options)
        self._count(previous.shape[0] * previous.shape[1], found.logits.shape[-1])
        return found

    def _take_steps(self, previous: Any, state: Any, **options: Any) -> Any:
        found = self._model.multi_step(previous, state, **options)
        if found is not None:
            columns = self._vocabulary if state.shortlist is None else state.shortlist.shape[1]
            self._count(previous.size + found.tokens[:-1].size, columns)  # of the last tokens none is read
        return found

    def _count(self, rows: int, columns: int) -> None:
        self.rows += rows
        self.outputs += rows * columns


def _flop(counted: _Counted, bundle: Path) -> float:
    """FLOP of the products; columns that a shortlist leaves out are no part of them."""
    sizes = _read_config(bundle, "subwords")
    model = from_dict(ModelConfig, _read_config(bundle, "model"))
    work = weights_of(model, sizes["source_vocabulary"], sizes["target_vocabulary"])
    width = work.output // sizes["target_vocabulary"]
    inside = work.decoding_flop(
        source=counted.source_positions, rows=counted.rows, sentences=counted.sentences, exported=counted.is_exported
    )
    return inside + 2.0 * width * counted.outputs
