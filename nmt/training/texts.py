"""The texts that a configuration names: those to train on, and those that are scored, of each language pair."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from nmt.config.pairs import LanguagePair, parse_pairs
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.corpus.cache import Cache
from nmt.corpus.filters import hold_out_threshold
from nmt.corpus.pairs import has_text, resolve_pair
from nmt.corpus.reader import CorpusPaths, ParallelText, read_text
from nmt.corpus.store import default_cache_dir
from nmt.errors import CorpusError
from nmt.runs.log import LOG
from nmt.tasks.task import Task

T = TypeVar("T")
ScoredTexts = Mapping[LanguagePair | None, ParallelText]
"""The raw text of each pair, or one text for None where the corpus has no pairs; nothing where no text is named."""


class TrainingText(NamedTuple):
    """One of the training texts."""

    paths: CorpusPaths
    weight: float
    """passes of an epoch through it; with pairs, before the temperature decides"""
    tag: int
    """number of the control symbol before its sources; -1: none"""
    pair: LanguagePair | None = None
    """its languages, where the corpus has several pairs"""

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.paths.label}, weight {self.weight:g}, {'no tag' if self.tag < 0 else f'tag {self.tag}'}"


def training_texts(config: TrainConfig, task: Task) -> list[TrainingText]:
    """Find the training texts: ``corpus.train``, then those of ``corpus.extra``, of each pair.

    A pair may lack some of ``corpus.extra``, which one pair must have.

    Raises:
        CorpusError: a file is missing; the message names its pair.
    """
    settings = config.corpus
    names = [("corpus.train", settings.train), *(("corpus.extra", name) for name in settings.extra)]
    weights, tags = settings.weights or [1.0] * len(names), settings.tags or [-1] * len(names)
    texts: list[TrainingText] = []
    lacking: dict[str, list[LanguagePair]] = {}
    pairs = parse_pairs(settings.pairs)
    for pair in pairs or (None,):
        for (key, name), weight, tag in zip(names, weights, tags, strict=True):
            if pair and key == "corpus.extra" and not has_text(name, pair):
                lacking.setdefault(name, []).append(pair)
            else:
                texts.append(TrainingText(find_text(task, settings, name, key=key, pair=pair), weight, tag, pair))
    for name, those in lacking.items():
        if len(those) == len(pairs):
            raise CorpusError(
                f"corpus.extra={name}: no pair has such a text, as {those[0].text(name)}.{those[0].source} would be; "
                "check the path"
            )
        LOG.info(f"corpus.extra={name}: there is no such text of {', '.join(map(str, those))}")
    return texts


def read_scored_texts(config: TrainConfig, task: Task, key: str) -> ScoredTexts:
    """Read the raw text of ``corpus.valid`` or ``corpus.test``, of each pair; CorpusError as above."""
    return {pair: read_text(paths) for pair, paths in find_scored_texts(config, task, key).items()}


def find_scored_texts(config: TrainConfig, task: Task, key: str) -> dict[LanguagePair | None, CorpusPaths]:
    """Find the text of ``corpus.valid`` or ``corpus.test``, of each pair; CorpusError as above."""
    settings = config.corpus
    name = getattr(settings, key)
    pairs = (parse_pairs(settings.pairs) or (None,)) if name else ()
    return {pair: find_text(task, settings, name, key=f"corpus.{key}", pair=pair) for pair in pairs}


def joined(texts: ScoredTexts) -> ParallelText | None:
    """Join the texts of all pairs, in their order; None where there are none."""
    if not texts:
        return None
    if len(texts) == 1:
        return next(iter(texts.values()))
    return ParallelText(*([line for text in texts.values() for line in text[side]] for side in (0, 1)))


def find_text(
    task: Task, settings: CorpusConfig, name: str, *, key: str, pair: LanguagePair | None = None
) -> CorpusPaths:
    """Find the files of a text, of one pair where there are several; CorpusError: one is missing."""
    return task.find(name, settings, key=key) if pair is None else resolve_pair(name, pair, key=key)


def cache_of(settings: CorpusConfig) -> Cache:
    """Open the cache that the configuration names."""
    return Cache(Path(settings.cache_dir).expanduser() if settings.cache_dir else default_cache_dir())


class HoldOut(NamedTuple):
    """Which pairs of a text are held out for validation, see `nmt.corpus.filters`."""

    threshold: int = 0
    side: str = "source"


def hold_out(texts: Sequence[TrainingText], settings: CorpusConfig, cache: Cache) -> dict[LanguagePair | None, HoldOut]:
    """Choose what is held out of ``corpus.train`` of each pair.

    Both directions of a pair may have the same text. The target of the second is then what decides, so that neither
    trains on what the other holds out.
    """
    held_out: dict[LanguagePair | None, HoldOut] = {}
    for text in texts:
        if text.pair in held_out:
            continue
        paths = text.paths
        is_second = text.pair is not None and text.pair.reverse in held_out
        side = "target" if is_second else "source"
        special = [*([side] if is_second else []), *(["deduplicate"] if settings.deduplicate else [])]
        key = ("hold_out", cache.digests(paths), settings.valid_pairs, *special)
        find = partial(hold_out_threshold, paths, settings.valid_pairs, side=side, deduplicate=settings.deduplicate)
        held_out[text.pair] = HoldOut(remembered(cache, find, *key), side)
    return held_out


def remembered(cache: Cache, compute: Callable[[], T], *key: object) -> T:
    """Return what an earlier start kept under a key, or compute and keep it."""
    fact: T | None = cache.get(*key)
    if fact is None:
        fact = compute()
        cache.put(fact, *key)
    return fact
