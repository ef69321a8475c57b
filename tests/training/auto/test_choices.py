"""What auto chooses, with a speed that a test makes up."""

import itertools
import math

import pytest

from nmt.config.choices import AttentionKind, SubwordKind, Tying
from nmt.config.schema import differing, flatten, to_dict, with_keys
from nmt.config.train import CorpusConfig, TrainConfig
from nmt.training.auto import table
from nmt.training.auto.choices import KEYS, consistent, settle
from nmt.training.auto.facts import TextFacts
from nmt.training.auto.table import ROWS

LATIN = "abcdefghijklmnopqrstuvwxyzäé"


def facts_of(distinct, **changes):
    sizes = {"source_characters": 60.0, "target_characters": 60.0}
    shared = {"shared_letters": 0.8, "shared_words": 0.3, "source_letters": LATIN[:26], "target_letters": LATIN[2:]}
    return TextFacts(**({"pairs": distinct, "distinct": distinct, "epoch_pairs": distinct} | sizes | shared | changes))


def config_of(**changes):
    config = TrainConfig(corpus=CorpusConfig(train="data/train", source="en", target="de"))
    return with_keys(config, {key.replace("__", "."): value for key, value in changes.items()})


def settled(facts, *, pairs_per_second=100.0, fixed=(), **changes):
    """Settle; keys that are given are fixed, as those that a user sets."""
    tried = []

    def speed(config, lengths):
        tried.append(config.model.embedding_size)
        return pairs_per_second

    fixed = {*fixed, *(key.replace("__", ".") for key in changes)}
    result = settle(config_of(**changes), facts, fixed=fixed, speed=speed)
    return result, tried


def values(result):
    return {choice.key: choice.value for choice in result.choices}


SIZES = [0, 1, 50, 999, 3000, 14_000, 29_000, 100_000, 553_871, 10**8]
SPEEDS = [0.0, 0.01, 10.0, 1e3, 1e5]


@pytest.mark.parametrize("size", SIZES)
def test_any_text_at_any_speed_has_a_training(size):
    for speed, minutes in itertools.product(SPEEDS, [None, 0.01, 90.0]):
        changes = {} if minutes is None else {"trainer__max_minutes": minutes}
        result, tried = settled(facts_of(size), pairs_per_second=speed, **changes)
        result.config.validate()
        assert result.config == with_keys(config_of(**changes), values(result))
        assert {choice.key for choice in result.choices} <= KEYS - {key.replace("__", ".") for key in changes}
        assert len(values(result)) == len(result.choices)
        assert len(tried) <= 3
        assert result.config.optimizer.warmup_updates <= max(row.warmup for row in ROWS)


@pytest.mark.parametrize("size", [50, 3000, 29_000, 553_871])
def test_faster_machines_have_no_smaller_model_and_no_less_dropout(size):
    found = [settled(facts_of(size), pairs_per_second=10.0**power)[0].config for power in range(-2, 6)]
    for slower, faster in itertools.pairwise(found):
        assert slower.model.decoder_hidden_size <= faster.model.decoder_hidden_size
        assert slower.model.dropout <= faster.model.dropout
        assert slower.subwords.sampling_alpha <= faster.subwords.sampling_alpha
    assert found[0].model.dropout < found[-1].model.dropout


def test_passes_are_minutes_times_speed_by_pairs():
    result, _ = settled(facts_of(1000), pairs_per_second=16.0, trainer__max_minutes=10.0)
    assert result.passes == pytest.approx(600 * 0.85 * 16 / 1000)
    row = next(row for row in table.rows_for(1000) if row.passes <= result.passes)
    assert result.config.model.dropout == row.dropout
    # 60 characters are 1 + 60 / 2.8 subwords of 1,000, and a tenth is padding
    updates = result.passes * 1000 * (1 + 60 / 2.8) * 1.1 / result.config.trainer.batch_tokens
    assert result.config.trainer.validate_every == max(50, math.ceil(round(updates) / 5))
    assert result.config.optimizer.warmup_updates == min(row.warmup, round(round(updates) * 0.1)) > 20


