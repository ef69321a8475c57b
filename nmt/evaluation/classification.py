"""Scores of classes: macro F1, accuracy, counts of each label, and which labels are taken for which.

Macro F1 is the mean of the labels' F1, so that a rare label counts as much as a frequent one. Every label that the
outputs or the references have is one of them, and its F1 is 0 where nothing is right.
"""

from collections import Counter
from collections.abc import Sequence

from nmt.errors import CorpusError
from nmt.evaluation.counts import Counts, grid
from nmt.evaluation.metrics import Score

_MACRO, _LINES = "average:macro|labels:of outputs and references", "of:lines"
_MOST_COLUMNS = 12
_MOST_LISTED = 20


def class_counts(outputs: Sequence[str], references: Sequence[str]) -> dict[str, Counts]:
    """Count the lines of each label, in the order of their names: what was written against the reference.

    Raises:
        CorpusError: there are no lines, or not as many of both.
    """
    confused = confusion(outputs, references)
    predicted, reference = Counter(outputs), Counter(references)
    return {
        label: Counts(confused[label, label], predicted[label], reference[label])
        for label in sorted({*predicted, *reference})
    }


def class_scores(outputs: Sequence[str], references: Sequence[str]) -> list[Score]:
    """Score a label for each line, in percent: macro F1, and accuracy; CorpusError as `class_counts`."""
    counts = class_counts(outputs, references).values()
    macro_f1 = sum(each.f1 for each in counts) / len(counts)
    accuracy = 100 * sum(each.right for each in counts) / len(references)
    return [Score("macro F1", macro_f1, _MACRO), Score("accuracy", accuracy, _LINES)]


def confusion(outputs: Sequence[str], references: Sequence[str]) -> Counter[tuple[str, str]]:
    """Count how often each label of the reference became which label: (reference, output); CorpusError as above."""
    if len(outputs) != len(references):
        raise CorpusError(f"{len(outputs)} labels cannot be scored against {len(references)} of the reference")
    if not references:
        raise CorpusError("there is nothing to score: the references have no labels")
    return Counter(zip(references, outputs, strict=True))


def confusion_table(confused: Counter[tuple[str, str]]) -> str:
    """Write them as a table, references in rows, outputs in columns; of many labels, the most frequent mistakes."""
    labels = sorted({label for pair in confused for label in pair})
    if len(labels) <= _MOST_COLUMNS:
        counts = [[f"{confused[row, column] or '·'}" for column in labels] for row in labels]
        lines = ([label, *cells] for label, cells in zip(labels, counts, strict=True))
        return grid([["reference \\ output", *labels], *lines])
    mistakes = sorted(
        ((count, pair) for pair, count in confused.items() if pair[0] != pair[1]),
        key=lambda item: (-item[0], item[1]),
    )
    listed, others = mistakes[:_MOST_LISTED], mistakes[_MOST_LISTED:]
    table = grid([["reference", "output", "lines"], *([*pair, f"{count:,}"] for count, pair in listed)])
    if not others:
        return table
    number = sum(count for count, _ in others)
    return f"{table}\nand {_counted(len(others), 'more pair')} of labels, in {_counted(number, 'line')}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
