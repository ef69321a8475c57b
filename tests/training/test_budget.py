"""A learning rate that comes down to zero when the minutes are over, whatever the machine's pace, or the epochs."""

import signal

import pytest

from nmt.config.choices import Schedule
from nmt.training.trainer import Trainer

MINUTES = {"trainer__max_updates": 1000, "trainer__max_minutes": 4.0, "trainer__log_every": 1}


@pytest.fixture
def rates(metrics):
    """Read the learning rate of every update, as a share of the peak."""

    def read(run_dir):
        return [line["learning_rate"] / 5e-3 for line in metrics(run_dir, "train")]

    return read


@pytest.mark.parametrize("schedule", [Schedule.linear, Schedule.cosine])
def test_at_a_steady_pace_minutes_are_as_good_as_updates(make_config, train, saved, same, fake_clock, schedule):
    updates = train(make_config("updates", optimizer__schedule=schedule))
    minutes = train(make_config("minutes", optimizer__schedule=schedule, **MINUTES))
    one, other = saved(updates), saved(minutes)
    assert one["position"].pop("finished") == "trainer.max_updates=24 reached"
    assert other["position"].pop("finished") == "trainer.max_minutes=4 reached"
    assert same(one, other)


def test_a_machine_that_slows_down_gets_there_in_fewer_updates(make_config, train, rates, fake_clock):
    fake_clock.pace = lambda update: 10.0 if update <= 10 else 28.0
    found = rates(train(make_config(**MINUTES)))
    # Ten updates of ten seconds each: the eleventh still expects to be one of 24. It is the first of five that take 28
    # seconds each, and after it 240 * 11 / 128 = 20.6 updates are planned, then 18.5, 16.96 and 15.85.
    falling = [(6, 24), (7, 24), (8, 24), (9, 24), (10, 24), (11, 24), (12, 21), (13, 18), (14, 17), (15, 16)]
    assert found == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 1.0, *(1 - (update - 5) / (planned - 4) for update, planned in falling)]
    )


def test_the_first_of_both_limits_counts(make_config, train, saved, same, fake_clock):
    alone = train(make_config("alone"))
    both = train(make_config("both", trainer__max_minutes=5.0))
    assert same(saved(alone), saved(both))


def test_a_schedule_that_does_not_end_takes_no_notice_of_minutes(make_config, train, rates, fake_clock):
    config = make_config(optimizer__schedule=Schedule.inverse_sqrt, **MINUTES)
    found = rates(train(config))
    assert found[5:] == pytest.approx([(5 / update) ** 0.5 for update in range(6, 25)])


def test_a_run_that_goes_on_falls_towards_its_new_end(make_config, train, rates, fake_clock):
    config = make_config(**MINUTES)
    train(config)
    assert rates(config.run_dir)[-1] == pytest.approx(1 / 20)
    config.trainer.max_minutes = 5.0
    train(config)
    # Thirty updates in all: the 25th is the twentieth of twenty-five that lead from the peak to zero.
    assert rates(config.run_dir)[24:] == pytest.approx([left / 26 for left in (6, 5, 4, 3, 2, 1)])


def test_a_resumed_run_plans_as_the_uninterrupted_one(make_config, train, saved, same, fake_clock, monkeypatch):
    whole = train(make_config("whole", **MINUTES))
    config = make_config("resumed", **MINUTES)
    with monkeypatch.context() as patch:
        patch.setattr("nmt.training.trainer.Trainer._log", lambda self, *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            train(config)
    fake_clock.seconds += 86400  # a day off
    resumed = train(config)
    assert same(saved(whole)["model"], saved(resumed)["model"])


EPOCHS = {"trainer__max_updates": 1000, "trainer__max_epochs": 3, "trainer__log_every": 1}


def test_epochs_end_at_a_learning_rate_of_zero(make_config, train, rates):
    found = rates(train(make_config(**EPOCHS)))
    updates = len(found)
    assert 30 < updates < 60
    # In the first epoch their number is an estimate.
    assert found[5:] == pytest.approx([1 - (update - 5) / (updates - 4) for update in range(6, updates + 1)], abs=1 / 8)
    assert found[-1] == pytest.approx(1 / (updates - 4), rel=0.5)


@pytest.mark.parametrize("stopped", [7, 20])
def test_a_run_that_was_stopped_amidst_an_epoch_plans_as_the_uninterrupted_one(
    make_config, train, saved, same, rates, monkeypatch, stopped
):
    whole = train(make_config("whole", **EPOCHS))
    config = make_config("resumed", **EPOCHS)
    log = Trainer._log

    def stopping(self, *rest):
        log(self, *rest)
        if self.position.update == stopped:  # seen by the next update
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_log", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    position = saved(config.run_dir)["position"]
    assert position["update"] == stopped + 1
    assert position["batch"] > 0 < position["pairs"]
    resumed = train(config)
    assert rates(resumed) == rates(whole)
    assert same(saved(whole)["model"], saved(resumed)["model"])
