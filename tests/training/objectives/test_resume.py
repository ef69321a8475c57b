"""A run with any objective, stopped and gone on with, equals one that was never stopped."""

import re
import shutil
import signal

import pytest
import torch

from nmt.config.choices import Decay, ObjectiveKind
from nmt.config.objective import ObjectiveConfig
from nmt.errors import ConfigError
from nmt.training.trainer import Trainer

SETTINGS = {
    "objective__decay": Decay.linear,
    "objective__half_updates": 5,
    "objective__samples": 2,
    "objective__candidates": 3,
    "objective__max_length_ratio": 1.0,
    "trainer__max_updates": 4,
    "trainer__validate_every": 4,
    "trainer__log_every": 1,
    "trainer__batch_tokens": 200,
}


@pytest.fixture
def stopped(make_config, train, monkeypatch):
    """A run that was stopped after two updates of four."""

    def work(**settings):
        config, update = make_config("stopped", **settings), Trainer._update

        def stopping(self, gradient_norm):
            update(self, gradient_norm)
            if self.position.update == 2:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_update", stopping)
            with pytest.raises(KeyboardInterrupt):
                train(config)
        return config

    return work


@pytest.mark.parametrize("kind", [kind for kind in ObjectiveKind if kind is not ObjectiveKind.cross_entropy])
def test_a_stopped_run_equals_an_uninterrupted_one(make_config, train, saved, same, metrics, stopped, kind):
    """Its parent may be gone by then."""
    parent = train(make_config("parent", trainer__max_updates=2)) / "best"
    settings = SETTINGS | {"objective__kind": kind, "init_from": str(parent)}
    whole = train(make_config("whole", **settings))
    config = stopped(**settings)
    shutil.rmtree(parent)
    run_dir = train(config)
    assert same(saved(run_dir), saved(whole))
    assert metrics(run_dir) == metrics(whole)
    lines = metrics(run_dir, "train")
    assert [line["update"] for line in lines] == [1, 2, 3, 4]
    assert all(("reward" in line) == kind.searches for line in lines)
    if kind.searches:
        assert all(0 < line["reward"] < 1 and line["perplexity"] is None for line in lines)


def test_a_state_that_knew_no_objectives_goes_on_to_the_bit(make_config, train, saved, same, stopped):
    whole = train(make_config("whole", **SETTINGS))
    config = stopped(**SETTINGS)
    state = config.directory / "state.pt"
    values = torch.load(state, weights_only=True)
    values["config"] = {key: value for key, value in values["config"].items() if key != "objective"}
    del values["sums"]["reward"], values["sums"]["pairs"]
    torch.save(values, state)
    other = make_config("stopped", **SETTINGS, objective__kind=ObjectiveKind.scheduled_sampling)
    with pytest.raises(ConfigError, match=re.escape("objective.kind (cross_entropy → scheduled_sampling)")):
        train(other)
    for key in ("decay", "half_updates", "samples", "candidates", "max_length_ratio"):
        setattr(config.objective, key, getattr(ObjectiveConfig(), key))
    assert same(saved(train(config)), saved(whole))


def test_an_objective_that_searches_refuses_to_begin_from_nothing(command, tmp_path):
    assert command("objective=self_critical").mistake == (
        "objective.kind=self_critical learns from the model's own outputs, so it needs a trained model: train with "
        "objective=cross_entropy first, then name the bundle, as in init_from=runs/mine/best"
    )
    assert not (tmp_path / "run" / "state.pt").exists()
