"""The configuration: what is missing or impossible is refused in one line that names the key."""

import dataclasses
import math

import pytest

from nmt.choices import AttentionKind, Tying
from nmt.config import CorpusConfig, ModelConfig, TrainConfig
from nmt.errors import ConfigError


def possible(**changes):
    """A configuration with all that must be set, and these keys changed: ``model__dropout=0.5``."""
    config = TrainConfig(corpus=CorpusConfig(train="data/train", source="en", target="de"))
    for key, value in changes.items():
        *groups, name = key.split("__")
        group = config
        for part in groups:
            group = getattr(group, part)
        assert hasattr(group, name), key
        setattr(group, name, value)
    return config


def refusal(config):
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert "\n" not in str(caught.value)
    return str(caught.value)


ONE = "1 or more"
NONE = "0 or more"
BELOW_ONE = "0 or more and below 1"
RANGES = [
    *((f"corpus.{key}", 0, ONE) for key in ("max_source_tokens", "max_target_tokens", "valid_pairs")),
    ("corpus.max_length_ratio", 0.9, ONE),
    ("subwords.vocabulary_size", 31, "32 or more"),
    ("subwords.character_coverage", 0.89, "between 0.9 and 1, or 0"),
    ("subwords.character_coverage", 1.01, "between 0.9 and 1, or 0"),
    ("subwords.sampling_alpha", -0.1, "between 0 and 1"),
    ("subwords.sampling_alpha", 1.1, "between 0 and 1"),
    *(
        (f"model.{key}", 0, ONE)
        for key in (
            "embedding_size",
            "encoder_layers",
            "encoder_hidden_size",
            "decoder_layers",
            "decoder_hidden_size",
            "attention_size",
        )
    ),
    ("model.dropout", -0.1, BELOW_ONE),
    ("model.dropout", 1.0, BELOW_ONE),
    *((f"model.{key}", -1, NONE) for key in ("attentional_size", "lexicon_size")),
    ("model.lexicon_epsilon", 0.0, "above 0"),
    ("optimizer.lr", 0.0, "above 0"),
    ("optimizer.warmup_updates", -1, NONE),
    *((f"optimizer.{key}", value, BELOW_ONE) for key in ("beta1", "beta2") for value in (-0.1, 1.0)),
    ("optimizer.epsilon", 0.0, "above 0"),
    ("optimizer.weight_decay", -0.1, NONE),
    ("optimizer.clip_norm", -1.0, NONE),
    *(
        (f"trainer.{key}", 0, ONE)
        for key in ("max_updates", "batch_tokens", "accumulation", "validate_every", "valid_batch_size", "log_every")
    ),
    ("trainer.max_skipped", 0, ONE),
    ("optimizer.skip_norm", -0.1, NONE),
    ("corpus.weights", [0.0], "numbers above 0, at most 1000"),
    ("corpus.weights", [1001.0], "numbers above 0, at most 1000"),
    ("corpus.tags", [16], "whole numbers between 0 and 15, or -1"),
    ("corpus.tags", [-2], "whole numbers between 0 and 15, or -1"),
    ("search.source_tag", -2, "between 0 and 15, or -1"),
    ("search.source_tag", 16, "between 0 and 15, or -1"),
    *((f"trainer.{key}", -1, NONE) for key in ("max_epochs", "max_minutes", "patience", "threads", "sampled_words")),
    *((f"trainer.{key}", value, BELOW_ONE) for key in ("label_smoothing", "ema_decay") for value in (-0.1, 1.0)),
    ("trainer.max_unknown_rate", 0.0, "above 0, at most 1"),
    ("trainer.max_unknown_rate", 1.1, "above 0, at most 1"),
    *((f"search.{key}", 0, ONE) for key in ("beam_size", "max_source_tokens", "batch_size")),
    ("search.length_penalty", -0.1, NONE),
    ("search.max_length_ratio", 0.0, "above 0"),
    ("search.no_repeat_ngram", -1, NONE),
    ("seed", -1, NONE),
    ("seed", 2**63, "below 2^63"),
    *(
        (f"search.{key}", value, f"at most {most}")
        for key, most in (
            ("beam_size", 10_000),
            ("batch_size", 1_000_000),
            ("max_source_tokens", 1_000_000),
            ("length_penalty", 10),
            ("max_length_ratio", 1000),
        )
        for value in (most + 1, math.inf)
    ),
    ("trainer.max_minutes", math.inf, "at most 10000000"),
    ("trainer.threads", 1025, "at most 1024"),
    *((f"optimizer.{key}", math.inf, "a finite number") for key in ("lr", "epsilon", "weight_decay", "clip_norm")),
    ("corpus.max_length_ratio", math.inf, "a finite number"),
    ("model.lexicon_epsilon", math.inf, "a finite number"),
]
LIMITS = [
    ("subwords.character_coverage", 0.9),
    ("subwords.character_coverage", 1.0),
    ("subwords.character_coverage", 0.0),
    ("subwords.vocabulary_size", 32),
    ("subwords.sampling_alpha", 1.0),
    ("corpus.max_length_ratio", 1.0),
    ("model.dropout", 0.0),
    ("model.attentional_size", 256),
    ("optimizer.warmup_updates", 0),
    ("optimizer.clip_norm", 0.0),
    ("trainer.label_smoothing", 0.0),
    ("trainer.ema_decay", 0.0),
    ("trainer.max_unknown_rate", 1.0),
    ("search.length_penalty", 0.0),
    ("search.beam_size", 1),
    ("optimizer.skip_norm", 0.0),
    ("corpus.weights", [1000.0]),
    ("corpus.tags", [15]),
    ("corpus.tags", [-1]),
    ("search.source_tag", 15),
    ("seed", 0),
    ("seed", 2**63 - 1),
    ("search.length_penalty", 10.0),
    ("trainer.threads", 1024),
]


