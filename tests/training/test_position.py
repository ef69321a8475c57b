"""Which validation is the best so far, whichever way the metric goes."""

import pytest

from nmt.tasks.task import Metric
from nmt.training.state import Position


@pytest.mark.parametrize(
    ("higher_is_better", "best"),
    [(True, [True, True, False, False, True]), (False, [True, False, True, False, False])],
)
def test_the_metric_says_what_is_better_and_an_equal_score_is_not(higher_is_better, best):
    metric, position = Metric("score", "Score", higher_is_better), Position()
    found = []
    for position.update, score in enumerate([-7.0, -5.0, -8.0, -8.0, 3.0], start=1):
        found.append(position.add_validation(score, metric))
        assert position.last_validation == position.update
    assert found == best
    assert position.best_update == max(i + 1 for i in range(5) if best[i])
    assert position.validations_since_best == 5 - position.best_update
    assert position.best_score == (3.0 if higher_is_better else -8.0)
