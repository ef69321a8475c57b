"""What nmt-evaluate does with a model that classifies: macro F1, accuracy, each label, and what is taken for what."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from nmt.cli.common import report
from nmt.cli.options import load_translator
from nmt.cli.reference import reference_paths
from nmt.errors import CorpusError

if TYPE_CHECKING:
    from nmt.corpus.classified import Classified
    from nmt.corpus.reader import CorpusPaths
    from nmt.text.words import ClassVocabulary


def evaluate_classes(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Classify a text and score the labels.

    Args:
        arguments: of nmt-evaluate.

    Returns:
        The report, and the label of each line.

    Raises:
        NmtError: an option, the model or a file is not what it should be.
    """
    from nmt.corpus.classified import Classified
    from nmt.corpus.reader import read_text
    from nmt.evaluation.classification import class_counts, class_scores, confusion, confusion_table
    from nmt.evaluation.counts import counts_table
    from nmt.text.words import ClassVocabulary

    loaded = load_translator(arguments, arguments.model)
    form = Classified(arguments.coarse_labels)
    paths = reference_paths(arguments, form)
    labels = loaded.bundle.target_subwords
    assert isinstance(labels, ClassVocabulary)
    notes = _check(form, paths, labels)
    text = read_text(paths)
    began = time.perf_counter()
    answers = loaded.translator.translate(text.source)
    seconds = time.perf_counter() - began
    outputs = [answer.text for answer in answers]
    notes += [f"line {number}: {each}" for number, answer in enumerate(answers, 1) for each in answer.warnings]
    for note in () if arguments.quiet else notes:
        report("nmt-evaluate", f"warning: {note}")
    scores, counts = class_scores(outputs, text.target), class_counts(outputs, text.target)
    confused = confusion(outputs, text.target)
    if arguments.format == "json":
        values: dict[str, Any] = {key: getattr(arguments, key) for key in ("model", "source", "reference")}
        values |= {"lines": len(outputs), "scores": [vars(score) for score in scores]}
        values["labels"] = {name: each.to_dict() for name, each in counts.items()}
        values["confusion"] = {
            row: {column: confused[row, column] for column in counts if confused[row, column]} for row in counts
        }
        values["seconds"] = round(seconds, 3)
        return json.dumps(values, indent=2, ensure_ascii=False), outputs
    rows = [f"{score.name:<8} {score.value:>6.2f}  {score.signature}" for score in scores]
    rows.append(
        f"{len(outputs):,} lines: {seconds:.1f} s, {len(outputs) / max(seconds, 1e-9):,.0f} lines/s "
        f"({loaded.device}, threads: {loaded.threads})"
    )
    tables = counts_table(counts, head="label", counted="lines"), confusion_table(confused)
    return "\n\n".join(["\n".join(rows), *tables]), outputs


def _check(form: Classified, paths: CorpusPaths, labels: ClassVocabulary) -> list[str]:
    """Check the labels as `Classified.check` does; where they are finer than the model's, name the option for them."""
    try:
        return form.check(paths, labels)
    except CorpusError:
        example = next((each for each in form.examples(paths) if each.label not in labels), None)
        coarse = example.label.partition(":")[0].strip() if example else ""
        if example is None or coarse not in labels:
            raise
        raise CorpusError(
            f"{example.file}: line {example.line} has the label {example.label}, and the model knows {coarse}: "
            "add --coarse-labels to take what stands before the colon"
        ) from None
