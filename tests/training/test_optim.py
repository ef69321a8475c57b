"""Learning rates at points worked out by hand, AdamW's groups, and the moving average of the weights."""

import math

import pytest
import torch
from torch import nn

from nmt.config.choices import Schedule
from nmt.config.train import OptimizerConfig
from nmt.training.optim import AdamW, WeightAverage, learning_rate


def rate(schedule, update, *, warmup=4, max_updates=11):
    config = OptimizerConfig(lr=0.8, schedule=Schedule[schedule], warmup_updates=warmup)
    return learning_rate(config, update, max_updates=max_updates)


@pytest.mark.parametrize("schedule", list(Schedule.__members__))
def test_the_warm_up_climbs_in_equal_steps_to_the_peak(schedule):
    assert [rate(schedule, update) for update in (1, 2, 3, 4)] == pytest.approx([0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize(
    ("schedule", "update", "expected"),
    [
        # Eight steps lead from the peak at update 4 to zero at 12, one after the last.
        ("linear", 5, 0.8 * 7 / 8),
        ("linear", 8, 0.4),
        ("linear", 11, 0.1),
        ("linear", 12, 0.0),
        ("linear", 99, 0.0),
        ("cosine", 6, 0.8 * (1 + math.sqrt(0.5)) / 2),
        ("cosine", 8, 0.4),
        ("cosine", 10, 0.8 * (1 - math.sqrt(0.5)) / 2),
        ("cosine", 12, 0.0),
        ("cosine", 99, 0.0),
        ("inverse_sqrt", 9, 0.8 * 2 / 3),
        ("inverse_sqrt", 16, 0.4),
        ("inverse_sqrt", 400, 0.08),
        ("constant", 5, 0.8),
        ("constant", 999, 0.8),
    ],
)
def test_what_follows_the_warm_up(schedule, update, expected):
    assert rate(schedule, update) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", 0.8),
        ("linear", 0.8 * 11 / 12),
        ("cosine", 0.4 * (1 + math.cos(math.pi / 12))),
        ("inverse_sqrt", 0.8),
    ],
)
def test_without_a_warm_up_the_first_update_counts_at_once(schedule, expected):
    assert rate(schedule, 1, warmup=0) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_warm_up_longer_than_the_training_is_cut_short(schedule):
    assert rate(schedule, 5, warmup=20, max_updates=10) == pytest.approx(0.2)
    assert rate(schedule, 21, warmup=20, max_updates=10) == pytest.approx(0, abs=1e-12)


def small_model():
    torch.manual_seed(41)
    return nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))


def test_only_matrices_decay():
    model = small_model()
    config = OptimizerConfig(lr=0.5, beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.1)
    optimizer = AdamW(model, config)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrunk = 1.0 if name.endswith("bias") else 1 - 0.5 * 0.1
        torch.testing.assert_close(parameter.detach(), shrunk * before[name])


def test_adam_makes_its_first_step_as_long_as_the_learning_rate():
    model = small_model()
    optimizer = AdamW(model, OptimizerConfig(lr=0.25))
    before = model[1].weight.detach().clone()
    (3 * model[1].weight[0].sum() - model[1].weight[1].sum()).backward()
    optimizer.step()
    signs = torch.tensor([[1.0], [-1.0]]).expand(2, 3)
    torch.testing.assert_close(model[1].weight.detach(), before - 0.25 * signs)


def random_steps(optimizer, model, count, *, seed, zeroed=()):
    """Steps along random gradients, some parameters without one."""
    draw = torch.Generator().manual_seed(seed)
    for number in range(count):
        for name, parameter in model.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=draw) if name not in zeroed or number else None
        optimizer.step()