def test_a_trial_on_a_busy_machine_does_not_make_it_validate_all_the_time():
    guessed, _ = settled(facts_of(553_871), pairs_per_second=1.0, trainer__max_minutes=2.0)
    assert (guessed.config.trainer.validate_every, guessed.config.optimizer.warmup_updates) == (50, 20)
    known, _ = settled(facts_of(553_871), trainer__max_updates=19)
    assert (known.config.trainer.validate_every, known.config.optimizer.warmup_updates) == (19, 2)


def test_what_the_user_set_stays_whatever_it_is():
    odd = {
        "subwords__vocabulary_size": 333,
        "subwords__joint": False,
        "model__tying": Tying.none,
        "model__embedding_size": 77,
        "model__dropout": 0.01,
        "trainer__batch_tokens": 123,
        "trainer__max_minutes": 3.0,
        "trainer__max_epochs": 2,
        "trainer__patience": 0,
        "optimizer__lr": 0.5,
        "optimizer__warmup_updates": 7,
        "corpus__deduplicate": False,
    }
    result, _ = settled(facts_of(29_000), **odd)
    found = flatten(to_dict(result.config))
    assert all(found[key.replace("__", ".")] == value for key, value in odd.items())
    assert not {key.replace("__", ".") for key in odd} & values(result).keys()
    assert differing(result.config, config_of(**odd)) <= values(result).keys()


@pytest.mark.parametrize("size", [50, 29_000, 553_871])
@pytest.mark.parametrize("limits", [{"trainer__max_updates": 500}, {"trainer__max_epochs": 3}])
def test_without_minutes_nothing_is_tried(size, limits):
    result, tried = settled(facts_of(size), **limits)
    assert tried == []
    assert result.config.trainer.max_minutes == 0
    if "trainer__max_updates" in limits:
        trainer = result.config.trainer
        assert (trainer.max_updates, trainer.max_epochs, trainer.validate_every) == (500, 0, 50)
        assert result.config.optimizer.warmup_updates <= 50
    else:
        assert (result.config.trainer.max_epochs, result.config.trainer.max_updates) == (3, table.NO_LIMIT)
        assert result.passes == 3


def test_updates_and_epochs_decide_the_row_as_minutes_do():
    few, many = (settled(facts_of(29_000), trainer__max_epochs=passes)[0].config for passes in (2, 30))
    assert few.model.dropout < many.model.dropout
    less, more = (settled(facts_of(29_000), trainer__max_updates=updates)[0].config for updates in (300, 30_000))
    assert less.model.dropout < more.model.dropout


def test_nobody_said_how_long():
    result, _ = settled(facts_of(3000))
    assert "trainer.max_minutes=60: nobody said how long training may take" in map(str, result.choices)
    said, _ = settled(facts_of(3000), trainer__max_minutes=5.0)
    assert "trainer.max_minutes" not in values(said)
    assert said.config.trainer.max_epochs == table.rows_for(3000)[0].most_passes


def test_a_trial_is_made_only_where_a_choice_depends_on_it():
    most = KEYS - {"corpus.deduplicate", "trainer.max_epochs", "trainer.max_updates"}
    result, tried = settled(facts_of(29_000), fixed=most, trainer__max_minutes=5.0)
    assert (tried, math.isnan(result.passes)) == ([], True)
    assert values(result).keys() == KEYS - most
    _, tried = settled(facts_of(29_000), fixed=most - {"trainer.validate_every"}, trainer__max_minutes=5.0)
    assert len(tried) == 1
    sizes = {f"model.{key}" for key in table.MODELS["tiny"]} | {"subwords.vocabulary_size", "model.lexicon_size"}
    _, tried = settled(facts_of(29_000), fixed=sizes)
    assert len(tried) == 1  # rows that differ in dropout and batch have one speed


