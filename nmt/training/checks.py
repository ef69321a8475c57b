"""What a user is told about validation and test text before training begins."""

from nmt.config.train import TrainConfig
from nmt.corpus.overlap import Overlap, count_overlaps
from nmt.corpus.reader import ParallelText, has_text
from nmt.runs.log import LOG
from nmt.training.data import TrainingData, text_digest

# Real corpora have a few short sentences in common. More than this says that a text was cut from the training text.
_FEW_PAIRS = 0.01
_FEW_SOURCES = 0.1


def warn_of_texts(config: TrainConfig, data: TrainingData) -> None:
    """Log what makes scores of the validation and the test text worth less than they seem."""
    _warn_of_blanks(config, data)
    _warn_of_the_metric(config, data)
    _warn_of_overlaps(config, data)


def _named_texts(config: TrainConfig, data: TrainingData) -> dict[str, ParallelText]:
    """Return the texts that the configuration names to score on, each under its setting: ``corpus.valid=data/valid``.

    What is held out of the training text is none of them.
    """
    settings = config.corpus
    texts = {f"corpus.valid={settings.valid}": data.valid} if settings.valid else {}
    if data.test is not None:
        texts[f"corpus.test={settings.test}"] = data.test
    return texts


def _warn_of_blanks(config: TrainConfig, data: TrainingData) -> None:
    for label, text in _named_texts(config, data).items():
        blank = sum(not has_text(pair) for pair in zip(*text, strict=True))
        if 2 * blank > len(text.source):
            LOG.warning(
                "%s of the %s lines of %s have no text on one side or both: its scores are made of the others",
                f"{blank:,}",
                f"{len(text.source):,}",
                label,
            )


def _warn_of_the_metric(config: TrainConfig, data: TrainingData) -> None:
    texts = _named_texts(config, data)
    if not config.corpus.valid:
        texts[f"the text held out of corpus.train={config.corpus.train}"] = data.valid
    for label, text in texts.items():
        for warning in data.task.warnings(text, name=label, language=config.corpus.target):
            LOG.warning("%s", warning)


def _warn_of_overlaps(config: TrainConfig, data: TrainingData) -> None:
    texts = _named_texts(config, data)
    for (label, text), overlap in zip(texts.items(), _overlaps(data, list(texts.values())), strict=True):
        shared = overlap.pairs + overlap.sources
        if not shared:
            continue
        count = len(text.source)
        line = _overlap(label, overlap, count)
        if overlap.pairs <= _FEW_PAIRS * count and shared <= _FEW_SOURCES * count:
            LOG.info("%s", line)
            continue
        advice = (
            "leave corpus.valid empty to hold out pairs of the training text"
            if label.startswith("corpus.valid=")
            else "nmt corpus split takes a test set off the training text"
        )
        LOG.warning("%s: its scores say little about new text; take them out of one of both, or %s", line, advice)


def _overlap(label: str, overlap: Overlap, count: int) -> str:
    """Say how much of a text is in the training text."""
    pairs, sources = overlap
    number, what = (pairs, "pairs") if pairs else (sources, "sources")
    line = f"{number:,} of the {count:,} {what} of {label} ({number / count:.2%}) are in the training text too"
    if not pairs:
        return f"{line}, translated otherwise"
    return f"{line}, and {sources:,} of its other sources, translated otherwise" if sources else line


def _overlaps(data: TrainingData, texts: list[ParallelText]) -> list[Overlap]:
    """`count_overlaps`, which goes through the whole training text, remembered."""
    if not texts:
        return []
    key = ("overlaps", data.corpus_digest, data.valid_digest, text_digest(data.test), len(texts))
    cached = data.cache.get(*key)
    if isinstance(cached, list) and len(cached) == len(texts):
        return [Overlap(*counts) for counts in cached]
    overlaps = count_overlaps((part.corpus for part in data.corpus.parts), texts)
    data.cache.put(overlaps, *key)
    return overlaps
