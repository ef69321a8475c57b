"""A model that classifies, on NumPy arrays: the graph that `nmt.export.classifier` wrote, by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nmt.runtime.words import WordGraph


class OnnxClassifier:
    """Scores labels, as `nmt.translation.classifier.Classifying` describes it; threads may share it."""

    def __init__(self, *, classifier: Path, labels: int, threads: int = 1) -> None:
        """Load the graph.

        Args:
            classifier: the graph.
            labels: how many labels the bundle has.
            threads: of the CPU.

        Raises:
            BundleError: the file is missing or damaged, or not for these labels.
        """
        self._graph = WordGraph(classifier, expected={"logits": ["B", labels]}, threads=threads)

        self.has_attention = "weights" in self._graph.outputs

    def classify(self, *words: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        """Score each label: the arrays of `nmt.text.words.Words` → logits (B, Y), and weights (B, T) of the words."""
        names = ["logits", "weights"] if self.has_attention else ["logits"]
        logits, *weights = self._graph.run(names, words)
        return logits, weights[0] if weights else None