def torch_optimizer(model, config):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    groups = [{"params": matrices}, {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(
        groups, lr=config.lr, betas=betas, eps=config.epsilon, weight_decay=config.weight_decay, fused=True
    )


def test_steps_are_those_of_torch_to_the_bit_and_go_on_from_its_state():
    config = OptimizerConfig(lr=0.03, beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.1)
    ours, torchs = small_model(), small_model()
    optimizer, reference = AdamW(ours, config), torch_optimizer(torchs, config)
    for made, model in ((optimizer, ours), (reference, torchs)):
        random_steps(made, model, 7, seed=3, zeroed=("1.bias",))
    before = [parameter.detach().clone() for parameter in small_model().parameters()]
    assert not any(map(torch.equal, ours.parameters(), before))
    assert all(map(torch.equal, ours.parameters(), torchs.parameters()))

    state = reference.state_dict()
    assert optimizer.state_dict()["state"].keys() == state["state"].keys() == {0, 1, 2}
    for index, moments in state["state"].items():
        assert all(torch.equal(optimizer.state_dict()["state"][index][name], value) for name, value in moments.items())
    again = AdamW(ours, config)
    again.load_state_dict(state)
    for made, model in ((again, ours), (reference, torchs)):
        random_steps(made, model, 3, seed=4)
    assert all(map(torch.equal, ours.parameters(), torchs.parameters()))


def filled(model, value):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


def test_the_average_follows_its_formula():
    """average ← d · average + (1 - d) · weights, with d = min(decay, (1 + n) / (10 + n)) after n updates."""
    model = filled(small_model(), 1.0)
    average = WeightAverage(model, decay=0.3)
    expected = 1.0
    for update, decay in [(1, 2 / 11), (2, 3 / 12), (3, 0.3), (4, 0.3)]:
        filled(model, float(update * update))
        average.update(update)
        expected = decay * expected + (1 - decay) * update * update
        for part in average.state():
            torch.testing.assert_close(part, torch.full_like(part, expected))


def test_the_average_spans_less_as_the_learning_rate_falls():
    """A decay of 0.8 spans 1 / (1 - 0.8) - 1 = 4 updates before the last; a quarter of the rate leaves 1: decay 0.5."""
    model = filled(small_model(), 0.0)
    average = WeightAverage(model, decay=0.8)
    filled(model, 8.0)
    average.update(1000, rate=0.25)
    assert all(bool((part == 4.0).all()) for part in average.state())
    average.update(1001, rate=0.0)
    assert all(bool((part == 8.0).all()) for part in average.state())


def test_the_average_stands_in_for_the_weights_and_leaves_again():
    model = filled(small_model(), 1.0)
    average = WeightAverage(model, decay=0.9)
    filled(model, 5.0)
    raw = [parameter.data_ptr() for parameter in model.parameters()]
    with average.applied():
        assert all(bool((parameter == 1.0).all()) for parameter in model.parameters())
        assert not any(parameter.data_ptr() in raw for parameter in model.parameters())
    assert all(bool((parameter == 5.0).all()) for parameter in model.parameters())
    assert [parameter.data_ptr() for parameter in model.parameters()] == raw

    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert [parameter.data_ptr() for parameter in model.parameters()] == raw


def test_an_optimizer_goes_on_with_the_raw_weights_after_the_average_was_applied():
    model = filled(small_model(), 1.0)
    optimizer = AdamW(model, OptimizerConfig(lr=0.25))
    average = WeightAverage(model, decay=0.9)
    with average.applied():
        pass
    model[1].bias.sum().backward()
    optimizer.step()
    torch.testing.assert_close(model[1].bias.detach(), torch.full((2,), 0.75))
    assert all(bool((part == 1.0).all()) for part in average.state())


def test_without_decay_the_average_is_the_model_itself():
    model = filled(small_model(), 1.0)
    average = WeightAverage(model, decay=0.0)
    filled(model, 2.0)
    average.update(1)
    assert average.state() == []
    with average.applied():
        assert bool((model[1].bias == 2.0).all())
    assert bool((model[1].bias == 2.0).all())


def test_an_average_that_was_saved_is_taken_up():
    model = filled(small_model(), 3.0)
    saved = [part.clone() for part in WeightAverage(model, decay=0.9).state()]
    other = WeightAverage(filled(small_model(), 7.0), decay=0.9)
    other.load(saved)
    assert all(torch.equal(one, two) for one, two in zip(other.state(), saved, strict=True))
    assert all(one is not two for one, two in zip(other.state(), saved, strict=True))
