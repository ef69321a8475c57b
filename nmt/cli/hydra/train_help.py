"""The text of ``nmt-train --help``: every key with its type, default and meaning.

Types and meanings are the dataclasses'; defaults are those of a command without presets of its own, which Hydra would
compose: the dataclasses' under those of the groups' first choices.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
from enum import Enum
from textwrap import wrap
from typing import Any

import yaml

from nmt.cli.hydra.keys import GROUPS, choices, list_keys
from nmt.config.schema import describe, from_dict, ranges, to_dict
from nmt.config.train import TrainConfig

_INTRODUCTION = """\
usage: nmt-train [KEY=VALUE ...] [GROUP=CHOICE ...] [-m]

Train a translator, labeller, classifier or language model, or go on where the same command stopped. Of a translator,
auto settles what you leave out, by the text, the minutes and this machine's speed. It tells its reasons.

  nmt-train experiment=demo                                   the embedded corpus, a few minutes
  nmt-train corpus.train=data/train corpus.source=en corpus.target=de trainer.max_minutes=60
                                                              your text: data/train.en and data/train.de
  nmt-train experiment=demo_labelling                         a label for each token; demo_classification: for each line
  nmt-train model=tiny optimizer.lr=2e-3 trainer.max_minutes=30 ...
                                                              a preset, with some keys changed
  nmt-train -m seed=1,2,3 ...                                 a sweep: one run each, in RUN_DIR/seed=1 and so on

The run directory (run_dir) gets best/ and last/, the bundles that nmt predict and nmt-translate take, train.log,
metrics.jsonl, config.yaml, and state.pt, from which the same command resumes.

options:
  -h, --help                this text
  --version                 the version
  -m, --multirun            run every combination of comma-separated values; RUN_DIR/sweep.md compares them
  -c, --cfg job             print the configuration instead of training
  -cd, --config-dir DIR     also look for configurations (DIR/experiment/mine.yaml) in DIR
  --info, --hydra-help      more of Hydra

choices of the groups:
"""
_ENDING = """
exit codes: 0 done, 1 the run failed, 2 something for you to correct, 129, 130 or 143 stopped by a signal after saving
"""


def help_text() -> str:
    """Compose the help."""
    lines = [_INTRODUCTION.rstrip("\n")]
    for group in GROUPS:
        lines += wrap(
            " ".join(choices(group)),
            width=100,
            initial_indent=f"  {group + '=':<14}",
            subsequent_indent=" " * 16,
            break_on_hyphens=False,
        )
    lines += ["", "keys:"]
    config = defaults()
    lines += _keys(config, "")
    for group in GROUPS[:-1]:
        lines += ["", *_keys(getattr(config, group), f"{group}.")]
    return "\n".join(lines) + "\n" + _ENDING.rstrip("\n")


def defaults() -> TrainConfig:
    """Compose the configuration of a command without words as Hydra does, but without loading Hydra (a second)."""
    composed = TrainConfig()
    for entry in _read("train.yaml")["defaults"]:
        for group, choice in entry.items() if isinstance(entry, dict) else ():
            if choice and hasattr(composed, group):
                values = to_dict(getattr(composed, group)) | (_read(f"{group}/{choice}.yaml") or {})
                setattr(composed, group, from_dict(type(getattr(composed, group)), values))
    return composed


def _read(name: str) -> Any:
    """Read a file of the configuration."""
    return yaml.safe_load(importlib.resources.files("nmt.conf").joinpath(name).read_text(encoding="utf-8"))


def _keys(config: Any, prefix: str) -> list[str]:
    kind_of_config: type = type(config)
    described = describe(kind_of_config)
    elements, allowed = list_keys(), ranges(kind_of_config)
    lines = []
    for item in dataclasses.fields(config):
        if item.name not in described:
            continue
        value, key = getattr(config, item.name), prefix + item.name
        kind = "|".join(type(value).__members__) if isinstance(value, Enum) else type(value).__name__
        if key in elements:
            kind = f"list of {elements[key].__name__}"
        if item.name in allowed:
            kind += f", {allowed[item.name]}"
        default = "''" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f"  {key}={default}  ({kind})")
        lines += wrap(
            described[item.name],
            width=100,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
            break_on_hyphens=False,  # names such as Sánchez-Cartagena stay whole
        )
    return lines
