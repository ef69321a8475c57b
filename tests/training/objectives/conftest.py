"""A model so small that all its outputs of two positions can be listed, and rewards for them by a formula."""

from types import SimpleNamespace

import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.corpus.batches import Batch
from nmt.model.seq2seq import build_model
from nmt.training.objectives import outputs as outputs_module

BOS, EOS = 2, 3
VOCABULARY = 6
EVERY_OUTPUT = [[EOS], *([a, b] for a in range(VOCABULARY) if a != EOS for b in range(VOCABULARY))]


def table_reward(outputs, references):
    """Some number from 0 to 1 that an output has with a reference."""
    hashes = [
        sum((i + 3) * each for i, each in enumerate([*output, *reference, len(output)]))
        for output, reference in zip(outputs, references, strict=True)
    ]
    return torch.tensor([(31 * number % 17) / 17 for number in hashes]).double().numpy()


def build(*, vocabulary=VOCABULARY, seed=4, **changes):
    torch.manual_seed(seed)
    sizes = {"embedding_size": 4, "encoder_hidden_size": 3, "decoder_hidden_size": 5, "dropout": 0.0} | changes
    model = build_model(ModelConfig(**sizes), source_vocabulary=vocabulary, target_vocabulary=vocabulary).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
        if model.lexicon is not None:
            targets = torch.rand(vocabulary, vocabulary).argsort(1)[:, : changes["lexicon_size"]]
            model.lexicon.fill(targets, torch.rand(targets.shape))
    return model


def log_prob(model, batch, row, output, offer=None):
    """log p of an output of one pair, by stepping."""
    only = slice(row, row + 1)
    state = model.start(batch.source[only, : batch.source_lengths[row]], batch.source_lengths[only], offer=offer)
    total, previous = torch.zeros((), dtype=torch.float64), BOS
    was_training = model.training
    model.eval()
    for token in output:
        step = model.step(torch.tensor([[previous]]), state)
        total = total + step.logits[0, 0].log_softmax(-1)[token]
        state, previous = step.state, token
    model.train(was_training)
    return total


def gradients(model, loss):
    """The gradient of a loss by all parameters, as one vector."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(model.parameters()))])


@pytest.fixture(scope="session")
def tiny():
    """What the tests of objectives share."""
    batch = Batch(
        torch.tensor([[4, 5, EOS], [5, EOS, 0]]),
        torch.tensor([3, 2]),
        torch.tensor([[5, EOS], [4, EOS]]),
        torch.tensor([2, 2]),
        torch.tensor([7, 0]),
    )
    return SimpleNamespace(
        batch=batch,
        build=build,
        every_output=EVERY_OUTPUT,
        gradients=gradients,
        log_prob=log_prob,
        reward=table_reward,
        ids={"bos_id": BOS, "eos_id": EOS},
    )


@pytest.fixture
def two_positions(monkeypatch):
    """Outputs have two positions at most, where references have two."""
    monkeypatch.setattr(outputs_module, "_EXTRA_LENGTH", 0)
    return {"max_length_ratio": 1.0}
