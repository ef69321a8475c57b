"""Scores of labels: strict F1 of entities, overall and by type, and accuracy of tokens.

An entity counts as right where its first token, its last token and its type are all those of the reference (Tjong Kim
Sang & De Meulder 2003). F1 is the harmonic mean of precision and recall over all entities together. nervaluate counts
the entities; an I- label that continues nothing begins one.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from nervaluate.evaluator import Evaluator

from nmt.errors import CorpusError
from nmt.evaluation.counts import Counts, counts_table, overall
from nmt.evaluation.metrics import Score
from nmt.text.words import split_tokens

_STRICT = f"match:span+type|average:micro|nervaluate:{version('nervaluate')}"
_TOKENS = "of:tokens"


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
    return counts_table({**counts, "all": overall(counts)} if counts else {}, head="type", counted="entities")


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
