"""The network of each task, by the task's name; it imports no task."""

from typing import Any

from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.errors import ConfigError
from nmt.model.language_model import build_language_model, build_language_model_shapes
from nmt.model.seq2seq import build_model, build_shapes
from nmt.model.tagger import TaggerSizes, build_tagger, build_tagger_shapes
from nmt.text.vocabulary import Vocabulary
from nmt.text.words import LabelVocabulary, WordVocabulary


def build_network(
    task: TaskName, config: ModelConfig, source: Vocabulary, target: Vocabulary, *, shapes_only: bool = False
) -> Any:
    """Build a `Seq2Seq`, a `Tagger` or a `LanguageModel` with its first weights, or without values.

    Args:
        task: what it is for.
        config: what it is made of.
        source: vocabulary of what it reads.
        target: vocabulary of what it writes.
        shapes_only: leave the parameters without values.

    Raises:
        ConfigError: the configuration or the vocabularies are not for such a network.
    """
    if task is TaskName.labelling:
        if not (isinstance(source, WordVocabulary) and isinstance(target, LabelVocabulary)):
            raise ConfigError("a model of task=labelling needs a vocabulary of words and one of labels")
        sizes = TaggerSizes(source.first_word, source.words, source.rare, len(target.labels))
        return (build_tagger_shapes if shapes_only else build_tagger)(config, sizes)
    if task is TaskName.generation:
        make = build_language_model_shapes if shapes_only else build_language_model
        return make(config, vocabulary=target.vocabulary_size)
    build = build_shapes if shapes_only else build_model
    return build(config, source_vocabulary=source.vocabulary_size, target_vocabulary=target.vocabulary_size)
