import pytest

from nmt.config.train import TrainerConfig
from nmt.runs.limits import limit_reached, planned_updates
from nmt.training.state import Position


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position(update=99, epoch=2, seconds=299.9, validations_since_best=3), ""),
        (Position(update=100), "trainer.max_updates=100 reached"),
        (Position(epoch=3), "trainer.max_epochs=3 reached"),
        (Position(seconds=300.0), "trainer.max_minutes=5 reached"),
        (Position(validations_since_best=4), "no better BLEU in trainer.patience=4 validations"),
    ],
)
def test_whichever_limit_is_reached_is_named(position, reason):
    limits = TrainerConfig(max_updates=100, max_epochs=3, max_minutes=5.0, patience=4)
    assert limit_reached(limits, position, metric="BLEU") == reason


def test_a_limit_of_zero_is_none():
    limits = TrainerConfig(max_updates=1000, max_epochs=0, max_minutes=0.0, patience=0)
    position = Position(update=999, epoch=10**6, seconds=1e9, validations_since_best=10**6)
    assert limit_reached(limits, position) == ""
    assert planned_updates(limits, position, updates_per_epoch=0.001) == 1000


@pytest.mark.parametrize(
    ("max_updates", "max_epochs", "max_minutes", "planned"),
    [
        (1000, 0, 0.0, 1000),
        (1000, 4, 0.0, 50),
        (30, 4, 0.0, 30),
        (1000, 4, 0.5, 10),  # ten updates took half a minute
        (1000, 0, 1.0, 20),
        (1000, 1, 10.0, 12),  # 12.4 batches an epoch
    ],
)
def test_a_run_is_planned_to_the_limit_that_comes_first(max_updates, max_epochs, max_minutes, planned):
    limits = TrainerConfig(max_updates=max_updates, max_epochs=max_epochs, max_minutes=max_minutes)
    position = Position(update=10, seconds=30.0)
    assert planned_updates(limits, position, updates_per_epoch=12.4) == planned


def test_minutes_plan_nothing_before_the_first_update():
    limits = TrainerConfig(max_updates=1000, max_minutes=1.0)
    assert planned_updates(limits, Position(), updates_per_epoch=12.0) == 1000
