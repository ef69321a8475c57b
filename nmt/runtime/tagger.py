"""A model that labels, on NumPy arrays: the graph that `nmt.export.tagger` wrote, computed by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.errors import BundleError
from nmt.runtime.sessions import load, read

_WORDS = ("ids", "characters", "character_lengths", "places", "lengths")
"""The fields of `nmt.text.words.Words`, which the graph calls so."""
_TRANSITIONS = ("transitions", "start", "end")


class OnnxTagger:
    """Scores labels, as `nmt.translation.labeller.Tagging` describes it; threads may share it."""

    def __init__(self, *, tagger: Path, labels: int, threads: int = 1) -> None:
        """Load the graph.

        Args:
            tagger: the graph.
            labels: how many labels the bundle has.
            threads: of the CPU.

        Raises:
            BundleError: the file is missing or damaged, or not for these labels.
        """
        self._session = load(tagger, [read(tagger)], threads, hoard=False)
        self._inputs = {port.name for port in self._session.inputs}
        outputs = {port.name: list(port.shape) for port in self._session.outputs}
        if not self._inputs <= set(_WORDS) or outputs.get("transitions") != [labels, labels]:
            raise BundleError(f"{tagger} was exported by an nmt that lays graphs out in another way")
        one = np.ones(1, dtype=np.int64)
        word = {"ids": one, "characters": one[:, None], "character_lengths": one, "places": 0 * one, "lengths": one}
        between, start, end = self._session.run(_TRANSITIONS, {name: word[name] for name in self._inputs})
        self.transitions = (between, start, end)

    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Score each label for each token: the arrays of `nmt.text.words.Words` → (B, T, Y)."""
        given = {name: array for name, array in zip(_WORDS, words, strict=True) if name in self._inputs}
        [scores] = self._session.run(["emissions"], given)
        emissions: npt.NDArray[Any] = scores
        return emissions
