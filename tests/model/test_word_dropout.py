"""Word dropout of a translator: positions of both sides, in training alone, and none of the others changes."""

import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.model.seq2seq import build_model


def build(rate):
    torch.manual_seed(7)
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "decoder_hidden_size": 8, "dropout": 0.0}
    return build_model(ModelConfig(word_dropout=rate, **sizes), source_vocabulary=9, target_vocabulary=9)


def test_a_share_of_positions_is_zero_and_the_others_are_as_they_were():
    model, ids = build(0.3).train(), torch.randint(9, (60, 40))
    whole, dropped = build(0.0)._embed(ids, model.target_embedding), model._embed(ids, model.target_embedding)
    gone = (dropped == 0).all(-1)
    assert float(gone.double().mean()) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(dropped[~gone], whole[~gone])
    assert not any(gone[ids == word].all() for word in range(9))  # positions, not words


def test_both_sides_lose_positions_in_training_and_none_in_translation():
    model = build(0.5)
    source, lengths, previous = torch.tensor([[4, 5, 6, 7, 3]]), torch.tensor([5]), torch.tensor([[2, 4, 5, 6]])
    plain = build(0.0)(source, lengths, previous).attentional
    assert torch.equal(model.eval()(source, lengths, previous).attentional, plain)
    model.train()
    torch.manual_seed(1)
    first = model(source, lengths, previous).attentional
    torch.manual_seed(1)
    assert torch.equal(model(source, lengths, previous).attentional, first)
    assert not torch.equal(first, plain)
    states = {tuple(model.start(source, lengths).layers[0][0].flatten().tolist()) for _ in range(20)}
    assert len(states) > 5  # the source's
    state = model.start(source, lengths)
    targets = {tuple(model.teacher_forced(previous, state).attentional.flatten().tolist()) for _ in range(20)}
    assert len(targets) > 5  # the target's
