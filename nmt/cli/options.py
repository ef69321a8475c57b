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

from nmt.config.choices import PRECISIONS, Pooling, TaskName
from nmt.config.schema import describe
from nmt.config.search import SearchConfig
from nmt.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from nmt.bundle.loading import LoadedBundle
    from nmt.text.terms import Term
    from nmt.translation.rerank import Rerank


_SEARCH = tuple(item.name for item in dataclasses.fields(SearchConfig))
_SHARED = tuple(name for name in _SEARCH if name != "terms")
"""Those that every command with a search has; for terms see nmt.cli.terms."""
_OF_SAMPLING = ("temperature", "top_k", "top_p", "seed")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


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
    others: Sequence[str] = ()
    """bundles that make one ensemble with the first"""


def add_search_options(parser: argparse.ArgumentParser, *, only: Sequence[str] = _SHARED) -> None:
    """Add options for fields of SearchConfig, for all or some; one that is not given leaves the model's default."""
    group = parser.add_argument_group("search", "an option that you leave out is as the model was saved with")
    lines = describe(SearchConfig)
    parser.set_defaults(**dict.fromkeys(_SEARCH))
    for item in (item for item in dataclasses.fields(SearchConfig) if item.name in only):
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


def chosen_tag(tag: str, names: Mapping[str, int]) -> int:
    """Find the number of a tag that was typed, a number or one of the bundle's names; ConfigError: it is neither."""
    from nmt.translation.tags import tag_number

    return tag_number(int(tag) if tag.removeprefix("-").isdecimal() else tag, names)


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
    bundle = load_all([model, *asked.others], precision=arguments.precision, **machine)
    search = search_config(arguments, bundle.search)
    _refuse_options(arguments, model, bundle, asked)
    if bundle.task in _SEARCHING:
        _check_search(arguments, search, asked)
    if asked.tag is not None:
        search = dataclasses.replace(search, source_tag=chosen_tag(asked.tag, bundle.tags))
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
_ALL = frozenset(_SEARCH)
_OF_WORDS = frozenset(("batch_size", "max_source_tokens"))
"""The settings of search that tasks without a search have too."""
_TAKES: dict[TaskName, frozenset[str]] = {
    TaskName.translation: _ALL - {"max_new_tokens"}
    | {"n_best", "alignments", "rerank", "prefixes", "tag", "glossary"}
    | {"split_sentences", "markup"},
    TaskName.labelling: _OF_WORDS,
    TaskName.classification: _OF_WORDS | {"n_best", "attention"},
    TaskName.generation: _ALL - {"max_length_ratio", "source_tag", "protect", "check_numbers", "terms"} | {"n_best"},
}
"""The options that each task takes, of those that not all take."""
_WHOSE = {
    frozenset((TaskName.translation,)): "translations",
    frozenset((TaskName.translation, TaskName.generation)): "models that write text",
    frozenset((TaskName.translation, TaskName.generation, TaskName.classification)): "models that write text or "
    "classify lines",
    frozenset((TaskName.classification,)): "a model that classifies lines",
    frozenset((TaskName.generation,)): "a language model",
}
"""In words, what an option is for that these tasks take."""


def _refuse_options(arguments: argparse.Namespace, model: str, bundle: LoadedBundle, asked: Asked) -> None:
    """Refuse options that this model has no use for: ConfigError."""
    options = {
        "n_best": asked.n_best > 1,
        "alignments": asked.alignments,
        "rerank": asked.rerank is not None,
        "attention": asked.attention,
        "prefixes": asked.prefixes,
        "tag": asked.tag is not None,
        "glossary": bool(asked.glossary),
        "split_sentences": asked.split_sentences,
        "markup": asked.markup is not None,
    }
    options |= {name: getattr(arguments, name) is not None for name in _SEARCH}
    for name, is_given in options.items():
        if is_given and name not in _TAKES[bundle.task]:
            whose = _WHOSE[frozenset(task for task, taken in _TAKES.items() if name in taken)]
            raise ConfigError(f"{_option(name)} is for {whose}, and {model} {bundle.task.does}: leave it out")
    if asked.attention and bundle.config.pooling is Pooling.last:
        raise ConfigError(f"--attention has nothing to show: {model} has model.pooling=last; leave it out")


def _check_search(arguments: argparse.Namespace, search: SearchConfig, asked: Asked) -> None:
    """Refuse options that would change nothing, with sampling or without, and too small a beam: ConfigError."""
    for name in () if search.sample else _OF_SAMPLING:
        if getattr(arguments, name) is not None:
            raise ConfigError(f"{_option(name)} is for sampling: add --sample, or leave it out")
    if search.sample and arguments.beam_size is not None:
        raise ConfigError("--beam-size is for a beam, and outputs are sampled: leave it out, or add --no-sample")
    if search.sample and asked.rerank and not arguments.sample:
        raise ConfigError("--rerank chooses among samples, or in a beam: say which with --sample or --no-sample")
    if asked.n_best > search.beam_size and not search.sample:
        raise ConfigError(
            f"--n-best {asked.n_best} is more than the beam holds: set --beam-size {asked.n_best} or more "
            f"(it is {search.beam_size})"
        )
