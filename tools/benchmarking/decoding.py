"""One row of the decoding benchmark: which one, and how our own are measured, each in a process of its own."""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarking.inside_peers.meter import peak_memory
from nmt.errors import BundleError, ConfigError

_WARM_UP_BATCHES = 2
_WARM_UP_SENTENCES = 5


class Row(NamedTuple):
    """How to translate."""

    engine: str
    """a precision of the bundle, or a peer and its precision: ``int8``, ``ctranslate2-int8``"""
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
    """List the rows that any of the chosen patterns matches, all where there is no pattern.

    Raises:
        ConfigError: a pattern matches none.
    """
    rows = [
        Row(engine, beam, batch, number)
        for number in dict.fromkeys(threads)
        for batch in batches
        for beam in beams
        for engine in engines
    ]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(row.name, pattern) for row in rows):
            raise ConfigError(
                f"--rows {pattern} matches none of the {len(rows)} rows; they are ENGINE:BEAM:BATCH:THREADS, such as "
                f"{rows[0].name} or '{rows[0].engine}:*:{rows[0].batch}:*'"
            )
    return [row for row in rows if not patterns or any(fnmatch.fnmatchcase(row.name, pattern) for pattern in patterns)]


def precisions(bundle: Path) -> list[str]:
    """List the variants that a bundle's config.json names.

    Raises:
        BundleError: it cannot be read.
    """
    path = bundle / "config.json"
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["variants"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); name a directory that nmt-train saved") from None


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Load, translate and time; runs in a process of its own.

    Args:
        request: "bundle", "precision", "words" of a command line that `nmt.cli.options` parses, "source" (lines of
            text), "began" (the time when the process was asked for).

    Returns:
        "hypotheses", "seconds" of translation, "target_tokens", "load_seconds" from "began" to a translator that is
        ready, "peak_mb", and "flop" of the model's products.
    """
    from nmt.cli.common import Parser
    from nmt.cli.options import add_machine_options, add_search_options, load_translator
    from nmt.evaluation.report import translate_text

    parser = Parser("benchmark")
    add_search_options(parser)
    add_machine_options(parser)
    words = request["words"]
    if "--precision" in parser.format_help():  # a bundle of one precision needs no word for it
        words += ["--precision", request["precision"]]
    loaded = load_translator(parser.parse_args(words), request["bundle"])
    load_seconds = time.time() - request["began"]
    translator, lines = loaded.translator, request["source"]
    # Engines compile and allocate for the first shapes that they meet.
    translator.translate(lines[: max(_WARM_UP_SENTENCES, _WARM_UP_BATCHES * translator.search.batch_size)])
    counted = _Counted(translator._model)
    translator._model = counted
    timed = translate_text(translator, lines)
    return {
        "hypotheses": timed.hypotheses,
        "seconds": timed.seconds,
        "target_tokens": timed.target_tokens,
        "load_seconds": load_seconds,
        "peak_mb": peak_memory(),
        "flop": _flop(counted, loaded.bundle),
    }


class _Counted:
    """A step model that counts what it is asked for, and is the one within in all else."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sentences = self.source_positions = self.rows = self.outputs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def start(self, source: Any, lengths: Any, *others: Any, **options: Any) -> Any:
        self.sentences += len(lengths)
        self.source_positions += int(lengths.sum())
        return self._model.start(source, lengths, *others, **options)

    def step(self, previous: Any, state: Any, **options: Any) -> Any:
        found = self._model.step(previous, state, **options)
        rows = previous.shape[0] * previous.shape[1]
        self.rows += rows
        self.outputs += rows * found.logits.shape[-1]
        return found


def _flop(counted: _Counted, bundle: Any) -> float:
    """FLOP of the products; columns that a shortlist leaves out are no part of them."""
    from benchmarking.arithmetic import weights_of

    sizes = (bundle.source_subwords.vocabulary_size, bundle.target_subwords.vocabulary_size)
    work = weights_of(bundle.config, *sizes)
    width = work.target["output and loss"] // sizes[1]
    inside = work.decoding_flop(source=counted.source_positions, rows=counted.rows, sentences=counted.sentences)
    return inside + 2.0 * width * counted.outputs
