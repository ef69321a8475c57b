import json
import math

from nmt.config.train import TrainerConfig
from nmt.runs.log import ProgressBar
from nmt.tasks.translation import TRANSLATION
from nmt.training.reporter import Reporter
from nmt.training.state import Position, Sums


def test_loss_speed_time_left_and_the_best_score_once_there_is_one_are_shown(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(ProgressBar, "show", lambda self, update, **values: shown.append(values["state"]))
    reporter = Reporter(TrainerConfig(), tmp_path, task=TRANSLATION, update=0)
    numbers = {"learning_rate": 0.1, "gradient_norm": 1.0, "planned_updates": 9}
    sums = Sums(smoothed=25.0, target_tokens=10, began=1.0)
    reporter.update(Position(update=1, seconds=6.0), sums, **numbers)
    reporter.update(Position(update=2, seconds=11.0, best_update=1, best_score=31.44), sums, **numbers)
    reporter.close()
    assert shown == [
        "loss 2.50, 2 tokens/s, chrF2 -, 0:48 left",
        "loss 2.50, 1 tokens/s, chrF2 31.4, 0:38 left",
    ]


def test_the_mean_reward_of_a_pair_stands_beside_the_loss_where_there_is_one(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(ProgressBar, "show", lambda self, update, **values: shown.append(values["state"]))
    reporter = Reporter(TrainerConfig(log_every=1), tmp_path, task=TRANSLATION, update=0, has_reward=True)
    sums = Sums(smoothed=25.0, negative_log_likelihood=math.nan, target_tokens=10, reward=1.3, pairs=4, began=1.0)
    reporter.update(Position(update=1, seconds=6.0), sums, learning_rate=0.1, gradient_norm=1.0, planned_updates=9)
    reporter.close()
    assert shown == ["loss 2.50, reward 0.325, 2 tokens/s, chrF2 -, 0:48 left"]
    line = json.loads((tmp_path / "metrics.jsonl").read_text(encoding="utf-8"))
    assert (line["reward"], line["loss"], line["perplexity"]) == (0.325, 2.5, None)
