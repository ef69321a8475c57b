"""The bundle that a training writes: its model, described by what it learnt from and how far it is."""

from typing import Any

import torch

from nmt.bundle.weights import Bundle
from nmt.config.choices import Precision
from nmt.config.pairs import parse_pairs, source_languages, target_languages
from nmt.config.train import TrainConfig
from nmt.training.data import TrainingData
from nmt.training.parallel import Processes
from nmt.training.state import Position


def describe(
    model: Any,
    config: TrainConfig,
    data: TrainingData,
    *,
    position: Position,
    precision: Precision,
    processes: Processes,
) -> Bundle:
    """Join a model, as it is now, with its settings, its vocabularies and the facts of its training."""
    languages, pairs = data.task.languages(config.corpus), parse_pairs(config.corpus.pairs)
    source, target = languages.get("source", ""), languages["target"]
    if pairs:
        source, target = (_only(each(pairs)) for each in (source_languages, target_languages))
    return Bundle(
        model=model,
        config=config.model,
        source_subwords=data.source_subwords,
        target_subwords=data.target_subwords,
        task=config.task,
        source_language=source,
        target_language=target,
        pairs=pairs,
        search=config.search,
        tags={name: tag for tag, name in enumerate(config.corpus.tag_names) if name},
        metadata={
            "experiment": config.name,
            "corpus": config.corpus.train,
            "pairs": len(data.corpus),
            "updates": position.update,
            "epochs": position.epoch,
            "target_tokens": position.target_tokens,
            "minutes": round(position.seconds / 60, 1),
            "processes": processes.size,
            "threads": torch.get_num_threads(),
            "precision": str(precision),
            "seed": config.seed,
        },
    )


def _only(languages: tuple[str, ...]) -> str:
    """Return the only one of some languages; nothing where there are several."""
    return languages[0] if len(languages) == 1 else ""
