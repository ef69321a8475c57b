"""Write a variant of a model into its bundle: its graphs, perhaps a shortlist, and an entry in config.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from nmt.bundle.description import Description, explaining, read_config, read_description, read_whole
from nmt.bundle.manifest import CONFIG, other_files, require_whole, with_manifest
from nmt.bundle.replacement import finish_saving, identity, replace_directory
from nmt.config.choices import VARIANTS, TaskName
from nmt.config.pairs import target_languages
from nmt.corpus.encoding import Encoder, Side
from nmt.corpus.reader import CorpusPaths, read_pairs
from nmt.errors import BundleError, ConfigError
from nmt.export.arithmetic import Float32
from nmt.export.build import build_graphs
from nmt.export.builder import Weights
from nmt.export.classifier import build_classifier_graph
from nmt.export.int8 import Int8
from nmt.export.tagger import build_tagger_graph
from nmt.files import is_utf8
from nmt.text.shortlist import Shortlist
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import subwords_of
from nmt.text.words import WordVocabulary

_OF_WORDS = {
    TaskName.labelling: ("tagger", build_tagger_graph),
    TaskName.classification: ("classifier", build_classifier_graph),
}
"""The one graph of a task whose lines are words, and what builds it."""
_ARITHMETIC = {"int8": Int8, "fp32": Float32}
_FROM_WEIGHTS = "a bundle is exported from the weights that training saved"
_ELSEWHERE = "make it writable or copy the bundle elsewhere"


class Exported(NamedTuple):
    """What was written into a bundle."""

    files: dict[str, int]
    """name → bytes"""


MakeShortlist = Callable[[Description], Shortlist]


def export(path: Path, precision: str, *, shortlist: MakeShortlist | None = None) -> Exported:
    """Write a variant into a bundle, replacing an earlier one; at any moment the old or the new bundle is whole.

    Args:
        path: the bundle, with the weights that training saved.
        precision: one of `nmt.config.choices.VARIANTS`.
        shortlist: makes what translations may be made of, as `learn_shortlist` does; None: of the whole vocabulary.

    Raises:
        BundleError: the bundle is missing or damaged, has no fp32 weights, or was replaced meanwhile.
        ConfigError: the precision is unknown, or models of the bundle's task are not exported.
        RunError: the disk is full or not writable; the bundle is as it was.
    """
    if precision not in VARIANTS:
        raise ConfigError(f"precision={precision} is unknown: choose one of {', '.join(VARIANTS)}")
    finish_saving(path, elsewhere=_ELSEWHERE)
    before, files = read_whole(path, lambda whole: (identity(whole), dict(_files(whole, precision, shortlist))))

    def unless() -> None:
        if identity(path) != before:
            raise BundleError(f"{path} was replaced while it was exported; run the same command again")

    replace_directory(path, files.items(), unless=unless, elsewhere=_ELSEWHERE)
    return Exported({name: len(content) for name, content in files.items() if name.startswith(f"{precision}/")})


def learn_shortlist(
    description: Description, corpora: Sequence[CorpusPaths], *, size: int, languages: Sequence[str] = ()
) -> Shortlist:
    """Learn a shortlist from parallel text: `size` targets for each source subword, and as many for all.

    Args:
        description: of the model.
        corpora: the texts.
        size: see `nmt.text.shortlist.Shortlist.train`.
        languages: the target language of each text; only a model that has symbols of languages needs them.

    Raises:
        ConfigError: there is no text of a language.
        CorpusError: a text is missing or damaged, or there is none.
    """
    source, target = subwords_of(description.source_subwords), subwords_of(description.target_subwords)
    if not source.languages:
        return _learn(source, target, corpora, size=size)
    trained = target_languages(description.pairs)
    if lacking := [language for language in trained if language not in languages]:
        raise ConfigError(f"there is no training text of the target language {lacking[0]} for the shortlist")
    learnt = {
        language: _learn(
            source, target, [text for text, own in zip(corpora, languages, strict=True) if own == language], size=size
        )
        for language in trained
    }
    # A parent's language that was not trained again cannot be asked for; any list stands for it.
    every = [learnt.get(language, learnt[trained[0]]) for language in source.languages]
    return Shortlist.join(every, source.language_ids)


def _learn(source: SubwordModel, target: SubwordModel, corpora: Sequence[CorpusPaths], *, size: int) -> Shortlist:
    encoder = Encoder(source, target)
    pairs = chain.from_iterable(map(read_pairs, corpora))
    encoded = encoder.encode(pairs, label=", ".join(corpus.label for corpus in corpora))
    return Shortlist.train(
        _Rows(encoded.source, len(encoded)),
        _Rows(encoded.target, len(encoded)),
        source_subwords=source,
        target_subwords=target,
        size=size,
    )


class _Rows(Sequence[Any]):
    """One side of an encoded corpus, as rows of ids."""

    def __init__(self, side: Side, length: int) -> None:
        self._side, self._length = side, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self._side.row(index)


def _files(path: Path, precision: str, shortlist: MakeShortlist | None) -> Iterator[tuple[str, bytes]]:
    """Yield all files of the bundle as they shall be: the variant's anew, the others as they are."""
    description = read_description(path)
    if description.task is TaskName.generation:
        raise ConfigError("a language model is not exported: PyTorch computes it, so use the bundle as it is")
    with explaining(path):
        file = require_whole(path, description.variants["fp32"]["weights"], description.files, advice=_FROM_WEIGHTS)
    weights = _load_weights(file)
    try:
        parts = _graphs(description, weights, precision, with_shortlist=shortlist is not None)
    except KeyError as error:
        raise BundleError(f"{path}: the weights lack {error}; copy the bundle again") from None
    except (IndexError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: the weights are not those of {CONFIG} ({error}); copy the bundle again") from None
    if shortlist is not None:
        parts["shortlist"] = "shortlist.npz", shortlist(description).to_bytes()
    config = read_config(path)
    weights_entry = {part: file for part, file in config["variants"].get(precision, {}).items() if part == "weights"}
    config["variants"][precision] = weights_entry | {part: f"{precision}/{file}" for part, (file, _) in parts.items()}
    written = ((f"{precision}/{file}", content) for file, content in parts.values())
    yield from with_manifest(config, chain(written, other_files(path, description.files, but=precision)))


def _graphs(
    description: Description, weights: Weights, precision: str, *, with_shortlist: bool
) -> dict[str, tuple[str, bytes]]:
    """Build the graphs of a bundle's task: for each part its file's name and content."""
    source, task = description.source_subwords, description.task
    if task not in _OF_WORDS:
        graphs = build_graphs(
            description.config,
            weights,
            _ARITHMETIC[precision],
            with_shortlist=with_shortlist,
            languages=subwords_of(description.source_subwords).language_ids,
            first_word=subwords_of(description.source_subwords).mark_ids.stop,
        )
        return graphs.files()
    if precision != "fp32" or with_shortlist:
        raise ConfigError(
            f"a model that {task.does} is exported in fp32 and without a shortlist: take --precision fp32 alone"
        )
    assert isinstance(source, WordVocabulary)
    name, build = _OF_WORDS[task]
    return {name: (f"{name}.onnx", build(description.config, weights, first_word=source.first_word))}


def _load_file(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return safetensors.numpy.load(path.read_bytes())


def _load_weights(path: Path) -> Weights:
    try:
        load = safetensors.numpy.load_file if is_utf8(path) else _load_file
        weights = load(path)
    except safetensors.SafetensorError:
        raise BundleError(f"{path} is missing or damaged (it is no whole safetensors file); {_FROM_WEIGHTS}") from None
    for name, weight in weights.items():
        if not np.isfinite(weight).all():
            raise BundleError(f"{path}: {name} has values that are not finite numbers; copy the bundle again")
    return {name: np.asarray(weight, dtype=np.float32) for name, weight in weights.items()}
