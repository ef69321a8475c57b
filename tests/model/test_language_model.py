"""The language model: stepping equals a whole line at once, and it reads no source."""

import pytest
import torch

from nmt.config.choices import Cell, Tying
from nmt.config.model import ModelConfig
from nmt.model.language_model import build_language_model, build_language_model_shapes
from nmt.model.log_probs import sequence_log_probs
from nmt.model.loss import sequence_loss, shifted

V, BOS, EOS = 11, 2, 3


def build(*, cell="lstm", layers=1, hidden=6, tying=Tying.all, dropout=0.0):
    torch.manual_seed(5)
    config = ModelConfig(
        cell=Cell[cell],
        embedding_size=4,
        decoder_layers=layers,
        decoder_hidden_size=hidden,
        tying=tying,
        dropout=dropout,
    )
    model = build_language_model(config, vocabulary=V).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def lines(count=3, length=5):
    torch.manual_seed(6)
    source, lengths = torch.zeros(count, 1, dtype=torch.int64), torch.ones(count, dtype=torch.int64)
    return source, lengths, torch.randint(4, V, (count, length))


def stepped(model, previous, state):
    """Logits of every position, step by step, one place a line: (B, T, V)."""
    logits = []
    for t in range(previous.size(1)):
        step = model.step(previous[:, t : t + 1], state)
        logits.append(step.logits)
        state = step.state
    return torch.cat(logits, dim=1)


@pytest.mark.parametrize("cell", Cell)
@pytest.mark.parametrize(("layers", "hidden", "tying"), [(1, 4, Tying.all), (2, 6, Tying.none), (3, 6, Tying.target)])
def test_stepping_equals_a_whole_line_at_once(cell, layers, hidden, tying):
    model = build(cell=cell.value, layers=layers, hidden=hidden, tying=tying)
    source, lengths, previous = lines()
    with torch.no_grad():
        whole = model.project(model(source, lengths, previous))
        torch.testing.assert_close(stepped(model, previous, model.start(source, lengths)), whole)
        # A line alone is as in its batch.
        alone = model.project(model(source[1:2], lengths[1:2], previous[1:2]))
        torch.testing.assert_close(alone, whole[1:2])


@pytest.mark.parametrize("cell", Cell)
def test_states_follow_their_places_and_are_left_as_they_were(cell):
    model = build(cell=cell.value, layers=2)
    source, lengths, previous = lines()
    with torch.no_grad():
        begun = model.step(previous[:, :1], model.start(source, lengths)).state
        wide = begun.reorder(torch.zeros(3, 2, dtype=torch.int64))
        after = model.step(previous[:, 1:3], wide)  # two places that read different subwords
        turned = after.state.reorder(torch.tensor([[1, 0]] * 3)).keep(torch.tensor([0, 2]))
        last = model.step(previous[[0, 2]][:, 3:4].expand(2, 2), turned).logits
        for row, sentence in enumerate((0, 2)):
            for place, read in enumerate((2, 1)):
                path = previous[sentence, [0, read, 3]].unsqueeze(0)
                alone = stepped(model, path, model.start(source[:1], lengths[:1]))[0, -1]
                torch.testing.assert_close(last[row, place], alone)
        torch.testing.assert_close(model.step(previous[:, 1:3], wide).logits, after.logits)


def test_probabilities_of_a_line_follow_the_chain_rule():
    model = build(layers=2)
    source, lengths, target = lines()
    target[:, -1] = EOS
    own = torch.tensor([5, 2, 4])
    with torch.no_grad():
        state = model.start(source, lengths)
        found = sequence_log_probs(model, state, target, own, bos_id=BOS)
        steps = stepped(model, shifted(target, bos_id=BOS), state).log_softmax(-1)
        for row, length in enumerate(own.tolist()):
            expected = sum(steps[row, t, target[row, t]] for t in range(length))
            torch.testing.assert_close(found[row], expected)
        loss = sequence_loss(model, source, lengths, target=target, target_lengths=own, bos_id=BOS, label_smoothing=0.0)
    assert float(loss.negative_log_likelihood) == pytest.approx(-float(found.sum()))
    assert loss.tokens == 11


def test_what_is_read_before_a_line_changes_nothing():
    model = build()
    source, lengths, previous = lines()
    with torch.no_grad():
        other = model(torch.full((3, 7), 9), torch.tensor([7, 3, 1]), previous)
        assert torch.equal(other.attentional, model(source, lengths, previous).attentional)


def test_matrices_are_shared_as_the_configuration_says():
    sizes = {
        name: set(build(layers=2, hidden=6, tying=tying).state_dict()) for name, tying in Tying.__members__.items()
    }
    assert sizes["all"] == sizes["target"]
    assert "projection.weight" in sizes["all"]
    assert {"output.weight", "output.bias"} <= sizes["none"]
    assert "output_bias" not in sizes["none"]
    assert build(hidden=4).projection is None


def test_dropout_is_drawn_in_training_only_where_no_step_is_made():
    model = build(dropout=0.5).train()
    source, lengths, previous = lines()
    first, second = (model(source, lengths, previous).attentional for _ in range(2))
    assert not torch.equal(first, second)
    with pytest.raises(ValueError, match=r"call model.eval\(\) first"):
        model.step(previous[:, :1], model.start(source, lengths))


def test_shapes_are_those_of_the_model_and_the_forget_gate_begins_open():
    config = ModelConfig(embedding_size=4, decoder_hidden_size=6, decoder_layers=2)
    torch.manual_seed(1)
    model, shapes = build_language_model(config, vocabulary=V), build_language_model_shapes(config, vocabulary=V)
    described = [{name: tensor.shape for name, tensor in each.state_dict().items()} for each in (model, shapes)]
    assert described[0] == described[1]
    assert torch.equal(model.layers[0].rnn.bias_ih_l0[6:12], torch.ones(6))