@pytest.mark.parametrize(("key", "value", "allowed"), RANGES)
def test_a_value_out_of_range_is_named_with_what_is_allowed(key, value, allowed):
    config = possible(**{key.replace(".", "__"): value})
    assert refusal(config) == f"{key}={value} is not possible: it must be {allowed}"


@pytest.mark.parametrize(("key", "value"), LIMITS)
def test_the_limits_themselves_are_allowed(key, value):
    possible(**{key.replace(".", "__"): value}).validate()


def test_every_number_has_a_range():
    """A number whose range nobody checks fails deep inside."""
    checked = {key for key, *_ in RANGES}
    numbers = {
        f"{group.name}.{item.name}"
        for group in dataclasses.fields(TrainConfig)
        if dataclasses.is_dataclass(group.default_factory)
        for item in dataclasses.fields(group.default_factory)
        if type(getattr(group.default_factory(), item.name)) in (int, float)
    }
    assert numbers <= checked


def test_text_that_must_be_set():
    assert refusal(possible(corpus__train="")) == (
        "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en"
    )
    for key in ("source", "target"):
        assert refusal(possible(**{f"corpus__{key}": ""})) == (
            f"corpus.{key} is not set: name the {key} language, the suffix of its files, as in corpus.{key}=en"
        )
    assert refusal(possible(run_dir="")) == "run_dir='' is not possible: it must be a directory"


@pytest.mark.parametrize("word", ["True", "False"])
@pytest.mark.parametrize("key", ["source", "target"])
def test_norwegian_read_as_a_truth_value(key, word):
    """YAML 1.1 reads an unquoted no as false, and OmegaConf makes it the text False."""
    assert refusal(possible(**{f"corpus__{key}": word})) == (
        f"corpus.{key} is {word}: YAML reads the words no, off, yes and on as truth values; write {key}: 'no' in quotes"
    )


def test_norwegian_in_quotes_is_a_language():
    possible(corpus__source="no").validate()


def test_two_languages_must_differ():
    assert refusal(possible(corpus__target="en")) == (
        "corpus.source and corpus.target are both 'en': they must name two languages"
    )


def test_subword_models_that_contradict_each_other():
    together = "subwords.source_model and subwords.target_model belong together: set both, or use subwords.model for "
    assert refusal(possible(subwords__source_model="a")) == together + "both sides"
    assert refusal(possible(subwords__target_model="a")) == together + "both sides"
    config = possible(subwords__model="m", subwords__source_model="a", subwords__target_model="b")
    assert refusal(config) == "subwords.model and subwords.source_model are both set: keep one"


def test_dot_attention_needs_equal_sizes():
    wrong = {"model__attention": AttentionKind.dot, "model__encoder_hidden_size": 100}
    assert refusal(possible(**wrong)) == (
        "model.attention=dot needs model.decoder_hidden_size (512) to be twice model.encoder_hidden_size (100); "
        "use attention=general otherwise"
    )
    possible(model__attention=AttentionKind.dot).validate()


def test_tying_all_needs_one_subword_model():
    expected = "model.tying=all needs one subword model for both sides: use subwords.joint=true, or model.tying=target"
    assert refusal(possible(subwords__joint=False)) == expected
    assert refusal(possible(subwords__source_model="a", subwords__target_model="b")) == expected
    possible(subwords__joint=False, subwords__model="m").validate()
    possible(subwords__joint=False, model__tying=Tying.target).validate()


def test_groups_do_not_share_their_defaults():
    one, other = TrainConfig(), TrainConfig()
    one.model.dropout = 0.9
    assert other.model.dropout == ModelConfig().dropout


@pytest.mark.parametrize("key", ["weights", "tags"])
def test_every_corpus_has_its_weight_and_tag_or_none_has(key):
    with pytest.raises(ConfigError) as error:
        possible(corpus__extra=["a", "b"], **{f"corpus__{key}": [1, 2]}).validate()
    assert str(error.value) == (
        f"corpus.{key}=[1, 2] has 2 entries for 3 training texts: give one for corpus.train and one for each of "
        "corpus.extra, or none"
    )
    possible(corpus__extra=["a", "b"], **{f"corpus__{key}": [1, 2, 3]}).validate()
