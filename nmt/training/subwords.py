"""The subword models of a training: loaded where they are named, else trained on its text and kept in the cache."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from nmt.config.schema import to_dict
from nmt.config.train import SubwordsConfig
from nmt.corpus.cache import Cache, digest_of
from nmt.corpus.distinct import distinct_pairs
from nmt.corpus.filters import is_held_out
from nmt.corpus.reader import CorpusPaths, Pair, read_pairs
from nmt.files import write_atomically
from nmt.runs.log import LOG
from nmt.text.subword_training import train_subwords
from nmt.text.subwords import SubwordModel
from nmt.training.augmentation import Case, with_cases
from nmt.training.temperature import Balance


def subword_models(
    config: SubwordsConfig,
    texts: Sequence[CorpusPaths],
    *,
    sides: int = 2,
    hold_out: int = 0,
    cache: Cache,
    deduplicate: bool = False,
    balance: Balance | None = None,
    cases: Mapping[Case, float] = MappingProxyType({}),
) -> tuple[SubwordModel, SubwordModel]:
    """Load the configured models, or train them on the training texts unless an earlier run left them in the cache.

    Args:
        config: which models.
        texts: all training texts.
        sides: of a pair; 1: both are the same line, which is counted once.
        hold_out: threshold of `hold_out_threshold`; pairs that it holds out of any text shape no subword.
        cache: of the cache directory, where trained models are kept.
        deduplicate: count a pair once that stands in a text several times.
        balance: of texts of several pairs: their lines, and the languages that get symbols.
        cases: shares of the pairs that shape subwords in another letter case too.
    """
    if config.model or config.source_model:
        names = (config.model,) if config.model else (config.source_model, config.target_model)
        models = [SubwordModel.load(Path(name).expanduser()) for name in names]
        return models[0], models[-1]
    without_effect = ("sampling_alpha", "sampled_sides", "mark_rate", "inherit")
    settings = {key: value for key, value in to_dict(config).items() if key not in without_effect}
    marks = settings["marks"] = config.marks if sides == 2 else 0
    if cases:
        settings["cases"] = {case.__name__: share for case, share in cases.items()}
    counted = ["deduplicate"] if deduplicate else []
    recipe = hold_out if balance is None else balance.recipe
    key = digest_of(settings, [cache.digests(paths) for paths in texts], recipe, *counted)[:32]
    directory = cache.cache_dir / "subwords"

    def pairs() -> Iterator[Pair]:
        read = (read_pairs(paths) for paths in texts)
        each = map(distinct_pairs, read) if deduplicate else read
        return with_cases((pair for text in each for pair in text if not is_held_out(pair, hold_out)), cases)

    lines: dict[str, Iterator[str]] = {"": (text for pair in pairs() for text in pair[:sides])}
    if not config.joint:
        lines = {".source": (pair.source for pair in pairs()), ".target": (pair.target for pair in pairs())}
    if balance:
        lines = {side: balance.lines([side[1:]] if side else ("source", "target"), cases) for side in lines}
    languages = balance.languages if balance else ()
    models = [
        _cached(config, texts, path=directory / f"{key}{side}.model", marks=marks, languages=languages)
        for side, texts in lines.items()
    ]
    return models[0], models[-1]


def _cached(
    config: SubwordsConfig, sentences: Iterator[str], *, path: Path, marks: int, languages: Sequence[str]
) -> SubwordModel:
    if path.exists():
        return SubwordModel.load(path)
    LOG.info(f"training {config.kind} subwords on the training text")
    model = train_subwords(
        sentences,
        kind=config.kind.value,
        vocabulary_size=config.vocabulary_size,
        byte_fallback=config.byte_fallback,
        normalization=config.normalization.value,
        character_coverage=config.character_coverage or None,
        marks=marks,
        languages=languages,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs that start together may both get here; each writes a file of its own and the renames are equal.
        unique = path.with_name(f"{path.name}.{os.getpid()}")
        write_atomically(unique, lambda partial: partial.write_bytes(model.to_bytes()))
        os.replace(unique, path)
    except OSError as error:
        LOG.warning(f"the subword model is not cached in {path.parent} ({error.strerror})")
    return model
