"""What nmt-evaluate does with a model that labels: F1 of entities or accuracy, by type."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from nmt.cli.options import load_translator
from nmt.cli.reference import reference_paths


def evaluate_labels(arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Label a text and score the labels.

    Args:
        arguments: of nmt-evaluate.

    Returns:
        The report, and the labels of each line.

    Raises:
        NmtError: an option, the model or a file is not what it should be.
    """
    from nmt.corpus.labelled import Labelled
    from nmt.corpus.reader import read_text
    from nmt.evaluation.labelling import entity_counts, label_scores, table
    from nmt.text.words import LabelVocabulary

    loaded = load_translator(arguments, arguments.model)
    form = Labelled(arguments.repair_bio, arguments.strip_token_digits)
    paths = reference_paths(arguments, form)
    labels = loaded.bundle.target_subwords
    assert isinstance(labels, LabelVocabulary)
    form.check(paths, labels)
    text = read_text(paths)
    began = time.perf_counter()
    outputs = [each.text for each in loaded.translator.translate(text.source)]
    seconds = time.perf_counter() - began
    scores = label_scores(outputs, text.target, is_bio=labels.is_bio)
    counts = entity_counts(outputs, text.target) if labels.is_bio else {}
    tokens = sum(map(len, map(str.split, text.target)))
    repaired = sum(sentence.repaired for sentence in form.sentences(paths))
    if arguments.format == "json":
        values: dict[str, Any] = {key: getattr(arguments, key) for key in ("model", "source", "reference")}
        values |= {"sentences": len(outputs), "tokens": tokens, "repaired_labels": repaired}
        values["scores"] = [vars(score) for score in scores]
        values["entities"] = {name: each.to_dict() for name, each in counts.items()}
        values["seconds"] = round(seconds, 3)
        return json.dumps(values, indent=2, ensure_ascii=False), outputs
    rows = [f"{score.name:<8} {score.value:>6.2f}  {score.signature}" for score in scores]
    note = f", {repaired:,} broken I- labels read as B-" if repaired else ""
    rows.append(
        f"{len(outputs):,} sentences, {tokens:,} tokens{note}: {seconds:.1f} s, {tokens / max(seconds, 1e-9):,.0f} "
        f"tokens/s ({loaded.device}, threads: {loaded.threads})"
    )
    return "\n".join([*rows, *([table(counts)] if counts else [])]), outputs
