"""Validation: perplexity of the references and BLEU of the translations against the raw reference text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from nmt.bundle.weights import Bundle, load_bundle, save_metadata
from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.corpus.padding import pad_rows
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score, bleu, corpus_scores, default_tokenizer
from nmt.model.loss import sequence_loss
from nmt.runs.log import LOG
from nmt.text.subwords import SubwordModel
from nmt.training.data import text_digest
from nmt.training.parallel import Processes
from nmt.translation.translator import Translator, cut_batches


class Validation(NamedTuple):
    """What a validation found."""

    perplexity: float
    """per real target position, EOS included, without label smoothing"""
    bleu: Score
    translations: list[str]


def validate(
    bundle: Bundle,
    sources: Sequence[str],
    references: Sequence[str],
    *,
    search: SearchConfig,
    processes: Processes | None = None,
) -> Validation:
    """Score a model on raw text, in evaluation mode and fp32; every process of the run does its share of the text."""
    processes = processes or Processes()
    was_training = bundle.model.training
    bundle.model.eval()
    own_sources, own_references = processes.share(sources), processes.share(references)
    try:
        sums = reference_loss(bundle, own_sources, own_references, batch_size=search.batch_size)
        translator = Translator(bundle, search=search, device=bundle.model.device)
        translations = processes.join_shares([item.text for item in translator.translate(own_sources)])
    finally:
        bundle.model.train(was_training)
    total, tokens = (sum(column) for column in zip(*processes.gather_numbers(sums), strict=True))
    # All the references decide, not this process's share: every validation of a run takes the same tokenizer.
    tokenizer = default_tokenizer(bundle.target_language, references)
    return Validation(perplexity(total, int(tokens)), bleu(translations, references, tokenize=tokenizer), translations)


@torch.inference_mode()
def reference_loss(
    bundle: Bundle, sources: Sequence[str], references: Sequence[str], *, batch_size: int
) -> tuple[float, int]:
    """Sum the negative log-likelihood of the references' positions, in nats, and count them; long pairs are cut.

    Batches hold at most `batch_size` pairs, and fewer of long ones.
    """
    tag = bundle.source_subwords.tag_prefix(bundle.search.source_tag)
    source_rows = [[*tag, *row] for row in _rows(bundle.source_subwords, sources)]
    target_rows = _rows(bundle.target_subwords, references)
    lengths = [1 + max(map(len, pair)) for pair in zip(source_rows, target_rows, strict=True)]
    # The longest go first: what does not fit fails at once.
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], -len(source_rows[i])))
    total, tokens = 0.0, 0
    for cut in cut_batches([lengths[i] for i in order], batch_size):
        batch = order[cut]
        source, source_lengths = _pad([source_rows[i] for i in batch], bundle)
        target, target_lengths = _pad([target_rows[i] for i in batch], bundle)
        loss = sequence_loss(
            bundle.model,
            source,
            source_lengths,
            target=target,
            target_lengths=target_lengths,
            bos_id=SubwordModel.bos_id,
            label_smoothing=0.0,
        )
        total += float(loss.negative_log_likelihood)
        tokens += loss.tokens
    return total, tokens


def perplexity(negative_log_likelihood: float, tokens: int) -> float:
    """Compute exp of the mean of `tokens` positions; e^700, near the largest float, stands for more; nan for none."""
    return math.exp(min(negative_log_likelihood / tokens, 700.0)) if tokens else math.nan


def score_test(
    text: ParallelText, config: TrainConfig, run_dir: Path, *, device: torch.device, processes: Processes
) -> None:
    """Translate the test text with the best bundle and its search settings; log the scores and keep them in it.

    Nothing is done where an earlier start has scored this bundle on that text. Every process translates its share.
    Variants that were exported meanwhile stay.
    """
    bundle = load_bundle(run_dir / "best", device=device)
    how = f"beam {bundle.search.beam_size}, {config.corpus.test}"
    digest = text_digest(text)[:16]
    known = bundle.metadata.get("test", ""), bundle.metadata.get("test_digest", digest)
    if processes.from_main(lambda: str(known[0]).endswith(how) and known[1] == digest):
        return
    own = Translator(bundle, device=device).translate(processes.share(text.source))
    translations = processes.join_shares([item.text for item in own])
    scores = corpus_scores(translations, text.target, metrics=("bleu", "chrf"), language=config.corpus.target)
    written = "; ".join(str(score) for score in scores)
    LOG.info("test (%s): %s", how, written)
    bundle.metadata.update(test=f"{written}, {how}", test_digest=digest)
    processes.from_main(lambda: save_metadata(bundle, run_dir / "best"))


def greedy(search: SearchConfig, *, batch_size: int) -> SearchConfig:
    """Return the search settings that validation uses during training."""
    return replace(search, beam_size=1, batch_size=batch_size)


def _rows(subwords: SubwordModel, texts: Sequence[str]) -> list[list[int]]:
    return [ids[:512] for ids in subwords.encode_batch(list(texts))]


def _pad(rows: list[list[int]], bundle: Bundle) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows → (B, S) ids with EOS, padded to the longest, and (B,) lengths, where the model is."""
    subwords, device = bundle.source_subwords, bundle.model.device
    ids, lengths = pad_rows(rows, pad_id=subwords.pad_id, eos_id=subwords.eos_id)
    return torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device)
