"""What is right, predicted and in the reference, of each type or label: precision, recall and F1."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Counts(NamedTuple):
    """Entities, or lines, of one type or label, or of all."""

    right: int
    predicted: int
    reference: int

    @property
    def precision(self) -> float:
        """Share of the predicted ones that are right, in percent; 0 where there are none."""
        return 100 * self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the reference's that were found, in percent; 0 where there are none."""
        return 100 * self.right / self.reference if self.reference else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both, in percent."""
        total = self.predicted + self.reference
        return 200 * self.right / total if total else 0.0

    def to_dict(self) -> dict[str, float]:
        """Turn it into plain values, for JSON."""
        return self._asdict() | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


def counts_table(rows: Mapping[str, Counts], *, head: str, counted: str) -> str:
    """Write precision, recall and F1 of each, one a line, and how many the reference has.

    Args:
        rows: by name.
        head: of the column of names.
        counted: what is counted.
    """
    width = max(map(len, (head, *rows)))
    lines = [f"{head:<{width}}  precision  recall     F1  {counted}"]
    lines += [
        f"{name:<{width}}  {each.precision:>9.2f}  {each.recall:>6.2f}  {each.f1:>5.2f}  "
        f"{each.reference:>{len(counted)},}"
        for name, each in rows.items()
    ]
    return "\n".join(lines)


def overall(counts: Mapping[str, Counts]) -> Counts:
    """Add up the counts of all."""
    return Counts(*(sum(column) for column in zip(*counts.values(), strict=True))) if counts else Counts(0, 0, 0)


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Write cells as columns: the first one to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
