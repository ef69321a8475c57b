"""How nmt-evaluate scores a model that does not translate: by its task, against files of text, perhaps with labels."""

from __future__ import annotations

import argparse
import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nmt.config.choices import TaskName
from nmt.errors import BundleError, ConfigError, CorpusError

if TYPE_CHECKING:
    from nmt.corpus.reader import CorpusPaths, Form

Evaluate = Callable[[argparse.Namespace], tuple[str, list[str]]]
"""From arguments to the report, and what the model made of each line."""

WITH_TEXT = (".conll", ".bio", ".conllu", ".label", ".tsv")
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
        ConfigError: an option is for models of another task, or there is no text that labels are given to.
    """
    from nmt.bundle.description import read_description, read_whole

    task = TaskName.translation
    # What is wrong with a bundle is told when it is loaded, after all that takes less time to find.
    with contextlib.suppress(BundleError):
        if arguments.model:
            task = read_whole(Path(arguments.model), read_description).task
    for option, (own, what) in _OPTIONS.items():
        if own is not task and getattr(arguments, option.removeprefix("--").replace("-", "_")):
            raise ConfigError(f"{option} is for {what}: leave it out")
    if task not in _EVALUATING:
        return None
    if task is not TaskName.generation:
        _check_labels(arguments, task)
    module, function = _EVALUATING[task]
    found: Evaluate = getattr(importlib.import_module(module), function)
    return found


def _check_labels(arguments: argparse.Namespace, task: TaskName) -> None:
    """Refuse what has no meaning for a model that gives labels: ConfigError."""
    for option in ("tokenize", "lowercase"):
        if getattr(arguments, option):
            raise ConfigError(f"--{option} is for translations, and {arguments.model} {task.does}: leave it out")
    if not arguments.source and not arguments.reference.removesuffix(".gz").endswith(WITH_TEXT):
        raise ConfigError("there is nothing to label: give the source text with --source FILE")


def reference_paths(arguments: argparse.Namespace, form: Form) -> CorpusPaths:
    """Find the files that ``--reference``, and perhaps ``--source``, name; CorpusError where one is missing."""
    from nmt.corpus.reader import CorpusPaths

    files = [Path(name) for name in (arguments.source, arguments.reference) if name]
    for file in files:
        if not file.is_file():
            raise CorpusError(f"there is no file {file}; check the path")
    label = f"--reference {arguments.reference}"
    return CorpusPaths(label, files[0], files[1] if arguments.source else None, form)
