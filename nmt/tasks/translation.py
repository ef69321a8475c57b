"""Translation: a line of the source becomes one of the target. chrF decides, against the raw reference text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nmt.config.search import SearchConfig
from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score, corpus_scores, default_tokenizer, tokenizer_warnings
from nmt.tasks.task import Metric, Side, Task
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import subwords_of
from nmt.translation.batching import cut_batches
from nmt.translation.languages import source_prefix
from nmt.translation.translator import Translator

if TYPE_CHECKING:
    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss
    from nmt.model.seq2seq import Seq2Seq

_MOST_SUBWORDS = 512
"""Of a line whose perplexity is computed; longer ones are cut."""


class Translation(Task):
    """From one language to another, or from one way of writing to another."""

    metrics = (Metric("bleu", "BLEU"), Metric("chrf", "chrF2"))
    # In a small corpus, and in languages with long words, hardly a word is right: chrF tells models apart where BLEU is
    # noise (Popović 2015).
    metric = metrics[1]
    sides = (Side("source"), Side("target"))

    def loss(self, model: Seq2Seq, batch: Batch, *, label_smoothing: float, offer: Offer | None = None) -> Loss:
        """See `Task`; cross-entropy of the target's subwords."""
        from nmt.model.loss import sequence_loss

        return sequence_loss(
            model,
            batch.source,
            batch.source_lengths,
            target=batch.target,
            target_lengths=batch.target_lengths,
            bos_id=SubwordModel.bos_id,
            label_smoothing=label_smoothing,
            offer=offer,
        )

    def reference_loss(self, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
        """See `Task`; long lines are cut, and batches hold fewer of long ones."""
        import torch

        from nmt.corpus.batches import Batch

        device, ids = bundle.model.device, {"pad_id": SubwordModel.pad_id, "eos_id": SubwordModel.eos_id}
        source_subwords, target_subwords = map(subwords_of, (bundle.source_subwords, bundle.target_subwords))
        before = source_prefix(bundle, bundle.search)
        source_rows = [[*before, *row] for row in _rows(source_subwords, text.source)]
        target_rows = _rows(target_subwords, text.target)
        lengths = [1 + max(map(len, pair)) for pair in zip(source_rows, target_rows, strict=True)]
        # The longest go first: what does not fit fails at once.
        order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], -len(source_rows[i])))
        total, tokens = 0.0, 0
        with torch.inference_mode():
            for cut in cut_batches([lengths[i] for i in order], batch_size):
                rows = ([side[i] for i in order[cut]] for side in (source_rows, target_rows))
                (source, sources), (target, targets) = (pad_rows(side, **ids) for side in rows)
                arrays = (source, sources, target, targets, np.array(order[cut]))
                batch = Batch(*(torch.from_numpy(array).to(device) for array in arrays))
                loss = self.loss(bundle.model, batch, label_smoothing=0.0)
                total += float(loss.negative_log_likelihood)
                tokens += loss.tokens
        return total, tokens

    def outputs(self, bundle: Bundle, lines: Sequence[str], *, search: SearchConfig | None = None) -> list[str]:
        """See `Task`."""
        return [item.text for item in Translator(bundle, search=search).translate(lines)]

    def scores(self, outputs: Sequence[str], text: ParallelText, *, language: str) -> list[Score]:
        """See `Task`; BLEU and chrF."""
        names = [metric.name for metric in self.metrics]
        return corpus_scores(outputs, text.target, metrics=names, language=language)

    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """See `Task`."""
        return f"source {text.source[line]} | translation {outputs[line]} | reference {text.target[line]}"

    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """See `Task`; of BLEU's tokenizer."""
        tokenizer = default_tokenizer(language, text.target)
        return tokenizer_warnings(text.target, tokenize=tokenizer, language=language, name=name)

    def usage(self, bundle: Path) -> str:
        """See `Task`."""
        return f"the translator is in {bundle}; use it: nmt-translate {bundle} < input.txt > output.txt"


def perplexity(negative_log_likelihood: float, tokens: int) -> float:
    """Compute exp of the mean of `tokens` positions; e^700, near the largest float, stands for more; nan for none."""
    return math.exp(min(negative_log_likelihood / tokens, 700.0)) if tokens else math.nan


def _rows(subwords: SubwordModel, texts: Sequence[str]) -> list[list[int]]:
    return [ids[:_MOST_SUBWORDS] for ids in subwords.encode_batch(list(texts))]


TRANSLATION = Translation()
