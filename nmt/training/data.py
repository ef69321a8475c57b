"""From a configuration to what training needs: text, subwords, the encoded corpora and validation sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nmt.config.pairs import LanguagePair, parse_pairs, target_languages
from nmt.config.train import TrainConfig
from nmt.corpus.augmentation import Augmentation
from nmt.corpus.cache import Cache, digest_of
from nmt.corpus.encoding import EncodedCorpus, Encoder
from nmt.corpus.mixture import Mixture, Part
from nmt.corpus.reader import ParallelText
from nmt.corpus.store import open_store
from nmt.errors import ConfigError, CorpusError
from nmt.runs.log import LOG
from nmt.tasks.task import Task
from nmt.tasks.translation import TRANSLATION
from nmt.text.spans import common_marks
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import Vocabulary, subwords_of
from nmt.training.augmentation import augmentation_of, letter_cases, with_reversed
from nmt.training.kinds import with_unlike_marked
from nmt.training.subwords import subword_models
from nmt.training.temperature import Balance, settled_weights
from nmt.training.texts import (
    HoldOut,
    ScoredTexts,
    TrainingText,
    cache_of,
    find_scored_texts,
    hold_out,
    joined,
    read_scored_texts,
    training_texts,
)


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
    valid_texts: ScoredTexts
    """raw validation text, of each pair"""
    test_texts: ScoredTexts
    """raw test text, scored once at the end; empty: none"""
    cache: Cache
    """what earlier starts found out about the text"""
    augmentation: Augmentation | None = None
    """what becomes of some pairs"""

    @cached_property
    def valid(self) -> ParallelText:
        """Raw validation text of all pairs."""
        text = joined(self.valid_texts)
        assert text is not None
        return text

    @cached_property
    def test(self) -> ParallelText | None:
        """Raw test text of all pairs, if there is any."""
        return joined(self.test_texts)

    def corpora_of(self, pair: LanguagePair | None) -> list[EncodedCorpus]:
        """List the encoded texts of a pair; of None all."""
        parts = (part for part in self.corpus.parts if not part.is_reversed)
        each = zip(self.texts, parts, strict=True)
        return [part.corpus for text, part in each if pair is None or text.pair == pair]

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
    settings = config.corpus
    texts = training_texts(config, task)
    # First of all, what is soon read: a mistake there shall not be told after minutes of encoding.
    valid, test = (read_scored_texts(config, task, key) for key in ("valid", "test"))
    cache = cache_of(settings)
    held_out = {} if valid else hold_out(texts, settings, cache)
    source, target = subwords or _vocabularies(config, texts, task, held_out=held_out, cache=cache)
    if len(task.sides) == 2 and isinstance(source, SubwordModel) and isinstance(target, SubwordModel):
        _require_languages(config, source, target)
    task = task.settled(target)
    _check_texts(config, task, texts, target)
    encoder = Encoder(source, target, task.filters(settings), deduplicate=settings.deduplicate)
    corpora = _encoded(config, texts, task, encoder=encoder, held_out=held_out, cache=cache)
    weights = settled_weights(texts, corpora, settings.temperature)
    thresholds: object = held_out[None].threshold if None in held_out else 0
    if settings.pairs:
        thresholds = [[str(text.pair), *held_out.get(text.pair, ())] for text in texts]
    digests = [cache.digests(text.paths) for text in texts]
    # Runs of before know nothing of repeated pairs, and have the digest without them.
    counted = ["deduplicate"] if settings.deduplicate else []
    digest = digest_of(digests, source.digest, target.digest, repr(encoder.filters), thresholds, *counted)
    parts = [
        Part(corpus, weight, source_prefix(source, text))
        for corpus, weight, text in zip(corpora, weights, texts, strict=True)
    ]
    if settings.tag_unlike:
        parts = with_unlike_marked(parts, texts, valid, source=source, target=target)
    first = {text.pair: corpus.held_out for text, corpus in reversed([*zip(texts, corpora, strict=True)])}
    kinds = [text_digest(joined(valid))] if settings.tag_unlike else []
    names = digest_of(digest, weights, [text.tag for text in texts], *kinds)
    mixture = Mixture(with_reversed(config.augmentation, parts, source), digest=names)
    pairs = [text.pair for text in texts]
    return TrainingData(
        task,
        texts,
        mixture,
        corpus_digest=digest,
        source_subwords=source,
        target_subwords=target,
        valid_texts=valid or {text.pair: first[text.pair] for text in texts},
        test_texts=test,
        cache=cache,
        augmentation=augmentation_of(
            config.augmentation, mixture, pairs=pairs, limits=encoder.filters, subwords=(source, target)
        ),
    )


def _vocabularies(
    config: TrainConfig,
    texts: Sequence[TrainingText],
    task: Task,
    *,
    held_out: Mapping[LanguagePair | None, HoldOut],
    cache: Cache,
) -> tuple[Vocabulary, Vocabulary]:
    """Learn or load the vocabularies of both sides; pairs that are held out shape none."""
    paths = [text.paths for text in texts]
    threshold = held_out[None].threshold if None in held_out else 0
    if own := task.vocabularies(paths, size=config.subwords.vocabulary_size, hold_out=threshold):
        return own
    languages = target_languages(text.pair for text in texts if text.pair)
    balance, once = None, config.corpus.deduplicate
    if languages:
        symbols = languages if len(languages) > 1 else ()  # one language needs none
        balance = Balance(texts, held_out, config.corpus.temperature, symbols, once)
    return subword_models(
        config.subwords,
        paths,
        sides=len(task.sides),
        hold_out=threshold,
        cache=cache,
        deduplicate=once,
        balance=balance,
        cases=letter_cases(config.augmentation),
    )


def _require_languages(config: TrainConfig, source: SubwordModel, target: SubwordModel) -> None:
    """Refuse subwords that cannot tell the target languages of the corpus apart: ConfigError."""
    if source.languages != target.languages:
        raise ConfigError("subwords.source_model and subwords.target_model have symbols of different target languages")
    languages = target_languages(parse_pairs(config.corpus.pairs))
    has = ", ".join(source.languages) or "none"
    if source.languages and not languages:
        pair = LanguagePair(config.corpus.source, config.corpus.target)
        raise ConfigError(
            f"the subwords have symbols of target languages ({has}): name the languages with corpus.pairs=[{pair}] "
            "instead of corpus.source and corpus.target"
        )
    lacking = [each for each in languages if each not in source.languages]
    if lacking and (source.languages or len(languages) > 1):
        raise ConfigError(
            f"the subwords have no symbol for the target language {lacking[0]} of corpus.pairs (they have {has}): "
            "leave subwords.model out, or take one that was trained with these languages"
        )


def source_prefix(source: Vocabulary, text: TrainingText) -> tuple[int, ...]:
    """Give the ids before the sources of a text: the symbol of its target language, where there is one, and its tag."""
    language = subwords_of(source).language_prefix(text.pair.target) if text.pair else ()
    return (*language, *source.tag_prefix(text.tag))


def _encoded(
    config: TrainConfig,
    texts: Sequence[TrainingText],
    task: Task,
    *,
    encoder: Encoder,
    held_out: Mapping[LanguagePair | None, HoldOut],
    cache: Cache,
) -> list[EncodedCorpus]:
    """Encode the texts; what is held out of the first text of a pair is left out of its others."""
    corpora: list[EncodedCorpus] = []
    first: dict[LanguagePair | None, EncodedCorpus] = {}
    for text in texts:
        hold_out = HoldOut() if text.pair in first else held_out.get(text.pair, HoldOut())
        sources = first[text.pair].held_out.source if text.pair in first else ()
        text_encoder = replace(
            encoder,
            hold_out=hold_out.threshold,
            hold_out_side=hold_out.side,
            validation=frozenset(line.strip() for line in sources),
        )
        corpus, built = open_store(text.paths, text_encoder, cache=cache, progress=_log_progress)
        first.setdefault(text.pair, corpus)
        name = f" {text}" if len(texts) > 1 else ""
        LOG.info(f"training text{name} ({'encoded' if built else 'from the cache'}): {corpus.counts.summary()}")
        _check_unknown_rate(corpus, text.paths.label, config, task)
        corpora.append(corpus)
    for pair, corpus in first.items() if held_out else ():
        where = f" of {pair}" if pair else ""
        LOG.info(
            f"corpus.valid is empty: {len(corpus.held_out.source)} pairs{where} are held out by hash of the source"
        )
    return corpora


def _check_texts(config: TrainConfig, task: Task, training: Sequence[TrainingText], target: Vocabulary) -> None:
    """Let the task look through all texts, and log what it says; CorpusError where one cannot be used."""
    scored = (paths for key in ("valid", "test") for paths in find_scored_texts(config, task, key).values())
    for paths in (*(text.paths for text in training), *scored):
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


def text_digest(text: ParallelText | None) -> str:
    """Name the content of a raw text, in hex; empty without one."""
    return digest_of(text.source, text.target) if text else ""


def _log_progress(pairs: int) -> None:
    if pairs % 100_000 == 0:
        LOG.info(f"encoded {pairs:,} pairs")
