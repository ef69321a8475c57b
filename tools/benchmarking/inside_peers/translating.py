"""What the peers' translating scripts share: what they are asked, and what they tell; the standard library only."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meter import peak_memory

Pieces = list[str]
_WARM_UP_SENTENCES = 5
_WARM_UP_BATCHES = 2


def request() -> dict[str, Any]:
    """Read the command line: model, precision, source, subwords, beam, batch, threads, max_length, began, result."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    return asked


def subword_model(path: str) -> Any:
    """Load a SentencePiece model."""
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=path)


def measure(asked: dict[str, Any], translate: Callable[[list[str]], tuple[list[str], int]]) -> None:
    """Time the translation of the source, and write what came of it.

    Args:
        asked: as `request` returned it.
        translate: turns lines of text into translations and the number of their target tokens, ends counted.
    """
    load_seconds = time.time() - asked["began"]
    lines = Path(asked["source"]).read_text(encoding="utf-8").split("\n")[:-1]
    translate(lines[: max(_WARM_UP_SENTENCES, _WARM_UP_BATCHES * asked["batch"])])
    began = time.perf_counter()
    hypotheses, tokens = translate(lines)
    seconds = time.perf_counter() - began
    found = {
        "hypotheses": hypotheses,
        "seconds": seconds,
        "target_tokens": tokens,
        "load_seconds": load_seconds,
        "peak_mb": peak_memory(),
    }
    Path(asked["result"]).write_text(json.dumps(found), encoding="utf-8")
