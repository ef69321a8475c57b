"""What nmt-evaluate does with a language model: bits per character of a text, and the perplexity of its subwords."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from nmt.config.search import SearchConfig
from nmt.errors import ConfigError, CorpusError


def evaluate_text(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Score a text, line by line.

    Args:
        arguments: of nmt-evaluate.

    Returns:
        The report, and no outputs.

    Raises:
        NmtError: an option, the model or the file is not what it should be.
    """
    from nmt.bundle.loading import load
    from nmt.corpus.reader import read_lines
    from nmt.evaluation.bits import scores_of, total
    from nmt.tasks.generation import line_bits
    from nmt.text.vocabulary import subwords_of

    _refuse_options(arguments)
    file = Path(arguments.reference)
    if not file.is_file():
        raise CorpusError(f"there is no file {file}; check the path")
    lines = list(read_lines(file))
    if not any(line.strip() for line in lines):
        raise CorpusError(f"{file} has no text; name a file of lines")
    bundle = load(arguments.model, precision=arguments.precision, device=arguments.device, threads=arguments.threads)
    subwords = subwords_of(bundle.target_subwords)
    began = time.perf_counter()
    bits = line_bits(bundle.model, subwords, lines, batch_size=arguments.batch_size or bundle.search.batch_size)
    seconds = time.perf_counter() - began
    sums = total(bits, lines, normalization=subwords.normalization)
    unknown = sum(row.count(subwords.unk_id) for row in subwords.encode_batch(lines))
    scores = scores_of(sums)
    if arguments.format == "json":
        values: dict[str, Any] = {key: getattr(arguments, key) for key in ("model", "reference")}
        values |= {"lines": sums.lines, "blank_lines": len(lines) - sums.lines, "characters": sums.characters}
        values |= {"subwords": sums.positions, "unknown_subwords": unknown, "bits": sums.bits}
        values |= {"scores": [vars(score) for score in scores], "seconds": round(seconds, 3)}
        return json.dumps(values, indent=2, ensure_ascii=False), []
    rows = [f"{score.name:<18} {score.value:>8.{score.digits}f}  {score.signature}" for score in scores]
    note = f", {unknown:,} of them unknown" if unknown else ""
    rows.append(
        f"{sums.lines:,} lines, {sums.characters:,} characters, {sums.positions:,} subwords{note}: {seconds:.1f} s, "
        f"{sums.characters / max(seconds, 1e-9):,.0f} characters/s ({bundle.device}, threads: {bundle.threads})"
    )
    return "\n".join(rows), []


def _refuse_options(arguments: argparse.Namespace) -> None:
    """Refuse what has no meaning where a text is scored as it stands: ConfigError."""
    if arguments.precision == "bf16":
        raise ConfigError("--precision bf16 rounds probabilities too much to count their bits: leave it out")
    names = [item.name for item in dataclasses.fields(SearchConfig) if item.name != "batch_size"]
    for name in ("source", "output", "tokenize", "lowercase", *names):
        if getattr(arguments, name) not in (None, False):
            option = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{option} has no meaning here: {arguments.model} is a language model, which scores the text of "
                "--reference as it stands; leave it out"
            )
