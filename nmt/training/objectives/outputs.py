"""A model's own outputs while it is trained: how they are found, and their log-probabilities with a gradient.

Shapes: B pairs of a batch, R outputs of all of them, T target length.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from nmt.corpus.batches import Batch
from nmt.model.decoder import DecoderState
from nmt.model.lexicon import Offer
from nmt.model.log_probs import sequence_log_probs
from nmt.model.seq2seq import Seq2Seq, Step
from nmt.search.interface import Hypothesis
from nmt.search.options import SearchOptions
from nmt.search.stepper import Stepper
from nmt.text.subwords import SubwordModel

_EXTRA_LENGTH = 10
"""Target positions that every output may have beyond what the length of its reference allows."""


@contextlib.contextmanager
def searching(model: Seq2Seq) -> Iterator[None]:
    """Let a model that is being trained search as it will when it is used: no dropout, no gradient, fp32."""
    was_training = model.training
    model.eval()
    try:
        # Weights that autocast rounded inside no_grad would be taken from its cache later, without a gradient.
        with torch.no_grad(), torch.autocast(model.device.type, enabled=False):
            yield
    finally:
        model.train(was_training)


class Started:
    """A step model whose sources have been read: several searches begin from one state."""

    multi_step = None

    def __init__(self, model: Seq2Seq, batch: Batch, *, offer: Offer | None) -> None:
        """Read the sources of a batch; what a pair is offered in training it is offered in a search too."""
        self._model = model
        self._state = model.start(batch.source, batch.source_lengths, offer=offer)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._model.device

    def start(self, source: Tensor, lengths: Tensor, constraints: object = None) -> DecoderState:
        """Stand behind the sources, which must be those of the batch."""
        return self._state

    def step(self, previous: Tensor, state: DecoderState, *, with_weights: bool = False) -> Step:
        """Do as `Seq2Seq.step`."""
        return self._model.step(previous, state, with_weights=with_weights)

    def stepper(self, batch: Batch, options: SearchOptions, *, limits: Sequence[int]) -> Stepper:
        """Prepare a search, with the most positions of each sentence, (B,)."""
        source, lengths = batch.source.cpu().numpy(), batch.source_lengths.cpu().numpy()
        return Stepper(self, source, lengths, max_lengths=limits, options=options)


def length_limits(batch: Batch, *, max_length_ratio: float) -> list[int]:
    """Count the most target positions that an output of each pair may have, (B,)."""
    return [int(max_length_ratio * length) + _EXTRA_LENGTH for length in batch.target_lengths.tolist()]


def references(batch: Batch) -> list[list[int]]:
    """Read the target of each pair, EOS included."""
    lengths = batch.target_lengths.tolist()
    return [row[:length] for row, length in zip(batch.target.tolist(), lengths, strict=True)]


class Outputs(NamedTuple):
    """R outputs of the sources of a batch."""

    owners: list[int]
    """(R,) the row of each one's source"""
    rows: list[list[int]]
    """(R,) target ids; EOS ends those that were not cut"""

    @staticmethod
    def found(hypotheses: Sequence[Sequence[Hypothesis]]) -> "Outputs":
        """Take what a search found for each source."""
        outputs = Outputs([], [])
        for owner, group in enumerate(hypotheses):
            outputs.owners.extend(owner for _ in group)
            outputs.rows.extend(_row(each) for each in group)
        return outputs

    def joined(self, rows: Sequence[list[int]]) -> "Outputs":
        """Add one more output for each source, (B,), but where it has this one already."""
        has = {(owner, tuple(row)) for owner, row in zip(self.owners, self.rows, strict=True)}
        new = [(owner, row) for owner, row in enumerate(rows) if (owner, tuple(row)) not in has]
        return Outputs([*self.owners, *(owner for owner, _ in new)], [*self.rows, *(row for _, row in new)])

    def log_probs(self, model: Seq2Seq, batch: Batch, *, offer: Offer | None = None) -> Tensor:
        """Compute log p of every output given its source, (R,), teacher-forced in one pass, with a gradient."""
        lengths = torch.tensor([len(row) for row in self.rows])
        padded = np.full((len(self.rows), int(lengths.max())), SubwordModel.pad_id, dtype=np.int64)
        for place, row in zip(padded, self.rows, strict=True):
            place[: len(row)] = row
        device = model.device
        # Each source is encoded once; its state is copied for each of its outputs.
        state = model.start(batch.source, batch.source_lengths, offer=offer)
        state = state.keep(torch.tensor(self.owners, device=device))
        return sequence_log_probs(
            model, state, torch.from_numpy(padded).to(device), lengths.to(device), bos_id=SubwordModel.bos_id
        )


def _row(hypothesis: Hypothesis) -> list[int]:
    return [*hypothesis.tokens, SubwordModel.eos_id] if hypothesis.finished else hypothesis.tokens
