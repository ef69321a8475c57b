"""How nmt-evaluate scores a model that does not translate: by its task, against files of text, perhaps with labels."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.cli.options import task_of
from nmt.config.choices import TaskName
from nmt.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from nmt.corpus.reader import CorpusPaths, Form

Evaluate = Callable[[argparse.Namespace], tuple[str, list[str]]]
"""From arguments to the report, and what the model made of each line."""

_WITH_TEXT = {
    TaskName.labelling: (".conll", ".bio", ".conllu"),
    TaskName.classification: (".tsv", ".label"),
}
"""Suffixes of references that have the text too."""
_EVALUATING = {
    TaskName.labelling: ("nmt.cli.labels", "evaluate_labels"),
    TaskName.classification: ("nmt.cli.classes", "evaluate_classes"),
    TaskName.generation: ("nmt.cli.text_bits", "evaluate_text"),
}
"""The module and the function of each task but translation."""
_OPTIONS = {
    "--repair-bio": (TaskName.labelling, "a model that labels"),
    "--strip-token-digits": (TaskName.labelling, "a model that labels"),
    "--coarse-labels": (TaskName.classification, "a model that classifies"),
}
"""The options of one task alone."""


def evaluation_of(arguments: argparse.Namespace) -> Evaluate | None:
    """Find what evaluates a model that does not translate; None where it does, or there is none.

    Raises:
        ConfigError: an option is for models of another task, or the reference is not of a form that can be scored.
        CorpusError: a file of a model that gives labels is missing.
    """
    task = task_of(arguments.model) if arguments.model else TaskName.translation
    for option, (own, what) in _OPTIONS.items():
        if own is not task and getattr(arguments, option.removeprefix("--").replace("-", "_")):
            raise ConfigError(f"{option} is for {what}: leave it out")
    if not arguments.model:
        _refuse_text(arguments.reference)
    if task not in _EVALUATING:
        return None
    if task is not TaskName.generation:
        _check_labels(arguments, task)
    module, function = _EVALUATING[task]
    evaluate: Evaluate = getattr(importlib.import_module(module), function)
    return evaluate


def _refuse_text(reference: str) -> None:
    """Refuse to score translations against lines that are text and labels: ConfigError."""
    if _has_text(reference, *_WITH_TEXT):
        raise ConfigError(
            f"{reference} has text and labels, and a model is scored against it: give a MODEL instead of --hypotheses"
        )


def _check_labels(arguments: argparse.Namespace, task: TaskName) -> None:
    """Refuse what has no meaning for a model that gives labels.

    Raises:
        ConfigError: an option is for translations, or the text is named twice or not at all.
        CorpusError: a file is missing.
    """
    for option in ("tokenize", "lowercase"):
        if getattr(arguments, option):
            raise ConfigError(f"--{option} is for translations, and {arguments.model} {task.does}: leave it out")
    source, reference = arguments.source, arguments.reference
    has_text, suffixes = _has_text(reference, task), _listed(_WITH_TEXT[task])
    for name in filter(None, (source, reference)):
        if not Path(name).is_file():
            both = source or has_text
            hint = "check the path" if both else f"name one that ends in {suffixes}, or labels with --source FILE"
            raise CorpusError(f"there is no file {name}; {hint}")
    if source and has_text:
        raise ConfigError(f"{reference} has text and labels: leave --source out")
    # One that only a model of the other task reads is refused with --source too, for it is no file of labels.
    if not has_text and (not source or _has_text(reference, *_WITH_TEXT)):
        raise ConfigError(
            f"{arguments.model} {task.does}, and {reference} has no text for it: name a file of text and labels "
            f"that ends in {suffixes}, or give the text with --source FILE and its labels with --reference FILE"
        )


def _has_text(name: str, *tasks: TaskName) -> bool:
    """Whether a file has the text too, as the suffixes of these tasks say."""
    return any(name.removesuffix(".gz").endswith(_WITH_TEXT[task]) for task in tasks)


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def reference_paths(arguments: argparse.Namespace, form: Form) -> CorpusPaths:
    """Name the files of ``--reference``, and perhaps ``--source``, which `evaluation_of` looked for."""
    from nmt.corpus.reader import CorpusPaths

    files = [Path(name) for name in (arguments.source, arguments.reference) if name]
    label = f"--reference {arguments.reference}"
    return CorpusPaths(label, files[0], files[1] if arguments.source else None, form)
