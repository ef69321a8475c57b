"""Options that translating commands share: how to search, and on which machine; what each task takes of them.

Every field of SearchConfig but terms is an option, with the field's own docstring as its help; imports nothing heavy.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nmt.cli.common import report
from nmt.cli.option_checks import SEARCH, check_search, option_name, refuse_options
from nmt.config.choices import PRECISIONS, TaskName
from nmt.config.schema import describe
from nmt.config.search import SearchConfig, completed
from nmt.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from nmt.bundle.loading import LoadedBundle
    from nmt.text.terms import Term
    from nmt.translation.rerank import Rerank


_SHARED = tuple(name for name in SEARCH if name != "terms")
"""Those that every command with a search has; for terms see nmt.cli.terms."""


_METAVARS = {int: "N", float: "X", str: "LANGUAGE"}


class Loaded(NamedTuple):
    """A translator, or what answers lines for another task, ready, and what it runs on."""

    bundle: LoadedBundle
    translator: Any
    """a `Translator`, or a `Labeller`, `Classifier` or `Generator`, which have the same methods for lines"""

    @property
    def device(self) -> str:
        """What computes, for people to read."""
        return self.bundle.device

    @property
    def threads(self) -> int:
        """CPU threads."""
        return self.bundle.threads


class Asked(NamedTuple):
    """What is asked for of each line."""

    n_best: int = 1
    """hypotheses"""
    alignments: bool = False
    """whether hypotheses shall have them"""
    rerank: Rerank | None = None
    """chooses among the hypotheses of the beam"""
    attention: bool = False
    """whether the weights of words shall be shown"""
    prefixes: bool = False
    """whether outputs have prefixes"""
    glossary: Sequence[Term] = ()
    """terms of all lines"""
    tag: str | None = None
    """number or name of the tag before every source; None: as the search settings say"""
    split_sentences: bool = False
    """whether each sentence of a line is translated by itself"""
    markup: str | None = None
    """of lines, which is taken out and put back"""
    language_by_line: bool = False
    """whether each line may name its target language"""
    other_bundles: Sequence[str] = ()
    """bundles that make one ensemble with the first"""


def add_search_options(parser: argparse.ArgumentParser, *, only: Sequence[str] = _SHARED) -> None:
    """Add options for fields of SearchConfig, for all or some; one that is not given leaves the model's default."""
    group = parser.add_argument_group("search", "an option that you leave out is as the model was saved with")
    lines = describe(SearchConfig)
    parser.set_defaults(**dict.fromkeys(SEARCH))
    for item in (item for item in dataclasses.fields(SearchConfig) if item.name in only):
        kind: dict[str, Any] = {"type": type(item.default), "metavar": _METAVARS.get(type(item.default))}
        if isinstance(item.default, Enum):
            kind = {"type": str, "choices": [word.name for word in type(item.default)]}
        elif isinstance(item.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        group.add_argument(option_name(item.name), dest=item.name, help=lines[item.name].replace("%", "%%"), **kind)


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
    if getattr(arguments, "rerank", None):
        chosen.setdefault("mbr_samples", 0)
    chosen = completed(chosen)
    for name, value in chosen.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{option_name(name)} {value} is not possible: it must be a finite number")
    search = dataclasses.replace(settings, **chosen)
    try:
        search.validate()
    except ConfigError as error:
        message = str(error)
        for name in chosen:
            message = message.replace(f"search.{name}=", f"{option_name(name)} ")
        raise ConfigError(message) from None
    return search


def chosen_tag(tag: str, names: Mapping[str, int]) -> int:
    """Find the number of a tag that was typed, a number or one of the bundle's names; ConfigError: it is neither."""
    from nmt.translation.tags import tag_number

    return tag_number(int(tag) if tag.removeprefix("-").isdecimal() else tag, names)


def with_languages(bundle: LoadedBundle, search: SearchConfig, model: str, *, by_line: bool = False) -> LoadedBundle:
    """Give a bundle the languages that are asked for; ConfigError: it does not have them, or one is missing."""
    from nmt.translation.languages import settled

    try:
        return settled(bundle, search, by_line=by_line)
    except ConfigError as error:
        raise ConfigError(str(error).replace("the model", model, 1).replace("(to, or --to)", "with --to")) from None


def warn_of_direction(name: str, arguments: argparse.Namespace, model: str) -> None:
    """Say under a command's name that the direction that ``--from`` and ``--to`` name was never trained, if so."""
    if arguments.source_language is None or arguments.quiet:
        return
    from nmt.bundle.description import read_description, read_whole
    from nmt.translation.languages import untrained

    description = read_whole(Path(model), read_description)
    if told := untrained(description, search_config(arguments, description.search)):
        report(name, f"warning: {told.replace('the model', model, 1)}")


def task_of(model: str) -> TaskName:
    """Find out what a bundle is for; what is wrong with one is told when it is loaded, and until then it translates."""
    from nmt.bundle.description import read_description, read_whole

    with contextlib.suppress(BundleError):
        return read_whole(Path(model), read_description).task
    return TaskName.translation


def load_translator(arguments: argparse.Namespace, model: str, asked: Asked | None = None) -> Loaded:
    """Load a bundle and prepare what answers lines, as the options say.

    Args:
        arguments: what a parser with the options of this module parsed.
        model: the bundle.
        asked: of each line; None: the best hypothesis alone.

    Raises:
        BundleError: the model cannot be loaded.
        ConfigError: an option is impossible, or the device is not there.
    """
    from nmt.bundle.ensemble import load_all

    asked = asked or Asked()
    # Before the bundle is loaded, which would advise to export what cannot be exported.
    if arguments.precision == "int8" and (task := task_of(model)) not in _SEARCHING:
        raise ConfigError(f"{model} {task.does}, and there is no int8 of such a model: leave --precision int8 out")
    machine = {"device": arguments.device, "threads": arguments.threads}
    bundle = load_all([model, *asked.other_bundles], precision=arguments.precision, **machine)
    search = search_config(arguments, bundle.search)
    refuse_options(arguments, model, bundle, asked)
    if bundle.task in _SEARCHING:
        check_search(arguments, search, asked)
    if asked.tag is not None:
        search = dataclasses.replace(search, source_tag=chosen_tag(asked.tag, bundle.tags))
    if bundle.task is TaskName.translation:
        bundle = with_languages(bundle, search, model, by_line=asked.language_by_line)
    return Loaded(bundle, _ANSWERING[bundle.task](bundle, search, asked))


def _translator(bundle: LoadedBundle, search: SearchConfig, asked: Asked) -> Any:
    from nmt.translation.layers import layers_of
    from nmt.translation.translator import Translator

    if asked.rerank and search.sample and asked.n_best == 1:
        raise ConfigError("--rerank needs several samples to choose from: set --n-best 16 or so (it is 1)")
    if asked.rerank and search.beam_size == 1 and not search.sample:
        raise ConfigError("--rerank needs several hypotheses to choose from: set --beam-size 2 or more (it is 1)")
    n_best = 1 if asked.rerank and search.sample else asked.n_best  # the samples are of each sentence
    layers = layers_of(bundle, search, n_best=n_best, split_sentences=asked.split_sentences, markup=asked.markup)
    translator = Translator(
        bundle,
        search=search,
        n_best=asked.n_best,
        alignments=asked.alignments,
        rerank=asked.rerank,
        glossary=asked.glossary,
    )
    return translator.add_layers(layers)


def _generator(bundle: LoadedBundle, search: SearchConfig, asked: Asked) -> Any:
    from nmt.translation.generator import Generator

    return Generator(bundle, search=search, n_best=asked.n_best)


def _labeller(bundle: LoadedBundle, search: SearchConfig, asked: Asked) -> Any:
    from nmt.translation.labeller import Labeller

    return Labeller(bundle, search=search)


def _classifier(bundle: LoadedBundle, search: SearchConfig, asked: Asked) -> Any:
    from nmt.translation.classifier import Classifier

    return Classifier(bundle, search=search, n_best=asked.n_best)


_ANSWERING: dict[TaskName, Callable[[LoadedBundle, SearchConfig, Asked], Any]] = {
    TaskName.translation: _translator,
    TaskName.labelling: _labeller,
    TaskName.classification: _classifier,
    TaskName.generation: _generator,
}
"""What answers lines for each task."""
_SEARCHING = (TaskName.translation, TaskName.generation)
"""The tasks whose outputs are searched for token by token."""
