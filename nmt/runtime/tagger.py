"""A model that labels, on NumPy arrays: the graph that `nmt.export.tagger` wrote, computed by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.runtime.words import WordGraph

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
        self._graph = WordGraph(tagger, expected={"transitions": [labels, labels]}, threads=threads)
        one = np.ones(1, dtype=np.int64)
        between, start, end = self._graph.run(_TRANSITIONS, [one, one[:, None], one, 0 * one, one])
        self.transitions = (between, start, end)

    def emissions(self, *words: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Score each label for each token: the arrays of `nmt.text.words.Words` → (B, T, Y)."""
        [scores] = self._graph.run(["emissions"], words)
        emissions: npt.NDArray[Any] = scores
        return emissions
