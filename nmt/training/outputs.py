"""What a training leaves on disk as it stands: a bundle for translating, and a state for going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nmt.bundle.weights import Bundle
from nmt.config.schema import to_dict
from nmt.training.state import SavedState

if TYPE_CHECKING:
    from nmt.training.trainer import Trainer


def bundle_of(trainer: Trainer) -> Bundle:
    """Describe the model, with what is known of its training."""
    position, data, config = trainer.position, trainer.data, trainer.config
    return Bundle(
        model=trainer.model,
        config=config.model,
        source_subwords=data.source_subwords,
        target_subwords=data.target_subwords,
        source_language=config.corpus.source,
        target_language=config.corpus.target,
        search=config.search,
        metadata={
            "experiment": config.name,
            "corpus": config.corpus.train,
            "pairs": len(data.corpus),
            "updates": position.update,
            "epochs": position.epoch,
            "target_tokens": position.target_tokens,
            "minutes": round(position.seconds / 60, 1),
            "processes": trainer.processes.size,
            "threads": torch.get_num_threads(),
            "precision": str(trainer.precision),
            "seed": config.seed,
        },
    )


def state_of(trainer: Trainer) -> SavedState:
    """Gather all that going on needs."""
    data = trainer.data
    return SavedState(
        config=to_dict(trainer.config),
        corpus_digest=data.corpus_digest,
        source_subwords=data.source_subwords.to_bytes(),
        target_subwords=data.target_subwords.to_bytes(),
        precision=str(trainer.precision),
        threads=torch.get_num_threads(),
        position=trainer.position,
        sums=trainer.sums,
        model=trainer.model.state_dict(),
        optimizer=trainer.optimizer.state_dict(),
        average=trainer.average.state(),
        valid_digest=data.valid_digest,
        folds=trainer.folds.tensors() if trainer.folds else {},
    )
