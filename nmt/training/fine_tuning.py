"""Fine-tuning: a run that starts from the weights of a trained bundle, its parent, instead of random ones.

The parent's subwords and the shape of its model come with its weights. Luong & Manning (2015, "Stanford Neural Machine
Translation Systems for Spoken Language Domains") go on with text of another domain, Kocmi & Bojar (2018, "Trivial
Transfer Learning for Low-Resource Neural Machine Translation") even with another language pair.
"""

import dataclasses
from collections.abc import Set
from pathlib import Path
from typing import Any

from nmt.bundle.weights import Bundle, load_bundle
from nmt.config.choices import TaskName, Tying
from nmt.config.model import ModelConfig
from nmt.config.pairs import LanguagePair, parse_pairs, target_languages
from nmt.config.schema import as_typed, changed, to_dict
from nmt.config.train import TrainConfig
from nmt.errors import BundleError, ConfigError
from nmt.runs.log import LOG
from nmt.text.subwords import SubwordModel
from nmt.text.vocabulary import subwords_of

# What the parent settles, each unless the child's user chose it. How subwords are drawn in training is the child's own
# matter. So is the coverage, which has no meaning once there are subwords.
_SETTLED = {
    "model": tuple(item.name for item in dataclasses.fields(ModelConfig)),
    "subwords": ("kind", "vocabulary_size", "joint", "byte_fallback", "normalization"),
    "corpus": ("tag_names",),
}
_CHILDS_OWN = ("dropout", "word_dropout", "tag_names")
"""Of these, what the child's user may choose otherwise."""
_OF_SUBWORDS = ("lexicon_size", "lexicon_epsilon")
"""Of these, what a child with subwords of its own may choose besides: its lexicon is of its own text."""


def inherit_settings(config: TrainConfig, *, chosen: Set[str]) -> tuple[TrainConfig, Bundle]:
    """Load the bundle that ``init_from`` names and fill in what it settles: the model's shape and the subwords.

    With ``subwords.inherit=false`` the subwords are the child's own, see `nmt.training.transfer`.

    Args:
        config: the child's configuration; it is left as it is.
        chosen: keys that the user set, as in ``{"model.dropout"}``; other keys of the model and the subwords silently
            become the parent's. ``model.dropout`` is the user's where it was chosen. ``subwords.vocabulary_size`` may
            be more than the parent has, as it may be more than a text supports.

    Returns:
        The configuration to train with, and the parent.

    Raises:
        BundleError: the parent is missing or damaged.
        ConfigError: a chosen key is not what the parent has, or ``trainer.overwrite`` would throw the parent away.
        SubwordError: a chosen subword model cannot be loaded.
    """
    path = Path(config.init_from).expanduser()
    try:
        parent = load_bundle(path)
    except BundleError as error:
        raise BundleError(f"init_from={config.init_from}: {error}") from None
    if config.trainer.overwrite and path.resolve().is_relative_to(config.directory.resolve()):
        raise ConfigError(
            f"init_from={config.init_from} lies in run_dir={config.run_dir}, which trainer.overwrite=true throws away; "
            "choose another run_dir"
        )
    for task, what in ((config.task, "this run"), (parent.task, "its model")):
        if task is not TaskName.translation:
            raise ConfigError(
                f"init_from={config.init_from}: {what} is of task={task}, and only a translation starts from "
                "a parent; leave init_from out"
            )
    _refuse_conflicts(config, parent, chosen)
    _mention_languages(config, parent)
    return _filled(config, _settled(config, parent), chosen), parent


def restore_inherited(config: TrainConfig, saved: dict[str, Any], *, chosen: Set[str]) -> TrainConfig:
    """Fill in, for a child that goes on, what its parent settled when it began; the parent may be gone by now.

    Args:
        config: the configuration of the resuming command.
        saved: the configuration in the run's state, as plain dicts; nothing is filled in from one without a parent.
        chosen: as for `inherit_settings`; what was chosen stays as it is, for the caller to compare with `saved`.
    """
    return _filled(config, saved, chosen) if config.init_from and saved.get("init_from") else config


def _settled(config: TrainConfig, parent: Bundle) -> dict[str, dict[str, Any]]:
    """Describe the parent in the configuration's words, as far as the child takes it over."""
    source, target = subwords_of(parent.source_subwords), subwords_of(parent.target_subwords)
    subwords = {
        "kind": source.kind,
        "vocabulary_size": max(source.vocabulary_size, target.vocabulary_size),
        "joint": source is target,
        "byte_fallback": source.byte_fallback,
        "normalization": source.normalization,
    }
    named = {tag: name for name, tag in parent.tags.items()}
    names = [named.get(tag, "") for tag in range(max(named, default=-1) + 1)]
    settled = {"model": to_dict(parent.config), "subwords": subwords, "corpus": {"tag_names": names}}
    return settled if config.subwords.inherit else {key: settled[key] for key in ("model", "corpus")}


