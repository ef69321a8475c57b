"""The parts of a training update, each timed on its own, forward and backward."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from nmt.config.choices import Precision
from nmt.corpus.batches import Batch
from nmt.model.cross_entropy import projected_cross_entropy
from nmt.model.decoder import DecoderOutput
from nmt.text.subwords import SubwordModel
from nmt.training.trainer import Trainer

PARTS = ("encoder", "decoder", "attention", "output and loss", "optimiser", "data")


def seconds_of(part: str, trainer: Trainer, batches: Sequence[Batch]) -> float:
    """Time one part of the update alone over some batches; 0 for one that cannot be had alone."""
    model, total = trainer.model, 0.0
    if part == "attention" and model.decoder.input_feeding:
        return 0.0
    if part == "data":
        return _time_of_data(trainer, len(batches))
    for batch in batches:
        model.zero_grad(set_to_none=True)
        if part == "optimiser":
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, 1e-6)
            run_part: Callable[[], Any] = lambda: trainer._update(trainer._clip())  # noqa: E731
        else:
            run_part = _prepared(part, trainer, batch)
        began = time.perf_counter()
        with torch.autocast(model.device.type, torch.bfloat16, enabled=trainer.precision is Precision.bf16):
            run_part()
        total += time.perf_counter() - began
    return total


def _prepared(part: str, trainer: Trainer, batch: Batch) -> Callable[[], None]:
    """Make the inputs of a part, and return what runs it."""
    model, decoder = trainer.model, trainer.model.decoder
    source_embedding = model.source_embedding or model.target_embedding
    start = batch.target.new_full((len(batch.target), 1), SubwordModel.bos_id)
    previous = torch.cat((start, batch.target[:, :-1]), dim=1)

    if part == "encoder":

        def run_encoder() -> None:
            embedded = model._embed(batch.source, source_embedding)
            encoded = model.encoder(embedded, batch.source_lengths)
            bridged = model.bridge(encoded.states)
            (encoded.values.sum() + sum(p.sum() for layer in bridged for p in layer)).backward()

        return run_encoder
    with torch.no_grad():
        state = model.start(batch.source, batch.source_lengths)
    if part == "decoder":
        # With input feeding the attention is part of every step; it is not timed by itself then.

        def run_decoder() -> None:
            embedded = model._embed(previous, model.target_embedding)
            outputs = decoder(embedded, state).attentional if decoder.input_feeding else decoder.recur(embedded, state)
            outputs.sum().backward()

        return run_decoder
    if part == "attention":
        queries = torch.randn(*previous.shape, trainer.config.model.decoder_hidden_size, requires_grad=True)
        values = state.memory.values.clone().requires_grad_()

        def run_attention() -> None:
            memory = decoder.attention.memory(values, state.memory.mask)
            attentional, weights = decoder.attend(queries, memory)
            favoured = state.offer.lexicon_bias(weights).scores.sum() if state.offer else 0
            (attentional.sum() + favoured).backward()

        return run_attention
    tokens = int(batch.target_lengths.sum())
    attentional = torch.randn(tokens, decoder.attentional_size, requires_grad=True)
    real = torch.arange(batch.target.size(1)) < batch.target_lengths.unsqueeze(1)
    targets = batch.target[real]
    with torch.no_grad():
        lexicon_bias = (
            model(batch.source, batch.source_lengths, previous).select(real.flatten().nonzero().squeeze(1)).lexicon_bias
        )

    def run_output() -> None:
        smoothing = trainer.config.trainer.label_smoothing
        features = model.features(DecoderOutput(attentional, lexicon_bias))
        loss, _ = projected_cross_entropy(
            features, *model.output_parameters(), targets, label_smoothing=smoothing, lexicon_bias=lexicon_bias
        )
        loss.backward()  # type: ignore[no-untyped-call]

    return run_output


def _time_of_data(trainer: Trainer, batches: int) -> float:
    """Seconds that as many batches take their threads, a share of the window's preparation included."""
    source = dataclasses.replace(trainer.batches, prefetch=0)
    began = time.perf_counter()
    total = sum(1 for _ in source.epoch(1))
    return (time.perf_counter() - began) * batches / total
