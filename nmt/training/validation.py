"""Scores of a model while it is trained, and of the best one on the test text at the end."""

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_metadata
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.runs.log import LOG
from nmt.tasks.task import Task, Validation
from nmt.training.data import text_digest
from nmt.training.parallel import Processes


def validate(
    task: Task, bundle: Bundle, text: ParallelText, *, config: TrainConfig, processes: Processes | None = None
) -> Validation:
    """Score a model on raw text, in evaluation mode and fp32; every process of the run does its share of the text."""
    was_training = bundle.model.training
    bundle.model.eval()
    try:
        return task.validate(
            bundle,
            text,
            search=config.search,
            batch_size=config.trainer.valid_batch_size,
            shares=processes or Processes(),
        )
    finally:
        bundle.model.train(was_training)


def score_test(
    task: Task, text: ParallelText, config: TrainConfig, *, device: torch.device, processes: Processes
) -> None:
    """Score the best bundle on the test text with its own search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text. Every process does its share.
    Variants that were exported meanwhile stay.
    """
    best = config.directory / "best"
    bundle = load_bundle(best, device=device)
    how = f"beam {bundle.search.beam_size}, {config.corpus.test}"
    digest = text_digest(text)[:16]
    scored = bundle.metadata.get("test", ""), bundle.metadata.get("test_digest", digest)
    if processes.from_main(lambda: str(scored[0]).endswith(how) and scored[1] == digest):
        return
    written = "; ".join(map(str, task.test(bundle, text, shares=processes)))
    LOG.info(f"test ({how}): {written}")
    bundle.metadata.update(test=f"{written}, {how}", test_digest=digest)
    processes.from_main(lambda: save_metadata(bundle, best))
