"""The training loop."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from nmt.checkpoint import Bundle, save_bundle
from nmt.choices import Precision
from nmt.config import TrainConfig
from nmt.data.batches import Batch, BatchSource
from nmt.errors import RunError
from nmt.model.loss import Loss, sequence_loss
from nmt.model.seq2seq import Seq2Seq
from nmt.schema import to_dict
from nmt.subwords import SubwordModel
from nmt.training.monitor import LOG, Metrics, Progress, clock
from nmt.training.optim import WeightAverage, build_optimizer, learning_rate
from nmt.training.setup import Material
from nmt.training.state import Position, SavedState, Sums, save_state
from nmt.training.stop import StopSignal
from nmt.training.validation import greedy, perplexity, validate

_MAX_SKIPPED = 20


class Trainer:
    """Trains one model in one run directory; all that changes is in ``position`` and the tensors, and is saved."""

    def __init__(
        self,
        config: TrainConfig,
        material: Material,
        *,
        model: Seq2Seq,
        run_dir: Path,
        precision: Precision,
        saved: SavedState | None = None,
    ) -> None:
        """Stand before the next update: the first one, or the one after `saved`."""
        self.config, self.material, self.model, self.run_dir, self.precision = (
            config,
            material,
            model,
            run_dir,
            precision,
        )
        self.optimizer = build_optimizer(model, config.optimizer)
        self.average = WeightAverage(model, decay=config.trainer.ema_decay)
        self.position, self._sums = Position(), Sums()
        if saved:
            self.position, self._sums = saved.position, saved.sums
            model.load_state_dict(saved.model)
            self.optimizer.load_state_dict(saved.optimizer)
            self.average.load(saved.average)
        self.batches = BatchSource(
            material.corpus,
            source_subwords=material.source_subwords,
            target_subwords=material.target_subwords,
            batch_tokens=config.trainer.batch_tokens,
            seed=config.seed,
            sampling_alpha=config.subwords.sampling_alpha,
        )
        self.metrics = Metrics(run_dir / "metrics.jsonl", from_update=self.position.update)
        self.progress = Progress(
            total_updates=config.trainer.max_updates, update=self.position.update, show=config.trainer.progress
        )
        self._skipped = 0

    def train(self) -> str:
        """Train until a limit is reached or patience is lost; return the reason, which ``position.finished`` keeps.

        Raises:
            RunError: the gradient is not finite time and again, or saving failed.
            KeyboardInterrupt: a signal came; everything was saved after the update in progress.
        """
        self.model.train()
        self.position.finished = ""
        began = time.monotonic() - self.position.seconds
        with contextlib.closing(self.progress), contextlib.closing(self.metrics), StopSignal() as stop:
            for batch in self._batches():
                self._set_learning_rate()
                loss = self._forward_backward(batch)
                gradient_norm = self._clip()
                self._update(gradient_norm)
                self.position.seconds = time.monotonic() - began
                self._log(batch, loss, gradient_norm)
                if self.position.update % self.config.trainer.validate_every == 0:
                    self._validate()
                    self._save()
                if stop.arrived:
                    self._save()
                    stop.raise_again()
            self._finish()
            stop.raise_again()
        return self.position.finished

    def close(self) -> None:
        """Close what the run writes to, where `train` is not called."""
        self.progress.close()
        self.metrics.close()

    def limit_reached(self) -> str:
        """Name the limit that the run has reached, or nothing."""
        trainer, position = self.config.trainer, self.position
        if position.update >= trainer.max_updates:
            return f"trainer.max_updates={trainer.max_updates} reached"
        if trainer.max_epochs and position.epoch >= trainer.max_epochs:
            return f"trainer.max_epochs={trainer.max_epochs} reached"
        if trainer.max_minutes and position.seconds >= 60 * trainer.max_minutes:
            return f"trainer.max_minutes={trainer.max_minutes:g} reached"
        if trainer.patience and position.validations_since_best >= trainer.patience:
            return f"no better BLEU in trainer.patience={trainer.patience} validations"
        return ""

    def _batches(self) -> Iterator[Batch]:
        """Yield batches from the run's position on until a limit is reached."""
        position = self.position
        while not self.limit_reached():
            epoch = self.batches.epoch(position.epoch, start=position.batch)
            try:
                for batch in epoch:
                    position.batch += 1
                    yield batch
                    if self.limit_reached():
                        return
            finally:
                epoch.close()  # type: ignore[attr-defined]  # ends the threads that prepare batches ahead
            position.epoch, position.batch = position.epoch + 1, 0

    def _set_learning_rate(self) -> None:
        rate = learning_rate(
            self.config.optimizer, self.position.update + 1, max_updates=self.config.trainer.max_updates
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _forward_backward(self, batch: Batch) -> Loss:
        """Make the gradient of the mean loss of the batch's real target positions."""
        # Dropout is a function of the seed and the update: a resumed run draws what the uninterrupted one drew.
        torch.manual_seed(self.config.seed * 1_000_003 + self.position.update)
        device = self.model.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision is Precision.bf16):
            loss = sequence_loss(
                self.model,
                batch.source.to(device),
                batch.source_lengths.to(device),
                target=batch.target.to(device),
                target_lengths=batch.target_lengths.to(device),
                bos_id=SubwordModel.bos_id,
                label_smoothing=self.config.trainer.label_smoothing,
            )
        self.optimizer.zero_grad(set_to_none=True)
        (loss.smoothed / loss.tokens).backward()  # type: ignore[no-untyped-call]
        return loss

    def _clip(self) -> float:
        largest = self.config.optimizer.clip_norm or math.inf
        return float(clip_grad_norm_(self.model.parameters(), largest, foreach=True))

    def _update(self, gradient_norm: float) -> None:
        """Step, unless the gradient is not finite; a run that cannot step any more ends with its bundles whole."""
        if math.isfinite(gradient_norm):
            self.optimizer.step()
            self._skipped = 0
        else:
            self._skipped += 1
            LOG.warning("update %d is skipped: its gradient is not finite", self.position.update + 1)
            if self._skipped >= _MAX_SKIPPED:
                raise RunError(
                    f"training diverged: {_MAX_SKIPPED} gradients in a row were not finite (update "
                    f"{self.position.update + 1}); lower optimizer.lr, or set trainer.precision=fp32"
                )
        self.position.update += 1
        self.average.update(self.position.update)

    def _log(self, batch: Batch, loss: Loss, gradient_norm: float) -> None:
        sums, position, trainer = self._sums, self.position, self.config.trainer
        if math.isfinite(gradient_norm):
            sums.smoothed += float(loss.smoothed.detach())
            sums.negative_log_likelihood += float(loss.negative_log_likelihood)
            sums.target_tokens += loss.tokens
            sums.target_positions += batch.target.numel()
            sums.source_tokens += int(batch.source_lengths.sum())
            sums.source_positions += batch.source.numel()
            position.target_tokens += loss.tokens
        mean = sums.smoothed / sums.target_tokens if sums.target_tokens else math.nan
        speed = sums.target_tokens / max(1e-9, position.seconds - sums.began)
        self.progress.show(
            position.update,
            loss=mean,
            tokens_per_second=speed,
            bleu=position.best_bleu,
            seconds_left=self._seconds_left(),
        )
        if position.update % trainer.log_every == 0:
            self.metrics.write(
                "train",
                update=position.update,
                epoch=position.epoch,
                loss=_rounded(mean, 4),
                perplexity=_rounded(perplexity(sums.negative_log_likelihood, sums.target_tokens), 3),
                learning_rate=self.optimizer.param_groups[0]["lr"],
                gradient_norm=_rounded(gradient_norm, 4),
                target_tokens=position.target_tokens,
                target_tokens_per_second=round(speed, 1),
                source_padding=round(1 - sums.source_tokens / max(1, sums.source_positions), 4),
                target_padding=round(1 - sums.target_tokens / max(1, sums.target_positions), 4),
                seconds=round(position.seconds, 2),
            )
            self._sums = Sums(began=position.seconds)

    def _seconds_left(self) -> float:
        """Estimate from the mean pace of the run so far; whichever limit comes first."""
        trainer, position = self.config.trainer, self.position
        left = (trainer.max_updates - position.update) * position.seconds / max(1, position.update)
        return min(left, 60 * trainer.max_minutes - position.seconds) if trainer.max_minutes else left

    def _validate(self) -> None:
        """Score the average of the weights on the validation text; keep it as last/, and as best/ if it is."""
        position, valid = self.position, self.material.valid
        search = greedy(self.config.search, batch_size=self.config.trainer.valid_batch_size)
        began = time.monotonic()
        with self.average.applied():
            bundle = self.bundle()
            result = validate(bundle, valid.source, valid.target, search=search)
            better = result.bleu.value > position.best_bleu
            if better:
                position.best_bleu, position.best_update, position.validations_since_best = (
                    result.bleu.value,
                    position.update,
                    0,
                )
            else:
                position.validations_since_best += 1
            bundle.metadata |= {"validation": f"{result.bleu}, greedy, perplexity {result.perplexity:.2f}"}
            save_bundle(bundle, self.run_dir / "last")
            if better:
                save_bundle(bundle, self.run_dir / "best")
        seconds = time.monotonic() - began
        position.last_validation = position.update
        position.seconds += seconds
        self._sums.began += seconds
        LOG.info(
            "update %d, epoch %d, %s: validation perplexity %.2f, %s, greedy%s",
            position.update,
            position.epoch,
            clock(position.seconds),
            result.perplexity,
            result.bleu,
            ", the best so far" if better else f" (best {position.best_bleu:.2f} at update {position.best_update})",
        )
        self._log_samples(result.translations)
        self.metrics.write(
            "validation",
            update=position.update,
            epoch=position.epoch,
            perplexity=round(result.perplexity, 4),
            bleu=round(result.bleu.value, 3),
            signature=result.bleu.signature,
            best_bleu=round(position.best_bleu, 3),
            target_tokens=position.target_tokens,
            seconds=round(position.seconds, 2),
        )

    def _log_samples(self, translations: list[str]) -> None:
        valid = self.material.valid
        for i in (0, len(translations) // 2):
            LOG.info("  source %s | translation %s | reference %s", valid.source[i], translations[i], valid.target[i])

    def _finish(self) -> None:
        if self.position.last_validation != self.position.update:
            self._validate()
        self.position.finished = self.limit_reached()
        self._save()

    def bundle(self) -> Bundle:
        """Describe the model as it stands, with what is known of its training."""
        position, material, config = self.position, self.material, self.config
        return Bundle(
            self.model,
            config.model,
            source_subwords=material.source_subwords,
            target_subwords=material.target_subwords,
            source_language=config.corpus.source,
            target_language=config.corpus.target,
            search=config.search,
            metadata={
                "experiment": config.name,
                "corpus": config.corpus.train,
                "pairs": len(material.corpus),
                "updates": position.update,
                "epochs": position.epoch,
                "target_tokens": position.target_tokens,
                "minutes": round(position.seconds / 60, 1),
                "threads": torch.get_num_threads(),
                "precision": str(self.precision),
                "seed": config.seed,
            },
        )

    def _save(self) -> None:
        state = SavedState(
            config=to_dict(self.config),
            corpus_digest=self.material.corpus_digest,
            source_subwords=self.material.source_subwords.to_bytes(),
            target_subwords=self.material.target_subwords.to_bytes(),
            precision=str(self.precision),
            threads=torch.get_num_threads(),
            position=self.position,
            sums=self._sums,
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.state(),
        )
        save_state(state, self.run_dir / "state.pt")


def _rounded(value: float, digits: int) -> float | None:
    """Round for metrics.jsonl; JSON has no word for what is not finite."""
    return round(value, digits) if math.isfinite(value) else None
