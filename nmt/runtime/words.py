"""A graph whose inputs are words, as ONNX Runtime computes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.errors import BundleError
from nmt.runtime.sessions import load, read

_WORDS = ("ids", "characters", "character_lengths", "places", "lengths")
"""The fields of `nmt.text.words.Words`, which graphs call so."""


class WordGraph:
    """A loaded graph; threads may share it."""

    def __init__(self, path: Path, *, expected: dict[str, list[int | str]], threads: int) -> None:
        """Load a graph.

        Args:
            path: its file.
            expected: outputs that it must have, and their shapes.
            threads: of the CPU.

        Raises:
            BundleError: the file is missing or damaged, or has other inputs or outputs.
        """
        self._session = load(path, [read(path)], threads, hoard=False)
        self._inputs = {port.name for port in self._session.inputs}
        self.outputs = {port.name: list(port.shape) for port in self._session.outputs}
        if not self._inputs <= set(_WORDS) or any(self.outputs.get(name) != shape for name, shape in expected.items()):
            raise BundleError(f"{path} was exported by an nmt that lays graphs out in another way")

    def run(self, outputs: Sequence[str], words: Sequence[npt.NDArray[np.int64]]) -> list[Any]:
        """Compute outputs from the arrays of `nmt.text.words.Words`."""
        inputs = {name: array for name, array in zip(_WORDS, words, strict=True) if name in self._inputs}
        return self._session.run(outputs, inputs)
