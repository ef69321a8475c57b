"""Settings of augmentation that cannot be are refused in one line."""

import pytest

from nmt.config.choices import Tying
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError


def config(tags=(), joint=True, pairs=(), **settings):
    made = TrainConfig()
    made.corpus.train, made.corpus.pairs = "a", list(pairs)
    made.corpus.source, made.corpus.target = ("", "") if pairs else ("en", "de")
    made.corpus.tags, made.subwords.joint = list(tags), joint
    made.model.tying = Tying.target
    for key, value in settings.items():
        setattr(made.augmentation, key, value)
    return made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (config(typos=1.5), "augmentation.typos=1.5 is not possible: it must be between 0 and 1"),
        (
            config(reversed_words=0.5, replaced_words=0.6),
            "augmentation.reversed_words + augmentation.replaced_words + augmentation.monotone_words is 1.1: a pair "
            "has one of these tasks at most; lower them to 1 or less",
        ),
        (
            config(reversed_pairs=1.0, joint=False),
            "augmentation.reversed_pairs=1 needs one subword model for both sides: use subwords.joint=true, or "
            "augmentation.reversed_pairs=0",
        ),
        (
            config(reversed_pairs=1.0, tags=[15]),
            "corpus.tags has 15, the control symbol of augmentation.reversed_pairs; choose another tag",
        ),
        (
            config(reversed_pairs=1.0, pairs=["es-gn"]),
            "augmentation.reversed_pairs=1 is for one language pair: name the other directions in corpus.pairs, as in "
            "corpus.pairs=[es-gn,gn-es], and leave it out",
        ),
        (
            config(replaced_words=0.1, tags=[13]),
            "corpus.tags has 13, the control symbol of augmentation.replaced_words; choose another tag",
        ),
    ],
)
def test_what_cannot_be_is_refused(made, message):
    with pytest.raises(ConfigError) as caught:
        made.validate()
    assert str(caught.value) == message


def test_tags_of_tasks_that_are_off_are_free():
    config(tags=[15], reversed_words=0.5).validate()
    config(tags=[14], reversed_pairs=1.0).validate()
