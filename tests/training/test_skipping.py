"""Gradients that are not numbers, or far too large, do not reach the weights; and a run that meets no others ends."""

import contextlib
import json
import math
import signal
from pathlib import Path

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Schedule
from nmt.errors import RunError
from nmt.training.trainer import Trainer

HUGE = 1e6


@pytest.fixture
def scaled(monkeypatch):
    """Multiply the gradients of some updates by a factor each."""
    factors = {}

    def install(changes):
        factors.clear()
        factors.update(changes)

    initialise = Trainer.__init__

    def patched(self, *arguments, **options):
        initialise(self, *arguments, **options)
        for parameter in self.model.parameters():
            parameter.register_hook(lambda gradient: gradient * factors.get(self.position.update + 1, 1.0))

    monkeypatch.setattr(Trainer, "__init__", patched)
    return install


@pytest.fixture
def steady(make_config):
    """A configuration whose course does not depend on how far it goes."""

    def make(run_dir="run", **changes):
        defaults = {"optimizer__schedule": Schedule.constant, "trainer__log_every": 1, "trainer__max_updates": 6}
        return make_config(run_dir, **(defaults | changes))

    return make


@pytest.fixture
def stopped_after(monkeypatch):
    """In a with statement: a signal arrives while an update is made."""

    @contextlib.contextmanager
    def stopping(number):
        update = Trainer._update

        def patched(self, *arguments):
            update(self, *arguments)
            if self.position.update == number:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_update", patched)
            yield

    return stopping


@pytest.mark.parametrize("factor", [math.inf, math.nan, HUGE])
def test_a_skipped_update_changes_neither_weights_nor_optimiser(steady, train, saved, same, scaled, factor):
    short = saved(train(steady("short", trainer__max_updates=2)))
    scaled(dict.fromkeys(range(3, 7), factor))
    long = saved(train(steady("long")))
    assert (long["position"]["update"], long["position"]["skipped"], long["position"]["skipped_in_a_row"]) == (6, 4, 4)
    assert same(long["model"], short["model"])
    assert same(long["optimizer"]["state"], short["optimizer"]["state"])


@pytest.mark.parametrize("factor", [math.inf, HUGE])
def test_after_a_skipped_update_training_goes_on(steady, train, saved, same, metrics, scaled, factor):
    calm = train(steady("calm"))
    scaled({2: factor, 4: factor, 5: factor})
    run_dir = train(steady("rough"))
    position = saved(run_dir)["position"]
    assert (position["update"], position["skipped"], position["skipped_in_a_row"]) == (6, 3, 0)
    assert [line["skipped"] for line in metrics(run_dir, "train")] == [0, 1, 1, 2, 3, 3]
    assert metrics(run_dir, "train")[0] == metrics(calm, "train")[0]
    assert not same(saved(run_dir)["model"], saved(calm)["model"])
    assert all(weight.isfinite().all() for weight in load_bundle(run_dir / "last").model.parameters())
    assert [line["skipped"] for line in metrics(calm, "train")] == [0] * 6


def test_the_norm_before_clipping_is_what_counts(steady, train, saved, metrics, scaled):
    norm = metrics(train(steady("calm", trainer__max_updates=1)), "train")[0]["gradient_norm"]
    for run_dir, share, skipped in (("above", 0.99, 1), ("below", 1.01, 0)):
        limits = {"optimizer__skip_norm": share * norm, "optimizer__clip_norm": norm / 10}
        position = saved(train(steady(run_dir, trainer__max_updates=1, **limits)))["position"]
        assert position["skipped"] == skipped


def test_clipping_scales_the_whole_gradient(steady, train, monkeypatch):
    """Pascanu et al. (2013): a gradient beyond the limit keeps its direction and gets that norm; others stay."""
    clip, seen = Trainer._clip, []

    def recorded(self):
        before = [parameter.grad.clone() for parameter in self.model.parameters()]
        norm = clip(self)
        seen.append((norm, before, [parameter.grad for parameter in self.model.parameters()]))
        return norm

    monkeypatch.setattr(Trainer, "_clip", recorded)
    for limit in (1e-3, 1e3):
        train(steady(f"limit {limit}", trainer__max_updates=1, optimizer__clip_norm=limit))
        norm, before, after = seen.pop()
        assert norm == pytest.approx(math.sqrt(sum(float(each.square().sum()) for each in before)), rel=1e-5)
        share = min(1.0, limit / norm)
        assert (share < 1) == (limit < 1)
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(other, share * one, rtol=1e-3, atol=1e-9)


def test_without_a_limit_only_what_is_no_number_is_skipped(steady, train, saved, scaled):
    scaled({2: HUGE, 4: math.inf})
    position = saved(train(steady(optimizer__skip_norm=0.0)))["position"]
    assert position["skipped"] == 1


