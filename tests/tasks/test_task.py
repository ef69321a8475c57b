import pytest

from nmt.config.choices import MetricName, TaskName
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.errors import ConfigError
from nmt.tasks.labelling import LABELLING
from nmt.tasks.task import PERPLEXITY, Side
from nmt.tasks.translation import TRANSLATION


def test_a_task_reads_the_files_of_its_sides():
    corpus = CorpusConfig(source="en", target="de")
    assert TRANSLATION.languages(corpus) == {"source": "en", "target": "de"}

    class OneSided(type(TRANSLATION)):
        sides = (Side("target"),)

    assert OneSided().languages(corpus) == {"target": "de"}


def test_translation_takes_the_higher_chrf_for_the_better():
    metric = TRANSLATION.deciding("auto")
    assert (metric, metric.name) == (TRANSLATION.metric, "chrf")
    assert metric.is_better(2.0, 1.0)
    assert not metric.is_better(1.0, 1.0)


@pytest.mark.parametrize(("name", "is_better"), [("bleu", True), ("chrf", True), ("perplexity", False)])
def test_another_metric_may_decide(name, is_better):
    metric = TRANSLATION.deciding(name)
    assert metric.name == name
    assert metric.is_better(2.0, 1.0) is is_better


def test_a_metric_of_another_task_is_refused_with_those_that_there_are():
    assert LABELLING.deciding("auto").name == "f1"
    assert LABELLING.deciding("perplexity") is PERPLEXITY
    with pytest.raises(ConfigError, match=r"there is no trainer\.metric=bleu here: take one of auto, f1, acc"):
        LABELLING.deciding("bleu")


@pytest.mark.parametrize("metric", [MetricName.bleu, MetricName.chrf])
def test_a_score_of_translations_is_refused_for_other_tasks(metric):
    config = TrainConfig(task=TaskName.labelling)
    config.corpus.train, config.trainer.metric = "x", metric
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert str(caught.value) == (
        f"trainer.metric={metric} scores translations, and task is labelling: take auto (the task's own) or perplexity"
    )
