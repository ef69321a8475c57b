"""From a configuration to what training needs: text, subwords, the encoded corpora and validation sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from nmt.config.corpus import CorpusConfig
from nmt.config.train import TrainConfig
from nmt.corpus.augmentation import Augmentation
from nmt.corpus.cache import Cache, digest_of
from nmt.corpus.encoding import EncodedCorpus, Encoder
from nmt.corpus.filters import hold_out_threshold
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.reader import CorpusPaths, ParallelText, read_text
from nmt.corpus.store import default_cache_dir, open_store
from nmt.errors import CorpusError
from nmt.runs.log import LOG
from nmt.tasks.task import Task
from nmt.tasks.translation import TRANSLATION
from nmt.text.spans import common_marks
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import Vocabulary
from nmt.training.augmentation import augmentation_of, letter_cases, with_reversed
from nmt.training.subwords import subword_models

T = TypeVar("T")


class TrainingText(NamedTuple):
    """One of the training texts."""

    paths: CorpusPaths
    weight: float
    """passes of an epoch through it"""
    tag: int
    """number of the control symbol before its sources; -1: none"""

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.paths.label}, weight {self.weight:g}, {'no tag' if self.tag < 0 else f'tag {self.tag}'}"


@dataclass(frozen=True)
class TrainingData:
    """What a training reads."""

    task: Task
    """what it is read for"""
    texts: Sequence[TrainingText]
    """corpus.train, then those of corpus.extra"""
    corpus: Mixture
    """their pairs, encoded"""
    corpus_digest: str
    """changes when a training text, its filters or its subwords change; not with weights and tags"""
    source_subwords: Vocabulary
    target_subwords: Vocabulary
    valid: ParallelText
    """raw validation text"""
    test: ParallelText | None
    """raw test text, scored once at the end"""
    cache: Cache
    """what earlier starts found out about the text"""
    augmentation: Augmentation | None = None
    """what becomes of some pairs"""

    @property
    def vocabularies(self) -> dict[str, int]:
        """Sizes of the vocabularies, as `build_model` takes them."""
        source, target = self.source_subwords.vocabulary_size, self.target_subwords.vocabulary_size
        return {"source_vocabulary": source, "target_vocabulary": target}

    @property
    def marks(self) -> str:
        """Marks for protected spans that both vocabularies have, see `nmt.text.spans`."""
        source, target = self.source_subwords, self.target_subwords
        if len(self.task.sides) == 2 and isinstance(source, SubwordModel) and isinstance(target, SubwordModel):
            return common_marks(source, target)
        return ""

    @property
    def valid_digest(self) -> str:
        """Of the raw validation text."""
        return text_digest(self.valid)


def prepare(
    config: TrainConfig, task: Task = TRANSLATION, *, subwords: tuple[Vocabulary, Vocabulary] | None = None
) -> TrainingData:
    """Read, segment and encode the text that the configuration names; `subwords` are those of a run that goes on.

    Raises:
        CorpusError: a corpus is missing, misaligned, empty, not UTF-8 or full of unknown words.
        SubwordError: subwords cannot be trained or loaded.
    """
    settings, cases = config.corpus, letter_cases(config.augmentation)
    texts = training_texts(config, task)
    # First of all, what is soon read: a mistake there shall not be told after minutes of encoding.
    valid, test = read_scored_text(config, task, "valid"), read_scored_text(config, task, "test")
    paths = [text.paths for text in texts]
    cache = cache_of(settings)
    hold_out = _hold_out(settings, paths[0], cache) if valid is None else 0
    once = settings.deduplicate
    source, target = (
        subwords
        or task.vocabularies(paths, size=config.subwords.vocabulary_size, hold_out=hold_out)
        or subword_models(
            config.subwords,
            paths,
            sides=len(task.sides),
            hold_out=hold_out,
            cache=cache,
            deduplicate=once,
            cases=cases,
        )
    )
    task = task.settled(target)
    _check_texts(config, task, paths, target)
    filters = task.filters(settings)
    corpora: list[EncodedCorpus] = []
    for text in texts:
        # What is held out of the first text is left out of the others.
        validation = frozenset(line.strip() for line in corpora[0].held_out.source) if corpora else frozenset()
        encoder = Encoder(
            source, target, filters, hold_out=0 if corpora else hold_out, validation=validation, deduplicate=once
        )
        corpus, built = open_store(text.paths, encoder, cache=cache, progress=_log_progress)
        name = f" {text}" if len(texts) > 1 else ""
        LOG.info(f"training text{name} ({'encoded' if built else 'from the cache'}): {corpus.counts.summary()}")
        _check_unknown_rate(corpus, text.paths.label, config, task)
        corpora.append(corpus)
    if valid is None:
        pairs = len(corpora[0].held_out.source)
        LOG.info(f"corpus.valid is empty: {pairs} pairs are held out by hash of the source")
    # Runs of before know nothing of repeated pairs, and have the digest without them.
    counted = ["deduplicate"] if once else []
    digest = digest_of(list(map(cache.digests, paths)), source.digest, target.digest, repr(filters), hold_out, *counted)
    parts = [
        Part(corpus, text.weight, source.tag_prefix(text.tag)) for corpus, text in zip(corpora, texts, strict=True)
    ]
    names = digest_of(digest, [text.weight for text in texts], [text.tag for text in texts])
    mixture = Mixture(with_reversed(config.augmentation, parts, source), digest=names)
    return TrainingData(
        task,
        texts,
        mixture,
        corpus_digest=digest,
        source_subwords=source,
        target_subwords=target,
        valid=valid or corpora[0].held_out,
        test=test,
        cache=cache,
        augmentation=augmentation_of(config.augmentation, mixture, limits=filters, subwords=(source, target)),
    )


def training_texts(config: TrainConfig, task: Task) -> list[TrainingText]:
    """Find corpus.train and those of corpus.extra; CorpusError where a file is missing."""
    settings = config.corpus
    names = [("corpus.train", settings.train), *(("corpus.extra", name) for name in settings.extra)]
    weights, tags = settings.weights or [1.0] * len(names), settings.tags or [-1] * len(names)
    return [
        TrainingText(task.find(name, settings, key=key), weight, tag)
        for (key, name), weight, tag in zip(names, weights, tags, strict=True)
    ]


def cache_of(settings: CorpusConfig) -> Cache:
    """Open the cache that the configuration names."""
    return Cache(Path(settings.cache_dir).expanduser() if settings.cache_dir else default_cache_dir())


def _hold_out(settings: CorpusConfig, paths: CorpusPaths, cache: Cache) -> int:
    """Find the threshold of what is held out of a text, or remember it."""
    once = settings.deduplicate
    key = ("hold_out", cache.digests(paths), settings.valid_pairs, *(["deduplicate"] if once else []))
    return remembered(cache, lambda: hold_out_threshold(paths, settings.valid_pairs, deduplicate=once), *key)


def read_scored_text(config: TrainConfig, task: Task, key: str) -> ParallelText | None:
    """Read the raw text of ``corpus.valid`` or ``corpus.test``; None where the key is empty; CorpusError as above."""
    name = getattr(config.corpus, key)
    return read_text(task.find(name, config.corpus, key=f"corpus.{key}")) if name else None


def _check_texts(config: TrainConfig, task: Task, training: Sequence[CorpusPaths], target: Vocabulary) -> None:
    """Let the task look through all texts, and log what it says; CorpusError where one cannot be used."""
    keys = {f"corpus.{key}": getattr(config.corpus, key) for key in ("valid", "test")}
    scored = (task.find(name, config.corpus, key=key) for key, name in keys.items() if name)
    for paths in (*training, *scored):
        for note in task.check(paths, target):
            LOG.info(note)


def _check_unknown_rate(corpus: EncodedCorpus, label: str, config: TrainConfig, task: Task) -> None:
    limit = config.trainer.max_unknown_rate
    rates = {"source": corpus.source_unknown_rate, "target": corpus.target_unknown_rate}
    for side in task.sides:
        if side.has_subwords and (rate := rates[side.name]) > limit:
            raise CorpusError(
                f"{label}: {rate:.1%} of the {side.name} subwords are unknown to the subword model "
                f"(trainer.max_unknown_rate={limit:g}); {_why_unknown(config)}"
            )


def _why_unknown(config: TrainConfig) -> str:
    """Say why a subword model does not know the text, and what to do."""
    settings = config.subwords
    if config.init_from and settings.inherit:
        return (
            f"it was trained on other text: fine-tuning keeps the subwords of init_from={config.init_from}, "
            "so take another parent, or let this run have subwords of its own with subwords.inherit=false"
        )
    if settings.model or settings.source_model:
        keys = "subwords.model" if settings.model else "subwords.source_model and subwords.target_model"
        return f"it was trained on other text: leave {keys} empty, or set subwords.byte_fallback=true"
    return (
        f"the rarest characters of this text have no place among subwords.vocabulary_size={settings.vocabulary_size}: "
        "raise it, or set subwords.byte_fallback=true; check that the files are text in this language"
    )


def remembered(cache: Cache, compute: Callable[[], T], *key: object) -> T:
    """Return what an earlier start kept under a key, or compute and keep it."""
    fact: T | None = cache.get(*key)
    if fact is None:
        fact = compute()
        cache.put(fact, *key)
    return fact


def text_digest(text: ParallelText | None) -> str:
    """Name the content of a raw text, in hex; empty without one."""
    return digest_of(text.source, text.target) if text else ""


def _log_progress(pairs: int) -> None:
    if pairs % 100_000 == 0:
        LOG.info(f"encoded {pairs:,} pairs")
