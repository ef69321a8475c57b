"""Which keys have no meaning for a task: a setting that would silently change nothing is refused."""

from dataclasses import fields
from typing import Any

from nmt.config.augmentation import AugmentationConfig
from nmt.config.choices import MetricName, TaskName
from nmt.config.schema import as_typed
from nmt.errors import ConfigError

_OF_PAIRS = tuple(f"augmentation.{item.name}" for item in fields(AugmentationConfig))
"""What only parallel text can have."""
_OF_WORDS = (
    *_OF_PAIRS,
    *("init_from", "corpus.pairs", "corpus.tags", "corpus.tag_names", "corpus.tag_unlike"),
    *("subwords.model", "subwords.source_model", "subwords.inherit", "trainer.choose_search"),
    *("subwords.sampling_alpha", "subwords.byte_fallback", "subwords.marks", "subwords.mark_rate", "objective.kind"),
    "model.pointer",
)
"""What tasks whose lines are words have no use for."""

MEANINGLESS: dict[TaskName, tuple[str, ...]] = {
    TaskName.translation: (
        *("corpus.repair_bio", "corpus.strip_token_digits", "corpus.coarse_labels"),
        *("model.pooling", "model.window"),
    ),
    TaskName.labelling: (*_OF_WORDS, "corpus.coarse_labels", "model.pooling"),
    TaskName.classification: (*_OF_WORDS, "corpus.repair_bio", "corpus.strip_token_digits"),
    TaskName.generation: (
        *("init_from", "corpus.pairs", "corpus.source", "corpus.tags", "corpus.tag_names", "corpus.repair_bio"),
        *("corpus.strip_token_digits", "corpus.coarse_labels", "subwords.joint", "subwords.source_model"),
        *("subwords.marks", "subwords.mark_rate", "subwords.inherit", "objective.kind", *_OF_PAIRS),
        *("corpus.tag_unlike", "trainer.choose_search"),
        *("model.pooling", "model.word_dropout", "model.window", "model.pointer"),
    ),
}
"""The keys of each task that must have their defaults."""


def refuse_meaningless(task: TaskName, values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Compare the keys that have no meaning for a task with their defaults.

    Args:
        task: what is learnt.
        values: of all keys, as `nmt.config.schema.flatten` has them.
        defaults: the same of a configuration in which nothing was chosen.

    Raises:
        ConfigError: one has another value.
    """
    for key in MEANINGLESS[task]:
        if values[key] != defaults[key]:
            raise ConfigError(f"{key}={as_typed(values[key])} has no meaning with task={task}; leave it out")


def require_metric(task: TaskName, metric: MetricName) -> None:
    """Raise ConfigError unless validations of a task have this score."""
    if task is not TaskName.translation and metric in (MetricName.bleu, MetricName.chrf):
        raise ConfigError(
            f"trainer.metric={metric} scores translations, and task is {task}: take auto (the task's own) or perplexity"
        )
