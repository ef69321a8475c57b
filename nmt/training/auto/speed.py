"""How fast this machine trains a model: a few updates on sentences made up for the purpose."""

import time

import torch

from nmt.config.train import TrainConfig
from nmt.corpus.batches import Batch
from nmt.model.seq2seq import Seq2Seq, build_model
from nmt.tasks.translation import TRANSLATION
from nmt.text.subwords import RESERVED
from nmt.training.auto.facts import Lengths
from nmt.training.gradient import BatchGradient
from nmt.training.objectives.objective import CrossEntropy
from nmt.training.optim import AdamW
from nmt.training.parallel import Processes
from nmt.training.precision import choose_precision

_GROWTH = 4
"""A trial begins with one pair and goes on with so many times as many. A slow machine may never see a whole batch."""
_MOST_UPDATES = 10


def pairs_per_second(config: TrainConfig, lengths: Lengths, *, device: torch.device, seconds: float) -> float:
    """Try how many pairs a second this process trains on; random numbers drawn elsewhere stay the same.

    Args:
        config: the model, the batch, and the precision, which is found out as a training does.
        lengths: of a mean sentence.
        device: where to compute.
        seconds: that its updates may take; the first few, of one pair and of four, are made always.

    Returns:
        Pairs a second; 0 where there is too little memory.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            trial = _Trial(config, lengths, device)
            pairs = max(1, round(config.trainer.batch_tokens / lengths.longer))
            return trial.pairs_per_second(pairs, ends=time.monotonic() + seconds)
        except torch.OutOfMemoryError:
            return 0.0


class _Trial:
    """A model, its optimiser and made-up batches."""

    def __init__(self, config: TrainConfig, lengths: Lengths, device: torch.device) -> None:
        self._vocabulary, self._device = config.subwords.vocabulary_size, device
        self._lengths = Lengths(*(max(1, round(length)) for length in lengths))
        self._model = build_model(
            config.model, source_vocabulary=self._vocabulary, target_vocabulary=self._vocabulary
        ).to(device)
        self._model.train()
        self._fill_lexicon(self._model)
        self._optimizer = AdamW(self._model, config.optimizer)
        self._gradient = BatchGradient(
            self._model,
            CrossEntropy(TRANSLATION, label_smoothing=config.trainer.label_smoothing),
            config=config.trainer,
            precision=choose_precision(config.trainer.precision, device, model=config.model),
            processes=Processes(),
        )

    def pairs_per_second(self, pairs: int, *, ends: float) -> float:
        """Go from one pair towards a whole batch, which is then repeated, or whose time is foreseen."""
        size, took, growth = 1, self._best_of_two(1), 0.0
        while size < pairs:
            larger = min(_GROWTH * size, pairs)
            if size > 1 and time.monotonic() + 2 * (took + growth * (larger - size)) > ends:
                return pairs / (took + growth * (pairs - size))
            before, took = took, self._best_of_two(larger)
            # A part of the time, such as the optimiser's, is the same for any batch.
            # On a busy machine two times say little of how they grow: not less than this.
            growth, size = max((took - before) / (larger - size), took / larger / 4), larger
        rounds, batch = [took], self._batch(pairs)
        while len(rounds) < _MOST_UPDATES and time.monotonic() + took < ends:
            rounds.append(self._update(batch))
        return pairs * len(rounds) / sum(rounds)

    def _best_of_two(self, pairs: int) -> float:
        """Time an update with this many pairs: the better one of two, since the first one makes the kernels."""
        batch = self._batch(pairs)
        return min(self._update(batch), self._update(batch))

    def _update(self, batch: Batch) -> float:
        """Make one update; return the seconds it took."""
        began = time.monotonic()
        self._gradient(batch, seed=1, update=0)
        self._optimizer.step()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return max(time.monotonic() - began, 1e-9)

    def _batch(self, pairs: int) -> Batch:
        """Make up pairs of sentences, all of one length."""
        sides = (torch.randint(self._first_word, self._vocabulary, (pairs, int(length))) for length in self._lengths)
        (source, target), counts = sides, [torch.full((pairs,), int(length)) for length in self._lengths]
        return Batch(source, counts[0], target, counts[1], torch.arange(pairs))

    @property
    def _first_word(self) -> int:
        return min(RESERVED, self._vocabulary - 1)

    def _fill_lexicon(self, model: Seq2Seq) -> None:
        if model.lexicon is not None:
            shape = model.lexicon.targets.shape
            model.lexicon.fill(torch.randint(self._first_word, self._vocabulary, shape), torch.rand(shape))
