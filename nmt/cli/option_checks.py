"""Which options a model takes: those of its task, and of its search, as it is asked for."""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import TYPE_CHECKING

from nmt.config.choices import Pooling, TaskName
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError

if TYPE_CHECKING:
    from nmt.bundle.loading import LoadedBundle
    from nmt.cli.options import Asked

SEARCH = tuple(item.name for item in dataclasses.fields(SearchConfig))
"""The settings of search."""
_OF_SAMPLING = ("temperature", "top_k", "top_p", "seed")


def option_name(name: str) -> str:
    """Write a setting of search, or what is asked for, as the option that it is."""
    return "--from" if name == "source_language" else "--" + name.replace("_", "-")


_ALL = frozenset(SEARCH)
_OF_TRANSLATION = {
    *("mbr_samples", "max_length_ratio", "source_tag", "to", "source_language", "protect", "check_numbers", "terms"),
    "capitals",
}
"""The settings of search that are for translations alone."""
_OF_WORDS = frozenset(("batch_size", "max_source_tokens"))
"""The settings of search that tasks without a search have too."""
_TAKES: dict[TaskName, frozenset[str]] = {
    TaskName.translation: _ALL - {"max_new_tokens"}
    | {"n_best", "alignments", "rerank", "prefixes", "tag", "glossary"}
    | {"split_sentences", "markup"},
    TaskName.labelling: _OF_WORDS,
    TaskName.classification: _OF_WORDS | {"n_best", "attention"},
    TaskName.generation: _ALL - _OF_TRANSLATION | {"n_best"},
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


def refuse_options(arguments: argparse.Namespace, model: str, bundle: LoadedBundle, asked: Asked) -> None:
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
    options |= {name: getattr(arguments, name) is not None for name in SEARCH}
    for name, is_given in options.items():
        if is_given and name not in _TAKES[bundle.task]:
            whose = _WHOSE[frozenset(task for task, taken in _TAKES.items() if name in taken)]
            raise ConfigError(f"{option_name(name)} is for {whose}, and {model} {bundle.task.does}: leave it out")
    if asked.attention and bundle.config.pooling is Pooling.last:
        raise ConfigError(f"--attention has nothing to show: {model} has model.pooling=last; leave it out")


def check_search(arguments: argparse.Namespace, search: SearchConfig, asked: Asked) -> None:
    """Refuse options that would change nothing, with sampling or without, and too small a beam: ConfigError."""
    draws = search.sample or search.mbr_samples > 0
    for name in () if draws else _OF_SAMPLING:
        if getattr(arguments, name) is not None:
            raise ConfigError(f"{option_name(name)} is for sampling: add --sample, or leave it out")
    if search.mbr_samples and (arguments.beam_size is not None or asked.rerank):
        option = "--rerank" if asked.rerank else "--beam-size"
        raise ConfigError(f"{option} and --mbr-samples are two ways to choose: leave one of them out")
    if search.sample and arguments.beam_size is not None:
        raise ConfigError("--beam-size is for a beam, and outputs are sampled: leave it out, or add --no-sample")
    if search.sample and asked.rerank and not arguments.sample:
        raise ConfigError("--rerank chooses among samples, or in a beam: say which with --sample or --no-sample")
    if search.mbr_samples and asked.n_best > search.mbr_samples:
        raise ConfigError(f"--n-best {asked.n_best} is more than --mbr-samples {search.mbr_samples}: draw more of them")
    if asked.n_best > search.beam_size and not draws:
        raise ConfigError(
            f"--n-best {asked.n_best} is more than the beam holds: set --beam-size {asked.n_best} or more "
            f"(it is {search.beam_size})"
        )


def check_attention(arguments: argparse.Namespace) -> None:
    """Refuse ``--attention`` where an output format has no place for it: ConfigError."""
    if arguments.attention and arguments.format != "text":
        advice = "leave it out" if arguments.format == "jsonl" else f"take that instead of {arguments.format}"
        raise ConfigError(f"--attention is for --format text, and jsonl has the weights anyway: {advice}")


def check_sharpness(arguments: argparse.Namespace) -> None:
    """Take the default of ``--sharpness``; ConfigError: it is impossible, or means nothing."""
    if arguments.sharpness is not None and arguments.sample:
        raise ConfigError("--sharpness is for a beam, and samples count alike: leave it out")
    arguments.sharpness = 0.5 if arguments.sharpness is None else arguments.sharpness
    if not (math.isfinite(arguments.sharpness) and arguments.sharpness >= 0):
        raise ConfigError(f"--sharpness {arguments.sharpness:g} is not possible: it must be 0 or more")
