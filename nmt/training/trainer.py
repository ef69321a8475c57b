"""The training loop."""

import contextlib
import dataclasses
import math
import time
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from nmt.bundle.weights import Bundle, save_bundle
from nmt.config.choices import Precision
from nmt.config.schema import to_dict
from nmt.config.train import TrainConfig
from nmt.corpus.batches import Batch, BatchSource
from nmt.errors import RunError
from nmt.runs.limits import limit_reached, planned_updates
from nmt.runs.log import LOG
from nmt.training.bundles import describe
from nmt.training.data import TrainingData
from nmt.training.fit import Fit
from nmt.training.gradient import BatchGradient, BatchLoss
from nmt.training.lexicon import Folds
from nmt.training.objectives.build import build_objective
from nmt.training.optim import AdamW, WeightAverage, learning_rate
from nmt.training.parallel import Processes
from nmt.training.reporter import Reporter
from nmt.training.state import Position, SavedState, Sums, batches_from, save_state
from nmt.training.stop import StopSignal, UpdateGivenUp
from nmt.training.validation import validate_all


class Trainer:
    """Trains one model in one run directory; all that changes is in ``position`` and the tensors, and is saved.

    Every process of a run has a trainer in the same state, and all decide alike; the main process alone writes.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        *,
        model: Any,
        precision: Precision,
        processes: Processes | None = None,
        folds: Folds | None = None,
        saved: SavedState | None = None,
    ) -> None:
        """Stand before the next update: the first one, or the one after `saved`, which has the folds too."""
        self.config, self.data, self.model, self.task = config, data, model, data.task
        self.precision, self.processes = precision, processes or Processes()
        self.optimizer = AdamW(model, config.optimizer)
        self.average = WeightAverage(model, decay=config.trainer.ema_decay)
        self.folds = folds
        self.position, self.sums, self.fit = Position(), Sums(), Fit()
        if saved:
            self.position, self.sums, self.fit = saved.position, saved.sums, saved.fit
            model.load_state_dict(saved.model)
            self.optimizer.load_state_dict(saved.optimizer)
            self.average.load(saved.average)
            languages = model.lexicon.languages if model.lexicon is not None else range(0)
            self.folds = Folds.restored(saved.folds, epsilon=config.model.lexicon_epsilon, languages=languages)
        self.metric = self.task.deciding(config.trainer.metric)
        self.objective = build_objective(config, self.task, data.target_subwords)
        self.gradient = BatchGradient(
            model,
            self.objective,
            config=config.trainer,
            precision=precision,
            folds=self.folds,
            processes=self.processes,
        )
        self.batches = BatchSource(
            data.corpus,
            source_subwords=data.source_subwords,
            target_subwords=data.target_subwords,
            batch_tokens=config.trainer.batch_tokens,
            seed=config.seed,
            sampling_alpha=config.subwords.sampling_alpha,
            sampled_sides=config.subwords.sampled_sides,
            marks=data.marks,
            # What an objective searches for has no marks.
            mark_rate=0.0 if self.objective.has_reward else config.subwords.mark_rate,
            augmentation=data.augmentation,
            cache=data.cache,
        )
        self.reporter: Reporter | None = None
        if self.processes.is_main:
            self.reporter = Reporter(
                config.trainer,
                config.directory,
                task=self.task,
                update=self.position.update,
                has_reward=self.objective.has_reward,
            )

    def train(self) -> str:
        """Train until a limit is reached or patience is lost; return the reason, which ``position.finished`` keeps.

        Raises:
            RunError: too many updates in a row had to be skipped, saving failed, or another process is gone.
            KeyboardInterrupt: a signal came; everything was saved after the update in progress.
        """
        self.model.train()
        self.position.finished = ""
        began = time.monotonic() - self.position.seconds
        with contextlib.closing(self), StopSignal() as stop:
            if not self.position.update:
                self._save()  # bundles without a state, as a kill could leave them, would be taken for another run's
            before = dataclasses.replace(self.position)
            for batch in batches_from(self.position, self.batches, is_over=self.limit_reached):
                self._set_learning_rate()
                try:
                    loss = self._forward_backward(batch, stop)
                except UpdateGivenUp:
                    self.position = before
                    self._save()
                    stop.raise_again(int(stop.arrived or 0))
                    raise
                gradient_norm = self._clip()
                self._update(gradient_norm)
                self.position.seconds = time.monotonic() - began
                loss, stopped = self._agree(loss, stop)
                self._log(batch, loss, gradient_norm)
                if self.position.update % self.config.trainer.validate_every == 0:
                    self._validate()
                    self._save()
                if stopped:
                    self._save()
                    stop.raise_again(stopped)
                before = dataclasses.replace(self.position)
            self._finish()
            stop.raise_again(max(self.processes.gather(int(stop.arrived or 0))))
        return self.position.finished

    def close(self) -> None:
        """Close what the run writes to."""
        if self.reporter:
            self.reporter.close()

    def limit_reached(self) -> str:
        """Name the limit that the run has reached, or nothing."""
        return limit_reached(self.config.trainer, self.position, metric=self.metric.label)

    def planned_updates(self, *, begun: int) -> int:
        """Estimate how many updates the run will have made at its end.

        Args:
            begun: updates whose batches the position counts, one in progress included.
        """
        position = self.position
        passes = position.epoch + position.pairs / max(1, self.data.corpus.pairs(position.epoch))
        return planned_updates(self.config.trainer, position, updates_per_epoch=begun / passes if passes else math.inf)

    def _set_learning_rate(self) -> None:
        update = self.position.update + 1
        planned = self.planned_updates(begun=update)
        self.optimizer.lr = learning_rate(self.config.optimizer, update, max_updates=planned)

    def _forward_backward(self, batch: Batch, stop: StopSignal | None = None) -> BatchLoss:
        # Of several processes none may give up alone.
        between = stop.give_up_late if stop and self.processes.size == 1 else lambda: None
        return self.gradient(batch, seed=self.config.seed, update=self.position.update, between=between)

    def _clip(self) -> float:
        largest = self.config.optimizer.clip_norm or math.inf
        return float(clip_grad_norm_(self.model.parameters(), largest, foreach=True))

    def _update(self, gradient_norm: float) -> None:
        """Step, unless the gradient would do harm; a run that cannot step any more ends with its bundles whole."""
        position, most = self.position, self.config.optimizer.skip_norm or math.inf
        if math.isfinite(gradient_norm) and gradient_norm <= most:
            self.optimizer.step()
            position.skipped_in_a_row = 0
        else:
            self._skip(gradient_norm)
        position.update += 1
        self.average.update(position.update, rate=self.optimizer.lr / self.config.optimizer.lr)

    def _skip(self, gradient_norm: float) -> None:
        position, limit = self.position, self.config.trainer.max_skipped
        position.skipped += 1
        position.skipped_in_a_row += 1
        finite = math.isfinite(gradient_norm)
        why = f"the norm of its gradient is {gradient_norm:.3g}" if finite else "its gradient is not finite"
        LOG.warning(f"update {position.update + 1} is skipped: {why}")
        if position.skipped_in_a_row >= limit:
            raise RunError(
                f"training diverged: {limit} updates in a row were skipped (trainer.max_skipped), the last one, "
                f"{position.update + 1}, because {why}; lower optimizer.lr, or set trainer.precision=fp32"
            )

    def _agree(self, loss: BatchLoss, stop: StopSignal) -> tuple[BatchLoss, int]:
        """Give every process the whole batch's loss, the main process's clock, and the signal that any of them got.

        A signal counts once all know of it; one that arrives a moment later waits for the next update.
        """
        rows = self.processes.gather_numbers(
            loss.smoothed, loss.negative_log_likelihood, loss.reward, self.position.seconds, float(stop.arrived or 0)
        )
        *sums, seconds, arrived = zip(*rows, strict=True)
        self.position.seconds = seconds[0]
        smoothed, negative_log_likelihood, reward = map(math.fsum, sums)
        return BatchLoss(smoothed, negative_log_likelihood, loss.tokens, reward), int(max(arrived))

    def _log(self, batch: Batch, loss: BatchLoss, gradient_norm: float) -> None:
        position, sums = self.position, self.sums
        if math.isfinite(gradient_norm):
            sums.add(
                batch,
                smoothed=loss.smoothed,
                negative_log_likelihood=loss.negative_log_likelihood,
                reward=loss.reward,
            )
            position.target_tokens += loss.tokens
            self.fit.add(loss.negative_log_likelihood, loss.tokens)
        if self.reporter:
            self.reporter.update(
                position,
                sums,
                learning_rate=self.optimizer.lr,
                gradient_norm=gradient_norm,
                planned_updates=self.planned_updates(begun=position.update),
            )
        if position.update % self.config.trainer.log_every == 0:
            self.sums = Sums(began=position.seconds)

    def _validate(self) -> None:
        """Score the average of the weights on the validation text; keep it as last/, and as best/ if it is."""
        position = self.position
        began = time.monotonic()
        with self.average.applied():
            bundle = describe(
                self.model,
                self.config,
                self.data,
                position=position,
                precision=self.precision,
                processes=self.processes,
            )
            texts = self.data.valid_texts
            result = validate_all(self.task, bundle, texts, config=self.config, processes=self.processes)
            is_better = position.add_validation(result.value(self.metric), self.metric)
            bundle.metadata["validation"] = str(result)
            self.processes.from_main(lambda: self._save_bundles(bundle, is_better=is_better))
        seconds = self.processes.from_main(lambda: time.monotonic() - began)
        position.seconds += seconds
        self.sums.began += seconds
        overfits = self.fit.validated(result.perplexity, update=position.update)
        if self.reporter:
            self.reporter.validation(position, result, self.data.valid, note=overfits)

    def _save_bundles(self, bundle: Bundle, *, is_better: bool) -> None:
        save_bundle(bundle, self.config.directory / "last")
        if is_better:
            save_bundle(bundle, self.config.directory / "best")

    def _finish(self) -> None:
        if self.position.last_validation != self.position.update:
            self._validate()
        self.position.finished = self.limit_reached()
        self._save()

    def _save(self) -> None:
        """Write all that going on needs."""
        data = self.data
        state = SavedState(
            config=to_dict(self.config),
            corpus_digest=data.corpus_digest,
            source_subwords=data.source_subwords.to_bytes(),
            target_subwords=data.target_subwords.to_bytes(),
            precision=str(self.precision),
            threads=torch.get_num_threads(),
            position=self.position,
            sums=self.sums,
            fit=self.fit,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.state(),
            valid_digest=data.valid_digest,
            folds=self.folds.tensors() if self.folds else {},
        )
        self.processes.from_main(lambda: save_state(state, self.config.directory / "state.pt"))
