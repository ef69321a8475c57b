"""From a configuration to what training needs: text, subwords, the encoded corpus and validation sentences."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nmt.checkpoint import write_atomically
from nmt.config import SubwordsConfig, TrainConfig
from nmt.data.corpus import (
    CorpusPaths,
    Filters,
    ParallelText,
    file_digest,
    hold_out_threshold,
    read_pairs,
    read_text,
    resolve,
)
from nmt.data.encoding import EncodedCorpus
from nmt.data.store import default_cache_dir, open_store
from nmt.errors import CorpusError
from nmt.schema import to_dict
from nmt.subwords import SubwordModel
from nmt.training.monitor import LOG


@dataclass
class Material:
    """What a training reads."""

    corpus: EncodedCorpus
    corpus_digest: str
    """changes when the training text, its filters or its subwords change"""
    source_subwords: SubwordModel
    target_subwords: SubwordModel
    valid: ParallelText
    """raw validation text"""
    test: ParallelText | None
    """raw test text, scored once at the end"""


def prepare(config: TrainConfig, *, subwords: tuple[SubwordModel, SubwordModel] | None = None) -> Material:
    """Read, segment and encode the text that the configuration names; `subwords` are those of a run that goes on.

    Raises:
        CorpusError: a corpus is missing, misaligned, empty, not UTF-8 or full of unknown words.
        SubwordError: subwords cannot be trained or loaded.
    """
    settings = config.corpus
    languages = {"source": settings.source, "target": settings.target}
    train = resolve(settings.train, key="corpus.train", **languages)
    valid_paths = resolve(settings.valid, key="corpus.valid", **languages) if settings.valid else None
    test_paths = resolve(settings.test, key="corpus.test", **languages) if settings.test else None
    cache_dir = Path(settings.cache_dir).expanduser() if settings.cache_dir else default_cache_dir()

    source, target = subwords or subword_models(config.subwords, train, cache_dir=cache_dir)
    hold_out = 0 if valid_paths else hold_out_threshold(train, settings.valid_pairs)
    filters = Filters(settings.max_source_tokens, settings.max_target_tokens, settings.max_length_ratio)
    corpus, built = open_store(
        train,
        source_subwords=source,
        target_subwords=target,
        filters=filters,
        hold_out=hold_out,
        cache_dir=cache_dir,
        progress=_log_progress,
    )
    LOG.info("training text (%s): %s", "encoded" if built else "from the cache", corpus.counts.summary())
    if valid_paths is None:
        LOG.info("corpus.valid is empty: %d pairs are held out by hash of the source", len(corpus.held_out.source))
    _check_unknown_rate(corpus, config)
    return Material(
        corpus,
        corpus_digest=_digest(train, source, target, filters, hold_out),
        source_subwords=source,
        target_subwords=target,
        valid=corpus.held_out if valid_paths is None else read_text(valid_paths),
        test=read_text(test_paths) if test_paths else None,
    )


def subword_models(config: SubwordsConfig, train: CorpusPaths, *, cache_dir: Path) -> tuple[SubwordModel, SubwordModel]:
    """Load the configured models, or train them on the training text unless an earlier run left them in the cache."""
    if config.model:
        model = SubwordModel.load(Path(config.model).expanduser())
        return model, model
    if config.source_model:
        return (
            SubwordModel.load(Path(config.source_model).expanduser()),
            SubwordModel.load(Path(config.target_model).expanduser()),
        )
    key = hashlib.sha256(repr((to_dict(config), [file_digest(f) for f in train.files])).encode()).hexdigest()[:32]
    if config.joint:
        model = _cached(config, _both_sides(train), path=cache_dir / "subwords" / f"{key}.model")
        return model, model
    return (
        _cached(
            config, (pair.source for pair in read_pairs(train)), path=cache_dir / "subwords" / f"{key}.source.model"
        ),
        _cached(
            config, (pair.target for pair in read_pairs(train)), path=cache_dir / "subwords" / f"{key}.target.model"
        ),
    )


def _cached(config: SubwordsConfig, sentences: Iterator[str], *, path: Path) -> SubwordModel:
    if path.exists():
        return SubwordModel.load(path)
    LOG.info("training %s subwords on the training text", config.kind)
    model = SubwordModel.train(
        sentences,
        kind=config.kind.value,
        vocabulary_size=config.vocabulary_size,
        byte_fallback=config.byte_fallback,
        normalization=config.normalization.value,
        character_coverage=config.character_coverage or None,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs that start together may both get here; each writes a file of its own and the renames are equal.
        own = path.with_name(f"{path.name}.{os.getpid()}")
        write_atomically(own, lambda partial: partial.write_bytes(model.to_bytes()))
        os.replace(own, path)
    except OSError as error:
        LOG.warning("the subword model is not cached in %s (%s)", path.parent, error.strerror)
    return model


def _both_sides(train: CorpusPaths) -> Iterator[str]:
    for pair in read_pairs(train):
        yield pair.source
        yield pair.target


def _digest(train: CorpusPaths, source: SubwordModel, target: SubwordModel, filters: Filters, hold_out: int) -> str:
    parts = [[file_digest(file) for file in train.files], source.digest, target.digest, repr(filters), hold_out]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _check_unknown_rate(corpus: EncodedCorpus, config: TrainConfig) -> None:
    limit = config.trainer.max_unknown_rate
    for side, rate in (("source", corpus.source_unknown_rate), ("target", corpus.target_unknown_rate)):
        if rate > limit:
            raise CorpusError(
                f"corpus.train={config.corpus.train}: {rate:.1%} of the {side} subwords are unknown to the subword "
                f"model (trainer.max_unknown_rate={limit:g}); it was trained on other text: leave subwords.model "
                "empty, or set subwords.byte_fallback=true"
            )


def _log_progress(pairs: int) -> None:
    if pairs % 100_000 == 0:
        LOG.info("encoded %s pairs", f"{pairs:,}")
