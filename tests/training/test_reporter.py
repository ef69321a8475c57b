from nmt.config.trainer import TrainerConfig
from nmt.runs.progress import Progress
from nmt.tasks.translation import TRANSLATION
from nmt.training.position import Position, Sums
from nmt.training.reporter import Reporter


def test_the_best_score_is_shown_once_there_is_one(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "show", lambda self, update, **values: shown.append(values["score"]))
    reporter = Reporter(TrainerConfig(), tmp_path, task=TRANSLATION, update=0)
    numbers = {"learning_rate": 0.1, "gradient_norm": 1.0, "planned_updates": 9}
    reporter.update(Position(update=1), Sums(), **numbers)
    reporter.update(Position(update=2, best_update=1, best_score=31.44), Sums(), **numbers)
    reporter.close()
    assert shown == ["BLEU -", "BLEU 31.4"]
