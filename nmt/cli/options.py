"""Options that translating commands share: how to search, and on which machine; what each task takes of them.

Every field of SearchConfig is an option, with the field's own docstring as its help; imports nothing heavy.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.config.choices import PRECISIONS, TaskName
from nmt.config.schema import describe
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.bundle.loading import LoadedBundle
    from nmt.translation.rerank import Rerank


_DOES = {
    TaskName.translation: "translates",
    TaskName.labelling: "labels tokens",
    TaskName.generation: "continues text",
}
"""What a model of each task does, for messages."""
_ALL = frozenset(item.name for item in dataclasses.fields(SearchConfig))
_SEARCH = {
    TaskName.translation: _ALL - {"max_new_tokens"},
    TaskName.labelling: frozenset(("batch_size", "max_source_tokens")),
    TaskName.generation: _ALL - {"max_length_ratio", "source_tag"},
}
"""The settings of search that have a meaning for a model of each task."""
_OF_SAMPLING = ("temperature", "top_k", "top_p", "seed")


class Loaded(NamedTuple):
    """A translator, or what does its work for another task, ready, and what it runs on."""

    bundle: LoadedBundle
    translator: Any
    """a `Translator`, a `Labeller` or a `Generator`, which have the same methods for lines"""

    @property
    def device(self) -> str:
        """What computes, for people to read."""
        return self.bundle.device

    @property
    def threads(self) -> int:
        """CPU threads."""
        return self.bundle.threads


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field of SearchConfig; one that is not given leaves the model's default."""
    group = parser.add_argument_group("search", "an option that you leave out is as the model was saved with")
    lines = describe(SearchConfig)
    for item in dataclasses.fields(SearchConfig):
        kind: dict[str, Any] = {"type": type(item.default), "metavar": "X" if item.type == "float" else "N"}
        if isinstance(item.default, Enum):
            kind = {"type": str, "choices": [word.name for word in type(item.default)]}
        elif isinstance(item.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        group.add_argument(_option(item.name), help=lines[item.name].replace("%", "%%"), **kind)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--precision``, ``--threads`` and ``--device``."""
    group = parser.add_argument_group("machine")
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="int8: what nmt-export made; bf16: by PyTorch, on a processor or GPU that computes it natively; fp32 "
        "(default: int8 where it was made, else fp32; a GPU takes bf16 or fp32)",
    )
    group.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads (default: 1, or PyTorch's choice)"
    )
    group.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda, cuda:N, or auto: the CPU for an exported model, else the GPU if there is one (the default)",
    )


def search_config(arguments: argparse.Namespace, default: SearchConfig | None = None) -> SearchConfig:
    """Put the options that were given over the model's settings.

    Args:
        arguments: what a parser with `add_search_options` parsed.
        default: the model's settings; None: ours, to check the options before a model is loaded.

    Raises:
        ConfigError: an option's value is impossible.
    """
    settings = default or SearchConfig()
    chosen: dict[str, Any] = {}
    for item in dataclasses.fields(SearchConfig):
        value = getattr(arguments, item.name)
        if value is not None:
            chosen[item.name] = type(item.default)[value] if isinstance(item.default, Enum) else value
    for name, value in chosen.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{_option(name)} {value} is not possible: it must be a finite number")
    search = dataclasses.replace(settings, **chosen)
    try:
        search.validate()
    except ConfigError as error:
        message = str(error)
        for name in chosen:
            message = message.replace(f"search.{name}=", f"{_option(name)} ")
        raise ConfigError(message) from None
    return search


def load_translator(
    arguments: argparse.Namespace,
    model: str,
    *,
    n_best: int = 1,
    alignments: bool = False,
    rerank: Rerank | None = None,
) -> Loaded:
    """Load a bundle and prepare its translator as the options say.

    Args:
        arguments: what a parser with the options of this module parsed.
        model: the bundle.
        n_best: hypotheses of each line.
        alignments: whether hypotheses shall have them.
        rerank: chooses among the hypotheses of the beam.

    Raises:
        BundleError: the model cannot be loaded.
        ConfigError: an option is impossible, or the device is not there.
    """
    from nmt.bundle.loading import load

    bundle = load(model, precision=arguments.precision, device=arguments.device, threads=arguments.threads)
    search = search_config(arguments, bundle.search)
    _refuse_of_other_tasks(arguments, model, bundle.task, n_best=n_best, alignments=alignments, rerank=rerank)
    if bundle.task is TaskName.labelling:
        from nmt.translation.labeller import Labeller

        return Loaded(bundle, Labeller(bundle, search=search))
    _check_sampling(arguments, search, rerank=rerank)
    if n_best > search.beam_size and not search.sample:
        raise ConfigError(
            f"--n-best {n_best} is more than the beam holds: set --beam-size {n_best} or more "
            f"(it is {search.beam_size})"
        )
    if bundle.task is TaskName.generation:
        from nmt.translation.generator import Generator

        return Loaded(bundle, Generator(bundle, search=search, n_best=n_best))
    from nmt.translation.translator import Translator

    if rerank and search.beam_size == 1:
        raise ConfigError("--rerank needs several hypotheses to choose from: set --beam-size 2 or more (it is 1)")
    return Loaded(bundle, Translator(bundle, search=search, n_best=n_best, alignments=alignments, rerank=rerank))


def _refuse_of_other_tasks(
    arguments: argparse.Namespace, model: str, task: TaskName, *, n_best: int, alignments: bool, rerank: Rerank | None
) -> None:
    """Refuse options that have no meaning for a model of this task: ConfigError."""
    translates = task is TaskName.translation
    options = {
        "--n-best": n_best > 1 and task is TaskName.labelling,
        "--alignments": alignments and not translates,
        "--rerank": rerank is not None and not translates,
    }
    others = (item.name for item in dataclasses.fields(SearchConfig) if item.name not in _SEARCH[task])
    options |= {_option(name): getattr(arguments, name) is not None for name in others}
    for option, is_given in options.items():
        if is_given:
            whose = f"models of task={TaskName.generation}" if translates else "translations"
            raise ConfigError(f"{option} is for {whose}, and {model} {_DOES[task]}: leave it out")


def _check_sampling(arguments: argparse.Namespace, search: SearchConfig, *, rerank: Rerank | None) -> None:
    """Refuse options that would change nothing, with sampling or without: ConfigError."""
    for name in () if search.sample else _OF_SAMPLING:
        if getattr(arguments, name) is not None:
            raise ConfigError(f"{_option(name)} is for sampling: add --sample, or leave it out")
    if search.sample and (rerank or arguments.beam_size is not None):
        option = "--rerank" if rerank else "--beam-size"
        raise ConfigError(f"{option} is for a beam, and outputs are sampled: leave it out, or add --no-sample")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