def _filled(config: TrainConfig, values: dict[str, Any], chosen: Set[str]) -> TrainConfig:
    """Replace what a parent settles, and the user did not choose, by these values."""
    groups = {}
    for name, keys in _SETTLED.items():
        if name == "subwords" and not config.subwords.inherit:
            continue
        inherited = {key: values[name][key] for key in keys if key in values[name] and f"{name}.{key}" not in chosen}
        groups[name] = changed(getattr(config, name), inherited)
    return dataclasses.replace(config, **groups)


def _refuse_conflicts(config: TrainConfig, parent: Bundle, chosen: Set[str]) -> None:
    wanted, has = to_dict(config), _settled(config, parent)
    for model in (wanted["model"], has["model"]):  # zero stands for the embedding size
        model["attentional_size"] = model["attentional_size"] or has["model"]["embedding_size"]
    conflicts = []
    for group, settled in has.items():
        for key, found in settled.items():
            value = wanted[group][key]
            if f"{group}.{key}" in chosen and not _fits(key, value, found, inherits=config.subwords.inherit):
                conflicts.append((f"{group}.{key}={as_typed(value)}", as_typed(found)))
    if conflicts:
        keys, found = zip(*conflicts, strict=True)
        conflict, what = ("conflicts", "it") if len(conflicts) == 1 else ("conflict", "them")
        raise ConfigError(
            f"{', '.join(keys)} {conflict} with init_from={config.init_from}, whose model has {', '.join(found)}; "
            f"leave {what} out"
        )
    if config.subwords.inherit:
        _refuse_other_subwords(config, parent)


def _fits(key: str, value: Any, found: Any, *, inherits: bool) -> bool:
    """Tell whether a child may have a value where its parent has another."""
    if key == "vocabulary_size":
        return bool(value >= found)
    if inherits:
        return value == found or key in _CHILDS_OWN
    # An output matrix has the width of attentional vectors, which one that is tied to embeddings has not.
    one_way = key == "tying" and Tying.none not in (value, found)
    return value == found or one_way or key in _CHILDS_OWN + _OF_SUBWORDS


def _refuse_other_subwords(config: TrainConfig, parent: Bundle) -> None:
    """Compare subword models that were named, which is never done by default, with the parent's."""
    sides = {"model": parent.source_subwords, "source_model": parent.source_subwords}
    for key, own in (sides | {"target_model": parent.target_subwords}).items():
        named = getattr(config.subwords, key)
        if named and SubwordModel.load(Path(named).expanduser()).digest != own.digest:
            raise ConfigError(
                f"subwords.{key}={named} conflicts with init_from={config.init_from}, whose model has other subwords; "
                "leave it out"
            )


def _mention_languages(config: TrainConfig, parent: Bundle) -> None:
    corpus = config.corpus
    if parent.pairs or corpus.pairs:
        if config.subwords.inherit:
            _refuse_other_languages(config, parent)
        now = parse_pairs(corpus.pairs) or (LanguagePair(corpus.source, corpus.target),)
        before = set(parent.pairs or [LanguagePair(parent.source_language, parent.target_language)])
        if more := [str(pair) for pair in now if pair not in before]:
            LOG.warning(f"init_from={config.init_from} was not trained to translate {', '.join(more)}")
        elif before - set(now):
            LOG.info(f"init_from={config.init_from} translates {', '.join(map(str, sorted(before)))}")
        return
    from_to_before, from_to = (parent.source_language, parent.target_language), (corpus.source, corpus.target)
    if from_to_before != from_to:
        change = f"from {from_to_before[0]} to {from_to_before[1]}, this run will from {from_to[0]} to {from_to[1]}"
        LOG.warning(f"init_from={config.init_from} translates {change}")


def _refuse_other_languages(config: TrainConfig, parent: Bundle) -> None:
    """Refuse languages that the parent's subwords have no symbol for: ConfigError."""
    has, pairs = subwords_of(parent.source_subwords).languages, parse_pairs(config.corpus.pairs)
    targets = target_languages(pairs)
    if has and not pairs:
        pair = LanguagePair(config.corpus.source, config.corpus.target)
        raise ConfigError(
            f"init_from={config.init_from} translates into {', '.join(has)}: name the languages with "
            f"corpus.pairs=[{pair}] instead of corpus.source and corpus.target"
        )
    lacking = [target for target in targets if target not in has]
    if lacking and (has or len(targets) > 1):
        parent_targets = f"translates into {', '.join(has)} alone" if has else "has no symbols of target languages"
        raise ConfigError(
            f"corpus.pairs has the target language {lacking[0]}, and init_from={config.init_from} {parent_targets}; "
            "leave that out, or train from scratch"
        )
