"""The network of each task, by the task's name; it imports no task."""

from collections.abc import Callable
from typing import Any

from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.model.classifier import build_classifier, build_classifier_shapes
from nmt.model.language_model import build_language_model, build_language_model_shapes
from nmt.model.seq2seq import build_model, build_shapes
from nmt.model.tagger import build_tagger, build_tagger_shapes
from nmt.model.words import WordSizes
from nmt.text.vocabulary import Vocabulary, subwords_of
from nmt.text.words import ClassVocabulary, LabelVocabulary, WordVocabulary

_OfWords = tuple[type[LabelVocabulary] | type[ClassVocabulary], Callable[..., Any], Callable[..., Any]]
_OF_WORDS: dict[TaskName, _OfWords] = {
    TaskName.labelling: (LabelVocabulary, build_tagger, build_tagger_shapes),
    TaskName.classification: (ClassVocabulary, build_classifier, build_classifier_shapes),
}
"""Of a task whose lines are words: the vocabulary of its labels, and what builds its network, and its shapes alone."""


def build_network(
    task: TaskName, config: ModelConfig, source: Vocabulary, target: Vocabulary, *, shapes_only: bool = False
) -> Any:
    """Build the network of a task, such as a `Seq2Seq`, with its first weights, or without values.

    Args:
        task: what it is for.
        config: what it is made of.
        source: vocabulary of what it reads.
        target: vocabulary of what it writes.
        shapes_only: leave the parameters without values.

    Raises:
        ConfigError: the configuration or the vocabularies are not for such a network.
    """
    if task is TaskName.generation:
        make = build_language_model_shapes if shapes_only else build_language_model
        return make(config, vocabulary=target.vocabulary_size)
    if task in _OF_WORDS:
        labels, build, build_shapes_only = _OF_WORDS[task]
        if not (isinstance(source, WordVocabulary) and isinstance(target, labels)):
            raise ConfigError(f"a model of task={task} needs a vocabulary of words and one of labels")
        sizes = WordSizes(source.first_word, source.words, source.rare, len(target.labels))
        return (build_shapes_only if shapes_only else build)(config, sizes)
    build_translator: Callable[..., Any] = build_shapes if shapes_only else build_model
    if config.pointer and subwords_of(source).digest != subwords_of(target).digest:
        raise ConfigError("a model with model.pointer=true needs one subword model for both sides")
    return build_translator(
        config,
        source_vocabulary=source.vocabulary_size,
        target_vocabulary=target.vocabulary_size,
        languages=subwords_of(source).language_ids,
        # Marks of protected spans are symbols too: each comes once, while attention may rest on it for longer.
        first_word=subwords_of(source).mark_ids.stop,
    )
