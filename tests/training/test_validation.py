from types import SimpleNamespace

import pytest
import torch

from nmt.config.search import SearchConfig
from nmt.config.train import TrainConfig
from nmt.corpus.reader import ParallelText
from nmt.evaluation.metrics import Score
from nmt.tasks.task import Metric
from nmt.training.parallel import Processes
from nmt.training.validation import validate

TEXT = ParallelText(["One.", "Two."], ["Eins.", "Zwei."])


def found(bundle, task, config=None, processes=None):
    return validate(task, bundle, TEXT, config=config or TrainConfig(), processes=processes or Processes())


class Echo:
    """A task whose model says what it is told, and of whose text a position costs one nat."""

    greedy_search = "greedy"
    metrics = (Metric("same", "same"),)

    def __init__(self):
        self.searches, self.modes = [], []

    def reference_loss(self, bundle, text, *, batch_size):
        return float(len(text.source)), len(text.source)

    def outputs(self, bundle, lines, *, search):
        self.searches.append(search)
        self.modes.append(bundle.model.training)
        return list(lines)

    def scores(self, outputs, text, *, language):
        return [Score("same", float(outputs == text.source), language)]


@pytest.fixture
def bundle():
    return SimpleNamespace(model=torch.nn.Linear(1, 1), target_language="de")


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_in_validation_and_as_before_after_it(bundle, training):
    bundle.model.train(training)
    task = Echo()
    result = found(bundle, task)
    assert (result.scores, result.how, result.outputs) == ({"same": Score("same", 1.0, "de")}, "greedy", TEXT.source)
    assert result.value(Echo.metrics[0]) == 1.0
    assert result.perplexity == pytest.approx(2.718281828)
    assert task.modes == [False]
    assert bundle.model.training is training

    def failing(*_, **__):
        raise MemoryError

    task.outputs = failing
    with pytest.raises(MemoryError):
        found(bundle, task)
    assert bundle.model.training is training


def test_validation_is_greedy_and_else_as_configured(bundle):
    config = TrainConfig(search=SearchConfig(beam_size=5, length_penalty=0.6, max_length_ratio=1.5, no_repeat_ngram=3))
    config.trainer.valid_batch_size = 7
    task = Echo()
    found(bundle, task, config)
    others = {"length_penalty": 0.6, "max_length_ratio": 1.5, "no_repeat_ngram": 3}
    assert task.searches == [SearchConfig(beam_size=1, batch_size=7, **others)]


def test_every_process_does_its_share_and_has_the_whole_result(bundle):
    # The second process of two; the first one says the same of its line.
    processes = SimpleNamespace(
        share=lambda items: items[1::2],
        join_shares=lambda share: ["One.", *share],
        gather=lambda sums: [(3.0, 1), sums],
    )
    result = found(bundle, Echo(), processes=processes)
    assert (result.outputs, result.scores["same"].value) == (TEXT.source, 1.0)
    assert result.perplexity == pytest.approx(2.718281828**2)