def test_a_model_that_is_larger_than_one_too_slow_is_not_tried():
    _, tried = settled(facts_of(553_871), pairs_per_second=10.0)
    assert tried == [128]
    _, tried = settled(facts_of(553_871), pairs_per_second=500.0)
    assert tried == [128, 256]


@pytest.mark.parametrize(
    ("facts", "changes", "joint", "tying"),
    [
        ({}, {}, True, Tying.all),
        ({"shared_letters": 0.02}, {}, False, Tying.target),
        ({"shared_words": 0.01}, {}, False, Tying.target),
        ({"shared_letters": 0.02}, {"model__tying": Tying.all}, True, Tying.all),
        ({"shared_letters": 0.02}, {"augmentation__reversed_pairs": 1.0}, True, Tying.all),
        ({"shared_letters": 0.02}, {"model__pointer": True}, True, Tying.all),
        ({}, {"subwords__joint": False}, False, Tying.target),
        ({"shared_letters": 0.02}, {"subwords__joint": True}, True, Tying.all),
        ({}, {"subwords__source_model": "a", "subwords__target_model": "b"}, True, Tying.target),
        ({"shared_letters": 0.02}, {"subwords__model": "a"}, True, Tying.all),
    ],
)
def test_sides_that_have_letters_and_words_in_common_share_a_vocabulary(facts, changes, joint, tying):
    config = settled(facts_of(3000, **facts), trainer__max_epochs=5, **changes)[0].config
    assert (config.subwords.joint, config.model.tying) == (joint, tying)
    config.validate()


def test_a_script_of_many_letters_has_room_in_the_vocabulary():
    letters = ["".join(chr(first + i) for i in range(2000)) for first in (0x4E00, 0xAC00)]
    chinese = {"source_letters": letters[0], "source_unspaced": 1.0, "shared_letters": 0.0, "trainer__max_epochs": 5}
    changes = {key: chinese.pop(key) for key in ["trainer__max_epochs"]}
    config = settled(facts_of(3000, **chinese), **changes)[0].config
    assert 3000 <= config.subwords.vocabulary_size <= 4000
    joint = settled(facts_of(3000, **chinese | {"target_letters": letters[1]}), subwords__joint=True, **changes)[
        0
    ].config
    assert joint.subwords.vocabulary_size >= config.subwords.vocabulary_size + 3000
    bytes_too = settled(facts_of(3000, **chinese), subwords__byte_fallback=True, **changes)[0].config
    assert bytes_too.subwords.vocabulary_size >= config.subwords.vocabulary_size + 200


def shared_by(*pairs, shared_letters=0.8):
    """Whether text in these pairs has one vocabulary, of how many times its row's subwords, and why."""
    changes = {"corpus__pairs": list(pairs), "corpus__source": "", "corpus__target": "", "trainer__max_epochs": 5}
    result = settled(facts_of(14_000, shared_letters=shared_letters), **changes)[0]
    result.config.validate()
    row = next(row for row in table.rows_for(14_000) if row.passes <= 5)
    config, reason = result.config, next(each.reason for each in result.choices if each.key == "subwords.joint")
    return config.subwords.joint, round(config.subwords.vocabulary_size / row.vocabulary, 2), reason


def test_further_languages_have_room_in_the_vocabulary():
    assert table.FURTHER_LANGUAGE == 0.1
    assert shared_by("es-gn")[:2] == (True, 1.0)
    assert shared_by("es-gn", "es-shp", "es-cni")[:2] == (True, 1.2)
    assert shared_by("es-gn", "es-shp", "es-cni", shared_letters=0.1)[:2] == (False, 1.2)
    assert shared_by("es-gn", "pt-gn", shared_letters=0.1)[:2] == (False, 1.1)
    # Both sides have the same languages, whatever these share.
    assert shared_by("ja-en", "en-ja", shared_letters=0.0) == (True, 1.0, "both sides have text in ja, en")


