"""The loss of what stands in a text, batch by batch, for tasks whose lines are words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import ParallelText, has_text
from nmt.translation.batching import cut_batches

if TYPE_CHECKING:
    from nmt.bundle.weights import Bundle
    from nmt.tasks.task import Task


def batched_loss(task: Task, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
    """Do what `Task.reference_loss` does, by `Task.loss`; lines without text say nothing."""
    import numpy as np
    import torch

    from nmt.corpus.batches import Batch

    ids = {"pad_id": bundle.target_subwords.pad_id, "eos_id": bundle.target_subwords.eos_id}
    pairs = [pair for pair in zip(*text, strict=True) if has_text(pair)]
    sources = bundle.source_subwords.encode_batch([source for source, _ in pairs])
    targets = bundle.target_subwords.encode_batch([target for _, target in pairs])
    order = sorted(range(len(pairs)), key=lambda i: -len(sources[i]))
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for cut in cut_batches([len(sources[i]) + 1 for i in order], batch_size):
            rows = [pad_rows([side[i] for i in order[cut]], **ids) for side in (sources, targets)]
            arrays = (*(array for side in rows for array in side), np.array(order[cut]))
            batch = Batch(*(torch.from_numpy(array).to(bundle.model.device) for array in arrays))
            loss = task.loss(bundle.model, batch, label_smoothing=0.0)
            total += float(loss.negative_log_likelihood)
            tokens += loss.tokens
    return total, tokens