@pytest.mark.parametrize("factor", [math.inf, HUGE])
def test_too_many_in_a_row_end_the_run_with_its_bundles_whole(steady, train, saved, scaled, factor):
    scaled(dict.fromkeys([2, 3, *range(5, 20)], factor))  # two, a sound one, then too many
    config = steady(trainer__max_updates=30, trainer__max_skipped=3, trainer__validate_every=2)
    with pytest.raises(RunError) as error:
        train(config)
    assert "3 updates in a row" in str(error.value)
    assert "the last one, 7, because" in str(error.value)
    assert "optimizer." in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 1
    assert saved(config.run_dir)["position"]["update"] == 6
    for part in ("best", "last"):
        bundle = load_bundle(Path(config.run_dir) / part)
        assert all(weight.isfinite().all() for weight in bundle.model.parameters())


def test_a_stop_does_not_forgive_what_was_skipped_before_it(steady, train, saved, scaled, stopped_after):
    scaled(dict.fromkeys(range(3, 20), math.inf))
    config = steady(trainer__max_updates=30, trainer__max_skipped=5, trainer__validate_every=50)
    with stopped_after(5), pytest.raises(KeyboardInterrupt):
        train(config)
    position = saved(config.run_dir)["position"]
    assert (position["update"], position["skipped"], position["skipped_in_a_row"]) == (5, 3, 3)
    with pytest.raises(RunError, match="the last one, 7, because"):
        train(config)


def test_a_run_with_skipped_updates_is_resumed_exactly(steady, train, saved, same, metrics, scaled, stopped_after):
    scaled({3: HUGE, 5: math.inf, 6: HUGE, 7: HUGE})
    whole = train(steady("whole", trainer__max_updates=10))
    config = steady("stopped", trainer__max_updates=10)
    for stop in (3, 6):
        with stopped_after(stop), pytest.raises(KeyboardInterrupt):
            train(config)
    stopped = train(config)
    assert saved(stopped)["position"]["skipped"] == 4
    assert same(saved(stopped), saved(whole))
    assert metrics(stopped) == metrics(whole)


@pytest.fixture
def broken_gradients(monkeypatch):
    """Put an infinity into the gradient of some updates, and note the weights before and after each."""
    weights = {}

    def install(updates):
        forward_backward, log = Trainer._forward_backward, Trainer._log

        def broken(self, batch, stop=None):
            loss = forward_backward(self, batch, stop)
            if self.position.update + 1 in updates:
                next(self.model.parameters()).grad.view(-1)[0] = math.inf
                loss = loss._replace(smoothed=loss.smoothed * math.nan)
            return loss

        def noted(self, batch, loss, gradient_norm):
            weights[self.position.update] = [p.detach().clone() for p in self.model.parameters()]
            log(self, batch, loss, gradient_norm)

        monkeypatch.setattr(Trainer, "_forward_backward", broken)
        monkeypatch.setattr(Trainer, "_log", noted)
        return weights

    return install


def test_gradients_that_are_not_finite_are_skipped(make_config, train, metrics, broken_gradients, same, capsys):
    weights = broken_gradients({6, 7, 10})
    run_dir = train(make_config(trainer__max_updates=12, trainer__log_every=1))
    err = capsys.readouterr().err
    for update in (6, 7, 10):
        assert same(weights[update], weights[update - 1])
        assert f"update {update} is skipped: its gradient is not finite\n" in err
    for update in (2, 5, 8, 9, 11, 12):
        assert not same(weights[update], weights[update - 1])
    lines = metrics(run_dir, "train")
    assert [line["update"] for line in lines] == list(range(1, 13))
    assert [line["gradient_norm"] is None for line in lines] == [line["update"] in (6, 7, 10) for line in lines]
    assert all(weight.isfinite().all() for weight in load_bundle(run_dir / "last").model.parameters())


def test_metrics_stay_json_when_a_loss_is_not_a_number(make_config, train, broken_gradients):
    broken_gradients({3})
    run_dir = train(make_config(trainer__max_updates=8, trainer__log_every=2))
    for line in (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        values = json.loads(line, parse_constant=pytest.fail)
        assert values["kind"] == "validation" or 2 < values["loss"] < 6


def test_twenty_gradients_in_a_row_end_the_run_with_its_bundles_whole(make_config, train, saved, broken_gradients):
    config = make_config(trainer__max_updates=60)
    broken_gradients({*range(3, 22), *range(23, 50)})  # nineteen, then a sound one, then too many
    with pytest.raises(RunError) as error:
        train(config)
    assert str(error.value) == (
        "training diverged: 20 updates in a row were skipped (trainer.max_skipped), the last one, 42, because its "
        "gradient is not finite; lower optimizer.lr, or set trainer.precision=fp32"
    )
    assert saved(config.run_dir)["position"]["update"] == 40
    assert load_bundle(Path(config.run_dir) / "last").metadata["updates"] == 40