def test_other_segmentations_are_neither_sampled_nor_given_a_size():
    most = max(row.passes for row in ROWS if row.sampling)
    bpe = settled(facts_of(29_000), trainer__max_epochs=int(most), subwords__kind=SubwordKind.bpe)[0]
    assert bpe.config.subwords.sampling_alpha == 0
    assert "subwords.sampled_sides" not in values(bpe)
    char = settled(facts_of(29_000), trainer__max_epochs=3, subwords__kind=SubwordKind.char)[0]
    assert "subwords.vocabulary_size" not in values(char)


def test_a_small_text_has_small_batches_and_few_updates_between_validations():
    config = settled(facts_of(50), pairs_per_second=1000.0)[0].config
    assert config.trainer.batch_tokens == max(table.LEAST_BATCH, 10 * math.ceil(50 * (1 + 60 / 2.35) / 160))
    assert config.trainer.max_epochs == ROWS[0].most_passes
    assert settled(facts_of(1))[0].config.trainer.batch_tokens == table.LEAST_BATCH


def test_a_model_that_is_wider_than_the_tables_has_a_lower_rate():
    sizes = {f"model__{key}": size for key, size in table.MODELS["base"].items()}
    wide = settled(facts_of(29_000), trainer__max_epochs=30, **sizes)[0].config
    assert wide.optimizer.lr == table.rows_for(29_000)[0].lr / 2
    narrow = settled(facts_of(29_000), trainer__max_epochs=30, model__decoder_hidden_size=64)[0].config
    assert narrow.optimizer.lr == table.rows_for(29_000)[0].lr


def test_a_model_without_attention_has_no_lexicon():
    config = config_of(model__attention=AttentionKind.none, model__lexicon_size=20)
    assert consistent(config, {"model.attention"}).model.lexicon_size == 0
    assert consistent(config, {"model.attention", "model.lexicon_size"}).model.lexicon_size == 20
    result, _ = settled(facts_of(3000), model__attention=AttentionKind.none, trainer__max_epochs=9)
    assert "model.lexicon_size=0: with model.attention=none there is none" in map(str, result.choices)


def test_what_keys_exclude_is_known_without_text():
    assert consistent(config_of(), set()).model.tying is Tying.all
    assert consistent(config_of(subwords__joint=False), {"subwords.joint"}).model.tying is Tying.target
    both = config_of(subwords__joint=False, model__tying=Tying.all)
    assert consistent(both, {"subwords.joint", "model.tying"}) == both


def test_reasons_are_told():
    facts = facts_of(29_000, pairs=40_460)
    lines = [str(choice) for choice in settled(facts, trainer__max_minutes=2.0, pairs_per_second=1500)[0].choices]
    assert lines[0] == "corpus.deduplicate=true: 11,460 pairs stand there before; each counts once"
    assert "subwords.joint=true: the sides share 80% of their letters, 30% of their words" in lines
    assert "model.dropout=0.3: 29,000 different pairs, about 5.3 passes" in lines
    assert all(len(line) < 110 for line in lines)


def test_pairs_of_long_sentences_are_more_text():
    wide = table.rows_for(20_000)[0]
    for characters, distinct, row in ((60.0, 14_500, table.rows_for(14_500)[0]), (130.0, 14_500, wide)):
        facts = facts_of(distinct, source_characters=60.0, target_characters=characters)
        result, _ = settled(facts, pairs_per_second=1e5, trainer__max_minutes=30.0)
        assert values(result)["subwords.vocabulary_size"] == row.vocabulary
        assert result.config.model.encoder_layers == table.MODELS[row.model]["encoder_layers"]
    # 130 characters are 1 + 130 / 3.25 = 41 subwords of 2,000.
    told = {each.key: each.reason for each in result.choices}["model.dropout"]
    assert told.startswith("14,500 different pairs, as much text as 29,725 of usual length, about ")
    short, _ = settled(facts_of(14_500, source_characters=20.0, target_characters=20.0), pairs_per_second=1e5)
    assert values(short)["subwords.vocabulary_size"] == table.rows_for(14_500)[0].vocabulary
