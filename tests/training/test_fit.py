"""When a user is told that a model overfits."""

import math

import pytest

from nmt.training.fit import Fit


def course(pairs):
    """Validate after each interval of training, given as (training, validation) perplexities; list what is told."""
    fit, told = Fit(), []
    for update, (training, validation) in enumerate(pairs, start=1):
        fit.add(60 * math.log(training), 60)
        fit.add(40 * math.log(training), 40)
        told.append(fit.validated(validation, update=100 * update))
    return told


def test_a_rise_for_three_validations_while_training_falls_is_told_once():
    told = course([(60, 100), (50, 90), (40, 95), (30, 99), (20, 120), (10, 140)])
    assert told == ["", "", "", "", told[4], ""]
    assert told[4].startswith(
        "overfitting: validation perplexity rose from 90.00 at update 200 to 120.00, while the training's fell from "
        "50.00 to 20.00; best/ keeps the best weights; "
    )


@pytest.mark.parametrize(
    "pairs",
    [
        [(60, 100), (50, 90), (50, 95), (51, 99), (52, 120)],  # training does not fall: it diverges
        [(60, 100), (50, 90), (40, 90.5), (30, 91), (20, 91.5)],  # a rise within noise
        [(60, 100), (50, 90), (40, 95), (30, 99), (20, 89), (10, 95), (5, 96)],  # a new lowest begins anew
        [(math.nan, 100), (math.nan, 110), (math.nan, 120), (math.nan, 130)],  # the objective knows no likelihood
    ],
)
def test_nothing_is_told_where_nothing_is_learnt_by_heart(pairs):
    assert course(pairs) == [""] * len(pairs)


def test_a_course_that_was_saved_in_between_goes_on():
    first = Fit()
    for update, (training, validation) in enumerate([(60, 90), (40, 95), (30, 99)], start=1):
        first.add(100 * math.log(training), 100)
        assert not first.validated(validation, update=update)
    again = Fit(**vars(first))
    for fit in (first, again):
        fit.add(100 * math.log(20), 100)
    assert again.validated(120, update=4) == first.validated(120, update=4) != ""
