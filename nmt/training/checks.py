"""What a user is told about validation and test text before training begins."""

from __future__ import annotations

from nmt.config import TrainConfig
from nmt.data.corpus import ParallelText
from nmt.evaluation.metrics import default_tokenizer, tokenizer_warnings
from nmt.training.monitor import LOG
from nmt.training.setup import Material


def scored_texts(config: TrainConfig, material: Material) -> dict[str, ParallelText]:
    """Return the texts that scores are made of, each under the setting that names it: ``corpus.valid=data/valid``."""
    settings = config.corpus
    held_out = f"the text held out of corpus.train={settings.train}"
    texts = {f"corpus.valid={settings.valid}" if settings.valid else held_out: material.valid}
    if material.test is not None:
        texts[f"corpus.test={settings.test}"] = material.test
    return texts


def warn_of_tokenizers(config: TrainConfig, material: Material) -> None:
    """Log what `tokenizer_warnings` says of every text that is scored."""
    language = config.corpus.target
    for label, text in scored_texts(config, material).items():
        tokenize = default_tokenizer(language, text.target)
        for warning in tokenizer_warnings(text.target, tokenize=tokenize, language=language, name=label):
            LOG.warning("%s", warning)
