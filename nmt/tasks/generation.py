"""Generation: a model of one text, line by line. Bits per character decide, on raw text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmt.config.search import SearchConfig
from nmt.corpus.filters import Filters
from nmt.corpus.padding import pad_rows
from nmt.corpus.plain import Plain
from nmt.corpus.reader import CorpusPaths, ParallelText, is_blank
from nmt.evaluation.bits import LineBits, scores_of, total
from nmt.evaluation.metrics import Score
from nmt.tasks.task import Metric, Side, Task
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import Vocabulary, subwords_of
from nmt.translation.batching import cut_batches

if TYPE_CHECKING:
    from nmt.bundle.weights import Bundle
    from nmt.corpus.batches import Batch
    from nmt.model.language_model import LanguageModel
    from nmt.model.lexicon import Offer
    from nmt.model.loss import Loss

_UNLIMITED = 10**9
_NOTHING = LineBits(0.0, 0)


class Generation(Task):
    """The lines of one text; nothing is read before them."""

    metric = Metric("bits_per_character", "bits per character", higher_is_better=False, digits=4)
    metrics = (metric,)
    sides = (Side("target", default="text"),)
    greedy_search = "teacher forced"

    def __init__(self, *, normalization: str = "identity") -> None:
        """Prepare for text that subwords normalise in this way."""
        self._normalization = normalization

    def settled(self, target: Vocabulary) -> Task:
        """See `Task`; characters are counted as the subwords read them."""
        return Generation(normalization=subwords_of(target).normalization)

    def find(self, name: str, corpus: Any, *, key: str) -> CorpusPaths:
        """See `Task`; one file of lines."""
        return Plain().find(name, self.languages(corpus)["target"], key=key)

    def filters(self, corpus: Any) -> Filters:
        """See `Task`; both sides of a pair are the same line."""
        return Filters(_UNLIMITED, corpus.max_target_tokens, _UNLIMITED)

    def test_search(self, search: SearchConfig) -> str:
        """See `Task`."""
        return self.greedy_search

    def loss(self, model: LanguageModel, batch: Batch, *, label_smoothing: float, offer: Offer | None = None) -> Loss:
        """See `Task`; cross-entropy of a line's subwords and of its end."""
        from nmt.model.loss import sequence_loss

        return sequence_loss(
            model,
            batch.source,
            batch.source_lengths,
            target=batch.target,
            target_lengths=batch.target_lengths,
            bos_id=SubwordModel.bos_id,
            label_smoothing=label_smoothing,
        )

    def reference_loss(self, bundle: Bundle, text: ParallelText, *, batch_size: int) -> tuple[float, int]:
        """See `Task`; lines without text say nothing."""
        lines = line_bits(bundle.model, subwords_of(bundle.target_subwords), text.target, batch_size=batch_size)
        return math.log(2) * math.fsum(line.bits for line in lines), sum(line.positions for line in lines)

    def outputs(self, bundle: Bundle, lines: Sequence[str], *, search: SearchConfig | None = None) -> list[str]:
        """See `Task`; what a model makes of a line is the number of its bits."""
        subwords, batch_size = subwords_of(bundle.target_subwords), (search or bundle.search).batch_size
        return [str(line) for line in line_bits(bundle.model, subwords, lines, batch_size=batch_size)]

    def scores(self, outputs: Sequence[str], text: ParallelText, *, language: str) -> list[Score]:
        """See `Task`; bits per character, and the perplexity of subwords."""
        lines = list(map(LineBits.parse, outputs))
        return scores_of(total(lines, text.target, normalization=self._normalization))

    def example(self, text: ParallelText, outputs: Sequence[str], line: int) -> str:
        """See `Task`."""
        return f"line {text.target[line]} | {LineBits.parse(outputs[line]).bits:.1f} bits"

    def warnings(self, text: ParallelText, *, name: str, language: str) -> list[str]:
        """See `Task`; there are none."""
        return []

    def usage(self, bundle: Path) -> str:
        """See `Task`."""
        return f"the language model is in {bundle}; use it: nmt predict {bundle} < prompts.txt > texts.txt"


def line_bits(model: Any, subwords: SubwordModel, lines: Sequence[str], *, batch_size: int) -> list[LineBits]:
    """Compute -log2 p of each line, by PyTorch and teacher forced; of one without text nothing.

    Args:
        model: a `LanguageModel` in evaluation mode.
        subwords: its own.
        lines: raw.
        batch_size: the most lines that are looked at together.
    """
    import torch

    from nmt.model.log_probs import sequence_log_probs

    ids = {"pad_id": subwords.pad_id, "eos_id": subwords.eos_id}
    rows = subwords.encode_batch(list(lines))
    # The longest go first: what does not fit fails at once.
    order = sorted((i for i, line in enumerate(lines) if not is_blank(line)), key=lambda i: -len(rows[i]))
    bits = [_NOTHING] * len(lines)
    with torch.inference_mode():
        for cut in cut_batches([len(rows[i]) + 1 for i in order], batch_size):
            members = order[cut]
            target, lengths = map(torch.from_numpy, pad_rows([rows[i] for i in members], **ids))
            target, lengths = target.to(model.device), lengths.to(model.device)
            state = model.start(target, lengths)
            log_probs = sequence_log_probs(model, state, target, lengths, bos_id=subwords.bos_id)
            for i, log_prob in zip(members, log_probs.double().tolist(), strict=True):
                bits[i] = LineBits(-log_prob / math.log(2), len(rows[i]) + 1)
    return bits


GENERATION = Generation()
