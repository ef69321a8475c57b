import pytest
import torch

from nmt.config.model import ModelConfig
from nmt.model.log_probs import sequence_log_probs
from nmt.model.seq2seq import build_model

BOS = 2


@pytest.mark.parametrize(
    "changes",
    [{}, {"tying": "none"}, {"lexicon_size": 3}, {"input_feeding": True}, {"attention": "none"}],
    ids=["tied", "untied", "lexicon", "feeding", "no-attention"],
)
def test_log_probs_and_their_gradients_are_those_of_stepping(changes, monkeypatch):
    """Weighed one against another, several targets of one source, one of them without a position."""
    from nmt.config.choices import AttentionKind, Tying

    monkeypatch.setattr("nmt.model.cross_entropy._CACHED_LOGITS", 1)  # many portions
    words = {"tying": Tying, "attention": AttentionKind}
    changes = {key: words[key][value] if key in words else value for key, value in changes.items()}
    torch.manual_seed(3)
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "decoder_hidden_size": 7, "dropout": 0.0}
    model = build_model(ModelConfig(**(sizes | changes)), source_vocabulary=11, target_vocabulary=11).double()
    if model.lexicon is not None:
        model.lexicon.fill(torch.rand(11, 11).argsort(1)[:, :3], torch.rand(11, 3))
    source, lengths = torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0]]), torch.tensor([4, 2])
    targets = [[5, 6, 3], [4, 4, 4, 4, 9], [], [3], list(range(4, 11)) * 3]
    owners = torch.tensor([0, 0, 1, 1, 1])
    padded = torch.zeros(len(targets), 21, dtype=torch.long)
    for place, target in zip(padded, targets, strict=True):
        place[: len(target)] = torch.tensor(target, dtype=torch.long)
    state = model.start(source, lengths).keep(owners)
    found = sequence_log_probs(model, state, padded, torch.tensor([*map(len, targets)]), bos_id=BOS)

    model.eval()
    expected = torch.zeros(len(targets), dtype=torch.float64)
    for row, target in enumerate(targets):
        only = slice(owners[row], owners[row] + 1)
        state, previous = model.start(source[only, : lengths[owners[row]]], lengths[only]), BOS
        for token in target:
            step = model.step(torch.tensor([[previous]]), state)
            expected[row] = expected[row] + step.logits[0, 0].log_softmax(-1)[token]
            state, previous = step.state, token
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    weights = torch.tensor([1.0, -2.0, 5.0, 0.25, 0.1], dtype=torch.float64)
    by_found = torch.autograd.grad((weights * found).sum(), list(model.parameters()), allow_unused=True)
    by_expected = torch.autograd.grad((weights * expected).sum(), list(model.parameters()), allow_unused=True)
    for one, other in zip(by_found, by_expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_without_a_gradient_nothing_is_kept_for_one():
    torch.manual_seed(3)
    sizes = {"embedding_size": 6, "encoder_hidden_size": 5, "decoder_hidden_size": 7}
    model = build_model(ModelConfig(**sizes), source_vocabulary=11, target_vocabulary=11)
    with torch.no_grad():
        state = model.start(torch.tensor([[4, 3]]), torch.tensor([2]))
        found = sequence_log_probs(model, state, torch.tensor([[5, 3]]), torch.tensor([2]), bos_id=BOS)
    assert not found.requires_grad
    assert float(found) < 0
