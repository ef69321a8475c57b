"""The configuration: what is missing or impossible is refused in one line that names the key."""

import dataclasses
import math

import pytest

from nmt.cli.hydra.keys import leaves, list_keys
from nmt.config.choices import AttentionKind, Tying
from nmt.config.model import ModelConfig
from nmt.config.schema import ranges
from nmt.config.train import CorpusConfig, TrainConfig
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


MESSAGES = [
    ("corpus.max_source_tokens", 0, "between 1 and 1000000"),
    ("corpus.max_length_ratio", math.inf, "between 1 and 1000000"),
    ("corpus.weights", [1.0, 1e-300], "numbers between 0.001 and 1000"),
    ("corpus.weights", [1001.0, 1.0], "numbers between 0.001 and 1000"),
    ("corpus.tags", [16, 0], "whole numbers between 0 and 15, or -1"),
    ("corpus.tags", [-2, 0], "whole numbers between 0 and 15, or -1"),
    ("subwords.vocabulary_size", 2147483648, "between 32 and 1000000"),
    ("subwords.character_coverage", 0.97, "between 0.98 and 1, or 0"),
    ("model.embedding_size", 10**20 - 1, "between 1 and 65536"),
    ("model.lexicon_size", 10**20 - 1, "between 0 and 1000"),
    ("model.dropout", 1.0, "0 or more and below 1"),
    ("optimizer.lr", 0.0, "above 0, at most 1000"),
    ("optimizer.lr", math.nan, "above 0, at most 1000"),
    ("trainer.max_unknown_rate", 1.1, "above 0, at most 1"),
    ("trainer.threads", 1025, "between 0 and 1024"),
    ("search.beam_size", 1001, "between 1 and 1000"),
    ("search.source_tag", -2, "between 0 and 15, or -1"),
    ("seed", 2**63, "between 0 and 9223372036854775807"),
    ("trainer.patience", 2.5, "a whole number"),
    ("trainer.patience", True, "a whole number"),
    ("optimizer.lr", "fast", "a number"),
    ("corpus.tags", [0.5, 1], "whole numbers between 0 and 15, or -1"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), MESSAGES)
def test_a_value_out_of_range_is_named_with_what_is_allowed(key, value, allowed):
    config = possible(corpus__extra=["data/more"], **{key.replace(".", "__"): value})
    assert refusal(config) == f"{key}={value} is not possible: it must be {allowed}"


GROUPS = [
    (item.name, item.default_factory)
    for item in dataclasses.fields(TrainConfig)
    if dataclasses.is_dataclass(item.default_factory)
]
RANGES = {
    f"{prefix}{name}": allowed
    for prefix, kind in (("", TrainConfig), *((f"{name}.", kind) for name, kind in GROUPS))
    for name, allowed in ranges(kind).items()
}


def test_every_number_has_a_range():
    """A number whose range nobody checks fails deep inside."""
    numbers = {leaf.key for leaf in leaves() if type(leaf.default) in (int, float) or leaf.element in (int, float)}
    assert numbers == set(RANGES)


@pytest.mark.parametrize("key", RANGES)
def test_a_number_at_its_limits_is_allowed_and_one_beyond_is_not(key):
    allowed, is_list = RANGES[key], key in list_keys()
    default = next(leaf.default for leaf in leaves() if leaf.key == key)
    whole = leaf_type(key) is int

    def refused(value):
        values = [value] if is_list else value
        config = possible(**{key.replace(".", "__"): values})
        if key == "model.attention_size":
            config.model.attention = AttentionKind.additive
        try:
            config.validate()
        except ConfigError as error:
            return str(error) == f"{key}={values} is not possible: it must be {prefix}{allowed}"
        return False

    prefix = ("whole numbers " if whole else "numbers ") if is_list else ""
    assert is_list or default in allowed
    step = 1 if whole else 1e-6
    for limit, beyond, open_end in ((allowed.least, -step, allowed.above), (allowed.most, step, allowed.below)):
        assert refused(limit) == open_end
        outside = limit + beyond * max(1, abs(limit))
        assert refused(outside) == (outside != allowed.also)
    for never in (-(10**30), 10**30) if whole else (-1e30, 1e30, math.inf, -math.inf, math.nan):
        assert refused(never)
    if allowed.also is not None:
        assert not refused(int(allowed.also) if whole else float(allowed.also))


def leaf_type(key):
    leaf = next(leaf for leaf in leaves() if leaf.key == key)
    return leaf.element or type(leaf.default)


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


def test_a_pointer_needs_one_subword_model_and_attention():
    expected = (
        "model.pointer=true needs one subword model for both sides: use subwords.joint=true, or model.pointer=false"
    )
    two = {"model__tying": Tying.target, "model__pointer": True}
    assert refusal(possible(subwords__joint=False, **two)) == expected
    assert refusal(possible(subwords__source_model="a", subwords__target_model="b", **two)) == expected
    possible(subwords__joint=False, subwords__model="m", **two).validate()
    assert refusal(possible(model__pointer=True, model__attention=AttentionKind.none)) == (
        "model.pointer=true is not possible with model.attention=none: the pointer copies what attention looks at; "
        "set model.pointer=false, or another model.attention"
    )
    possible(**two).validate()


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


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "=['a', 'b', 'a'] is not possible: give different names, 16 at most"),
        (
            [f"t{i}" for i in range(17)],
            f"={[f't{i}' for i in range(17)]} is not possible: give different names, 16 at most",
        ),
        (["3"], " has '3': a name is a word, and no number; choose another"),
        (["-1"], " has '-1': a name is a word, and no number; choose another"),
        (["a\n"], " has 'a\\n': a name is a word, and no number; choose another"),
    ],
)
def test_names_of_tags_are_words(names, message):
    with pytest.raises(ConfigError) as error:
        possible(corpus__tag_names=names).validate()
    assert str(error.value) == f"corpus.tag_names{message}"
    possible(corpus__tag_names=["formal", "", "in formal", "", "höflich"]).validate()
