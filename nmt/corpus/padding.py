"""Rows of ids as one rectangle, which is what a model reads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def pad_rows(
    rows: Sequence[Sequence[int] | npt.NDArray[Any]], *, pad_id: int, eos_id: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """End every row with EOS and pad it to the longest: B ≥ 1 rows → ids (B, S) and lengths (B,), EOS counted.

    Args:
        rows: ids without EOS.
        pad_id: what stands behind EOS in shorter rows.
        eos_id: what ends a row.
    """
    lengths = np.array([len(row) + 1 for row in rows], dtype=np.int64)
    padded = np.full((len(rows), int(lengths.max())), pad_id, dtype=np.int64)
    for place, row, length in zip(padded, rows, lengths.tolist(), strict=True):
        place[: length - 1] = row
        place[length - 1] = eos_id
    return padded, lengths
