"""What a run tells while it goes: the progress bar, the log, and the lines of ``metrics.jsonl``."""

import math
from pathlib import Path

from nmt.config.train import TrainerConfig
from nmt.corpus.reader import ParallelText
from nmt.runs.log import LOG, ProgressBar, clock
from nmt.runs.metrics import Metrics
from nmt.tasks.task import PERPLEXITY, Task
from nmt.tasks.translation import perplexity
from nmt.training.state import Position, Sums
from nmt.training.validation import Validation


class Reporter:
    """Kept by the main process; the others of a run tell nothing."""

    def __init__(
        self, config: TrainerConfig, run_dir: Path, *, task: Task, update: int, has_reward: bool = False
    ) -> None:
        """Open the run's metrics, dropping what a lost part of the run left after `update`."""
        self._log_every, self._task, self._has_reward = config.log_every, task, has_reward
        self._metric = task.deciding(config.metric)
        self._metrics = Metrics(run_dir / "metrics.jsonl", from_update=update, tensorboard=config.tensorboard)
        self._progress = ProgressBar(total_updates=config.max_updates, update=update, show=config.progress)

    def close(self) -> None:
        """Close what is written to."""
        self._progress.close()
        self._metrics.close()

    def update(
        self, position: Position, sums: Sums, *, learning_rate: float, gradient_norm: float, planned_updates: int
    ) -> None:
        """Tell of an update that was made, of as many as are planned."""
        best = f"{position.best_score:.{self._metric.digits - 1}f}" if position.best_update else "-"
        speed = sums.target_tokens / max(1e-9, position.seconds - sums.began)
        left = clock((planned_updates - position.update) * position.seconds / position.update)
        reward = f", reward {sums.mean_reward:.3f}" if self._has_reward else ""
        state = f"loss {sums.loss:.2f}{reward}, {speed:,.0f} tokens/s, {self._metric.label} {best}, {left} left"
        self._progress.show(position.update, total_updates=planned_updates, state=state)
        if position.update % self._log_every == 0:
            self._metrics.write(
                "train",
                update=position.update,
                epoch=position.epoch,
                loss=_rounded(sums.loss, 4),
                perplexity=_rounded(perplexity(sums.negative_log_likelihood, sums.target_tokens), 3),
                **({"reward": _rounded(sums.mean_reward, 5)} if self._has_reward else {}),
                learning_rate=learning_rate,
                gradient_norm=_rounded(gradient_norm, 4),
                skipped=position.skipped,
                target_tokens=position.target_tokens,
                target_tokens_per_second=round(speed, 1),
                source_padding=round(1 - sums.source_tokens / max(1, sums.source_positions), 4),
                target_padding=round(1 - sums.target_tokens / max(1, sums.target_positions), 4),
                seconds=round(position.seconds, 2),
            )

    def validation(self, position: Position, result: Validation, valid: ParallelText, *, note: str = "") -> None:
        """Tell of a validation, with two of its outputs, and what is to be noted of it."""
        metric, best = self._metric, ", the best so far"
        if position.best_update != position.update:
            best = f" (best {metric.label} {metric.shown(position.best_score)} at update {position.best_update})"
        LOG.info(
            f"update {position.update}, epoch {position.epoch}, {clock(position.seconds)}: validation {result}{best}"
        )
        if result.by_pair:
            each = (f"{pair} {metric.shown(own.value(metric))}" for pair, own in result.by_pair.items())
            LOG.info(f"  {metric.label} of each pair: {', '.join(each)}")
        for line in (0, len(result.outputs) // 2):
            LOG.info(f"  {self._task.example(valid, result.outputs, line)}")
        if note:
            LOG.warning(note)
        self._metrics.write(
            "validation",
            update=position.update,
            epoch=position.epoch,
            **{each.name: round(result.value(each), each.digits + 1) for each in self._task.metrics},
            perplexity=round(result.perplexity, 4),
            **{
                f"{each.name}/{pair}": round(own.value(each), each.digits + 1)
                for pair, own in result.by_pair.items()
                for each in (*self._task.metrics, PERPLEXITY)
            },
            **{f"{name}_signature": score.signature for name, score in result.scores.items()},
            **{f"best_{metric.name}": round(position.best_score, metric.digits + 1)},
            target_tokens=position.target_tokens,
            seconds=round(position.seconds, 2),
        )


def _rounded(value: float, digits: int) -> float | None:
    """Round for metrics.jsonl; JSON has no word for what is not finite."""
    return round(value, digits) if math.isfinite(value) else None
