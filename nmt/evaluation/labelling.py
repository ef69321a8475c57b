"""Scores of labels: strict F1 of entities, overall and by type, and accuracy of tokens.

An entity counts as right where its first token, its last token and its type are all those of the reference (Tjong Kim
Sang & De Meulder 2003). F1 is the harmonic mean of precision and recall over all entities together. nervaluate counts
the entities; an I- label that continues nothing begins one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import NamedTuple

from nervaluate.evaluator import Evaluator

from nmt.errors import CorpusError
from nmt.evaluation.metrics import Score
from nmt.text.words import split_tokens

_STRICT = f"match:span+type|average:micro|nervaluate:{version('nervaluate')}"
_TOKENS = "of:tokens"


class Counts(NamedTuple):
    """Entities of one type, or of all."""

    right: int
    predicted: int
    reference: int

    @property
    def precision(self) -> float:
        """Share of the predicted entities that are right, in percent; 0 where there are none."""
        return 100 * self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the reference's entities that were found, in percent; 0 where there are none."""
        return 100 * self.right / self.reference if self.reference else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both, in percent."""
        total = self.predicted + self.reference
        return 200 * self.right / total if total else 0.0


def entity_counts(outputs: Sequence[str], references: Sequence[str]) -> dict[str, Counts]:
    """Count the entities of each type, in the order of their names: lines of BIO labels against the reference's.

    Raises:
        CorpusError: a line has more or fewer labels than its reference.
    """
    pairs = _aligned(outputs, references)
    predicted, reference = ([list(side) for side in sides] for sides in zip(*pairs, strict=True)) if pairs else ([], [])
    types = sorted({label[2:] for labels in (*predicted, *reference) for label in labels if label != "O"})
    if not types:
        return {}
    by_type = Evaluator(reference, predicted, tags=types, loader="list").evaluate()["entities"]
    strict = {name: by_type[name]["strict"] for name in types}
    return {name: Counts(each.correct, each.actual, each.possible) for name, each in strict.items()}


def overall(counts: dict[str, Counts]) -> Counts:
    """Add up the counts of all types."""
    return Counts(*(sum(column) for column in zip(*counts.values(), strict=True))) if counts else Counts(0, 0, 0)


def label_scores(outputs: Sequence[str], references: Sequence[str], *, is_bio: bool) -> list[Score]:
    """Score lines of labels, in percent: F1 of entities where labels are BIO, and accuracy of tokens.

    Raises:
        CorpusError: as from `entity_counts`, or there is no label at all.
    """
    same = total = 0
    for ours, theirs in _aligned(outputs, references):
        same += sum(a == b for a, b in zip(ours, theirs, strict=True))
        total += len(theirs)
    if not total:
        raise CorpusError("there is nothing to score: the references have no labels")
    accuracy = Score("accuracy", 100 * same / total, _TOKENS)
    if not is_bio:
        return [accuracy]
    return [Score("F1", overall(entity_counts(outputs, references)).f1, _STRICT), accuracy]


def table(counts: dict[str, Counts]) -> str:
    """Write precision, recall and F1 of each type, one a line, and of all."""
    rows = [*counts.items(), ("all", overall(counts))] if counts else []
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"{'type':<{width}}  precision  recall     F1  entities"]
    lines += [
        f"{name:<{width}}  {each.precision:>9.2f}  {each.recall:>6.2f}  {each.f1:>5.2f}  {each.reference:>8,}"
        for name, each in rows
    ]
    return "\n".join(lines)


def _aligned(outputs: Sequence[str], references: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    if len(outputs) != len(references):
        raise CorpusError(f"{len(outputs)} lines of labels cannot be scored against {len(references)} of the reference")
    pairs = []
    for number, (output, reference) in enumerate(zip(outputs, references, strict=True), 1):
        ours, theirs = split_tokens(output), split_tokens(reference)
        if len(ours) != len(theirs):
            raise CorpusError(f"line {number} has {len(ours)} labels, and its reference has {len(theirs)}")
        pairs.append((ours, theirs))
    return pairs
