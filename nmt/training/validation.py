"""Scores of a model while it is trained, and of the best one on the test text at the end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_settings
from nmt.config.pairs import LanguagePair
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score
from nmt.runs.log import LOG
from nmt.tasks.task import PERPLEXITY, Metric, Task
from nmt.tasks.translation import perplexity
from nmt.training.data import text_digest
from nmt.training.parallel import Processes
from nmt.training.texts import ScoredTexts, joined


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
    tokens: int = 0
    """target positions of the text"""
    by_pair: Mapping[LanguagePair, "Validation"] = {}
    """that of each language pair, where there are several"""

    def value(self, metric: Metric) -> float:
        """Give the value of a metric."""
        return self.perplexity if metric is PERPLEXITY else self.scores[metric.name].value

    def __str__(self) -> str:
        """Write all of it for people."""
        return f"{'; '.join(map(str, self.scores.values()))}, {self.how}, perplexity {self.perplexity:.2f}"


def validate_all(
    task: Task, bundle: Bundle, texts: ScoredTexts, *, config: TrainConfig, processes: Processes
) -> Validation:
    """Score a model on the text of each pair as `validate` does; the mean of their scores counts."""
    by_pair: dict[LanguagePair, Validation] = {}
    for pair, text in texts.items():
        if pair is None:
            return validate(task, bundle, text, config=config, processes=processes)
        pair_config = replace(config, search=_search_of(config.search, pair))
        by_pair[pair] = validate(task, _bundle_of(bundle, pair), text, config=pair_config, processes=processes)
    first, tokens = next(iter(by_pair.values())), sum(each.tokens for each in by_pair.values())
    return Validation(
        perplexity(sum(math.log(each.perplexity) * each.tokens for each in by_pair.values() if each.tokens), tokens),
        {name: mean_score([each.scores[name] for each in by_pair.values()]) for name in first.scores},
        first.how,
        [output for each in by_pair.values() for output in each.outputs],
        tokens,
        by_pair,
    )


def mean_score(scores: Sequence[Score]) -> Score:
    """Average the scores of several pairs; where their signatures differ, all are named."""
    value = sum(score.value for score in scores) / len(scores)
    return replace(scores[0], value=value, signature=" and ".join(dict.fromkeys(score.signature for score in scores)))


def _search_of(search: SearchConfig, pair: LanguagePair) -> SearchConfig:
    return replace(search, to=pair.target, source_language=pair.source)


def _bundle_of(bundle: Bundle, pair: LanguagePair) -> Bundle:
    """Give a bundle that translates one of its pairs."""
    search = _search_of(bundle.search, pair)
    return replace(bundle, source_language=pair.source, target_language=pair.target, search=search)


def validate(
    task: Task, bundle: Bundle, text: ParallelText, *, config: TrainConfig, processes: Processes
) -> Validation:
    """Score a model on raw text, in evaluation mode, fp32 and by greedy search; every process does its share."""
    search = replace(config.search.by_beam(1), batch_size=config.trainer.valid_batch_size)
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
    return Validation(perplexity(loss, int(tokens)), named, task.greedy_search, outputs, int(tokens))


def score_texts(task: Task, bundle: Bundle, texts: ScoredTexts, *, processes: Processes) -> list[list[Score]]:
    """Score what a bundle makes of each text by its own search, by each metric; every process does its share."""
    scores_of_texts: list[list[Score]] = []
    for pair, text in texts.items():
        pair_bundle = _bundle_of(bundle, pair) if pair else bundle
        outputs = processes.join_shares(task.outputs(pair_bundle, processes.share(text.source)))
        scores_of_texts.append(task.scores(outputs, text, language=pair_bundle.target_language))
    return scores_of_texts


def score_test(
    task: Task, texts: ScoredTexts, config: TrainConfig, *, device: torch.device, processes: Processes
) -> None:
    """Score the best bundle on the test text with its own search settings; log the scores and keep them in it.

    Of several pairs each is scored, and the means come first. Nothing is done where an earlier start has scored this
    bundle on that text. Every process does its share. Variants that were exported meanwhile stay.
    """
    best = config.directory / "best"
    bundle = load_bundle(best, device=device)
    how = f"{task.test_search(bundle.search)}, {config.corpus.test}"
    digest = text_digest(joined(texts))[:16]
    scored = bundle.metadata.get("test", ""), bundle.metadata.get("test_digest", digest)
    if processes.from_main(lambda: str(scored[0]).endswith(how) and scored[1] == digest):
        return
    scores_of_texts = score_texts(task, bundle, texts, processes=processes)
    written = "; ".join(str(mean_score(column)) for column in zip(*scores_of_texts, strict=True))
    by_pair = {
        str(pair): "; ".join(map(str, scores)) for pair, scores in zip(texts, scores_of_texts, strict=True) if pair
    }
    for name, scores in by_pair.items():
        LOG.info(f"test of {name}: {scores}")
    LOG.info(f"test{', mean' if by_pair else ''} ({how}): {written}")
    bundle.metadata.update(test=f"{written}, {how}", test_digest=digest, **({"test_pairs": by_pair} if by_pair else {}))
    processes.from_main(lambda: save_settings(bundle, best))
