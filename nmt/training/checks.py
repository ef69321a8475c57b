"""What a user is told about validation and test text before training begins."""

from collections.abc import Sequence

from nmt.config.pairs import LanguagePair
from nmt.config.train import TrainConfig
from nmt.corpus.novelty import Novelty, measure_novelty
from nmt.corpus.overlap import Overlap, count_overlaps
from nmt.corpus.reader import ParallelText, has_text
from nmt.runs.log import LOG
from nmt.training.data import TrainingData, text_digest
from nmt.training.texts import remembered

# Real corpora have a few short sentences in common. More than this says that a text was cut from the training text.
_FEW_PAIRS = 0.01
_FEW_SOURCES = 0.1
# Validation text that is cut from the training text, or written as it was, has 0.94 to 1.28 times as much that is new
# as is expected. Text of another kind, as most of what AmericasNLP 2021 validates on, has 1.4 to 2.8 times as much.
_UNLIKE = 1.3
_SURELY = 0.02
_ENOUGH_NEIGHBOURS = 1000


def warn_of_texts(config: TrainConfig, data: TrainingData) -> None:
    """Log what makes scores of the validation and the test text, of each pair, worth less than they seem."""
    for pair, settings in config.corpus.by_pair().items():
        held_out = f"the text held out of corpus.train={settings.train}"
        texts = {f"corpus.valid={settings.valid}" if settings.valid else held_out: data.valid_texts[pair]}
        if pair in data.test_texts:
            texts[f"corpus.test={settings.test}"] = data.test_texts[pair]
        named = {label: text for label, text in texts.items() if label != held_out}
        for label, text in named.items():
            _warn_of_blanks(label, text)
        for label, text in texts.items():
            for warning in data.task.warnings(text, name=label, language=settings.target):
                LOG.warning(warning)
        if settings.valid:
            _warn_of_novelty(f"corpus.valid={settings.valid}", data, pair)
        for label, overlap in zip(named, _overlaps(data, pair, list(named.values())), strict=True):
            _warn_of_overlap(label, overlap, len(named[label].source))


def _warn_of_blanks(label: str, text: ParallelText) -> None:
    count, blank = len(text.source), sum(not has_text(pair) for pair in zip(*text, strict=True))
    if 2 * blank > count:
        LOG.warning(
            f"{blank:,} of the {count:,} lines of {label} have no text on one side or both: "
            "its scores are made of the others"
        )


def _warn_of_novelty(label: str, data: TrainingData, pair: LanguagePair | None) -> None:
    """Tell of validation text that is unlike the training text of its pair: it chooses weights for its own kind."""
    sides = [place for place, side in enumerate(data.task.sides) if side.has_subwords]
    key = ("novelty", data.corpus_digest, text_digest(data.valid_texts[pair]), *([str(pair)] if pair else []))
    novelties = remembered(data.cache, lambda: _novelties(data, pair, sides), *key)
    for place, (new, expected, pairs) in zip(sides, novelties, strict=True):
        novelty = Novelty(new, expected, pairs)
        if novelty.pairs >= _ENOUGH_NEIGHBOURS and novelty.new > _UNLIKE * novelty.expected + _SURELY:
            LOG.warning(
                f"the {data.task.sides[place].name} side of {label} is unlike the training text: {novelty.new:.0%} of "
                f"its pairs of neighbouring subwords are new to it, of text of its kind {novelty.expected:.0%} would "
                "be; add text like it to the training, or validate on text like the training's"
            )


def _novelties(data: TrainingData, pair: LanguagePair | None, sides: Sequence[int]) -> list[Novelty]:
    vocabularies = (data.source_subwords, data.target_subwords)
    novelties = []
    for place in sides:
        training = [(corpus.source, corpus.target)[place] for corpus in data.corpora_of(pair)]
        rows = vocabularies[place].encode_batch(list(data.valid_texts[pair][place]))
        novelties.append(measure_novelty(training, rows))
    return novelties


def _warn_of_overlap(label: str, overlap: Overlap, count: int) -> None:
    """Tell of lines that are in the training text too; a few are no reason to warn."""
    shared = overlap.pairs + overlap.sources
    line = _overlap(label, overlap, count)
    if overlap.pairs > _FEW_PAIRS * count or shared > _FEW_SOURCES * count:
        advice = "nmt corpus split takes a test set off the training text"
        if label.startswith("corpus.valid="):
            advice = "leave corpus.valid empty to hold out pairs of the training text"
        LOG.warning(f"{line}: its scores say little about new text; take them out of one of both, or {advice}")
    elif shared:
        LOG.info(line)


def _overlap(label: str, overlap: Overlap, count: int) -> str:
    """Say how much of a text is in the training text."""
    pairs, sources = overlap
    number, what = (pairs, "pairs") if pairs else (sources, "sources")
    line = f"{number:,} of the {count:,} {what} of {label} ({number / count:.2%}) are in the training text too"
    if not pairs:
        return f"{line}, with another target"
    return f"{line}, and {sources:,} of its other sources, with another target" if sources else line


def _overlaps(data: TrainingData, pair: LanguagePair | None, texts: list[ParallelText]) -> list[Overlap]:
    """`count_overlaps`, which goes through the whole training text of a pair, remembered."""
    if not texts:
        return []
    text_keys = [
        text_digest(data.valid_texts[pair]),
        text_digest(data.test_texts.get(pair)),
        *([str(pair)] if pair else []),
    ]
    key = ("overlaps", data.corpus_digest, *text_keys, len(texts))
    corpora = data.corpora_of(pair)
    return [Overlap(*counts) for counts in remembered(data.cache, lambda: count_overlaps(corpora, texts), *key)]
