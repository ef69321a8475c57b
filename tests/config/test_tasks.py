"""Every key that a task has no use for exists, and another value of it is refused."""

import dataclasses

import pytest

from nmt.config.choices import TaskName
from nmt.config.schema import flatten, to_dict
from nmt.config.tasks import MEANINGLESS, refuse_meaningless
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError

DEFAULTS = flatten(to_dict(TrainConfig()))
WORDS_ALONE = ("model.pooling", "model.window")


@pytest.mark.parametrize("task", TaskName)
def test_each_key_is_refused_by_its_name(task):
    refuse_meaningless(task, DEFAULTS, DEFAULTS)
    for key in MEANINGLESS[task]:
        with pytest.raises(ConfigError, match=rf"^{key}=other has no meaning with task={task}; leave it out$"):
            refuse_meaningless(task, DEFAULTS | {key: "other"}, DEFAULTS)


@pytest.mark.parametrize("task", [TaskName.translation, TaskName.generation])
@pytest.mark.parametrize("key", WORDS_ALONE)
def test_what_only_models_of_words_have_is_refused_elsewhere(task, key):
    with pytest.raises(ConfigError, match=rf"^{key}="):
        refuse_meaningless(task, DEFAULTS | {key: "other"}, DEFAULTS)


def test_every_option_of_search_is_someones():
    from nmt.cli.option_checks import _TAKES, _WHOSE
    from nmt.config.search import SearchConfig

    assert set(_TAKES) == set(TaskName)
    names = {item.name for item in dataclasses.fields(SearchConfig)}
    for name in names.union(*_TAKES.values()):
        tasks = frozenset(task for task, taken in _TAKES.items() if name in taken)
        assert tasks == set(TaskName) or tasks in _WHOSE, name
