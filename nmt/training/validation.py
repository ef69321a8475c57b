"""Scores of a model while it is trained, and of the best one on the test text at the end."""

from dataclasses import replace
from typing import NamedTuple

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_metadata
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score
from nmt.runs.log import LOG
from nmt.tasks.task import PERPLEXITY, Metric, Task
from nmt.tasks.translation import perplexity
from nmt.training.data import text_digest
from nmt.training.parallel import Processes


class Validation(NamedTuple):
    """The result of a validation."""

    perplexity: float
    """per real target position, EOS included, without label smoothing"""
    scores: dict[str, Score]
    """of the outputs, by the names of the task's metrics"""
    how: str
    """the search that made the outputs, for people"""
    outputs: list[str]
    """what the model made of each line"""

    def value(self, metric: Metric) -> float:
        """Give what a metric says of it."""
        return self.perplexity if metric is PERPLEXITY else self.scores[metric.name].value

    def __str__(self) -> str:
        """Write all of it for people."""
        return f"{'; '.join(map(str, self.scores.values()))}, {self.how}, perplexity {self.perplexity:.2f}"


def validate(
    task: Task, bundle: Bundle, text: ParallelText, *, config: TrainConfig, processes: Processes
) -> Validation:
    """Score a model on raw text, in evaluation mode, fp32 and by greedy search; every process does its share."""
    search = replace(config.search, beam_size=1, sample=False, batch_size=config.trainer.valid_batch_size)
    share = ParallelText(*(list(processes.share(side)) for side in text))
    was_training = bundle.model.training
    bundle.model.eval()
    try:
        sums = task.reference_loss(bundle, share, batch_size=search.batch_size)
        outputs = processes.join_shares(task.outputs(bundle, share.source, search=search))
    finally:
        bundle.model.train(was_training)
    loss, tokens = (sum(column) for column in zip(*processes.gather(sums), strict=True))
    # All lines are scored together: every process takes the same tokenizer, whatever its share looks like.
    scores = task.scores(outputs, text, language=bundle.target_language)
    named = {metric.name: score for metric, score in zip(task.metrics, scores, strict=False)}
    return Validation(perplexity(loss, int(tokens)), named, task.greedy_search, outputs)


def score_test(
    task: Task, text: ParallelText, config: TrainConfig, *, device: torch.device, processes: Processes
) -> None:
    """Score the best bundle on the test text with its own search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text. Every process does its share.
    Variants that were exported meanwhile stay.
    """
    best = config.directory / "best"
    bundle = load_bundle(best, device=device)
    how = f"{task.test_search(bundle.search)}, {config.corpus.test}"
    digest = text_digest(text)[:16]
    scored = bundle.metadata.get("test", ""), bundle.metadata.get("test_digest", digest)
    if processes.from_main(lambda: str(scored[0]).endswith(how) and scored[1] == digest):
        return
    outputs = processes.join_shares(task.outputs(bundle, processes.share(text.source)))
    written = "; ".join(map(str, task.scores(outputs, text, language=bundle.target_language)))
    LOG.info(f"test ({how}): {written}")
    bundle.metadata.update(test=f"{written}, {how}", test_digest=digest)
    processes.from_main(lambda: save_metadata(bundle, best))
