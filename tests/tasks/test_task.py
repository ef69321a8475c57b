from nmt.config.train import CorpusConfig
from nmt.tasks.task import Side
from nmt.tasks.translation import TRANSLATION


def test_a_task_reads_the_files_of_its_sides():
    corpus = CorpusConfig(source="en", target="de")
    assert TRANSLATION.languages(corpus) == {"source": "en", "target": "de"}

    class OneSided(type(TRANSLATION)):
        sides = (Side("target"),)

    assert OneSided().languages(corpus) == {"target": "de"}


def test_translation_takes_the_higher_bleu_for_the_better():
    assert TRANSLATION.metric.name == "bleu"
    assert TRANSLATION.metric.is_better(2.0, 1.0)
    assert not TRANSLATION.metric.is_better(1.0, 1.0)
