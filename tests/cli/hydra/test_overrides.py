"""What stands between the command line and Hydra: values arrive as typed, and words that are none are told."""

import dataclasses

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nmt.cli.hydra.keys import known_keys
from nmt.cli.hydra.overrides import quote_overrides, split_words
from nmt.config.model import ModelConfig
from nmt.config.train import TrainConfig
from nmt.errors import ConfigError

TYPED = [
    "data/train",
    "données/mes phrases=1",
    "a,b",
    "数据/训练",
    "it's",
    'the "big" one',
    "'' \"\"",
    "C:\\Daten\\Text",
    "C:\\Eigene Dateien\\",
    "two\\\\",
    "\\'",
    "\\\\' \\\\",
    "a\\'b\\",
    "[1,2]",
    "{a: b}",
    "x # y",
    "50%",
    "~/mine",
    "$HOME",
    "a:b c",
    "(1)",
    "*",
    "",
    "1.10",
    "007",
    "1e3",
    "1_000",
    "null",
    "True",
    "nan",
    "-inf",
    "no",
]


@pytest.mark.parametrize("value", TYPED)
def test_text_arrives_in_hydra_as_it_was_typed(value):
    (word,) = quote_overrides([f"corpus.train={value}"], multirun=False)
    read = OverridesParser.create().parse_override(word).value()
    assert type(read) is str or hasattr(read, "text")
    assert str(read) == value


@pytest.mark.parametrize(
    "word",
    [
        "corpus.train=data/train",  # nothing to quote
        "corpus.train='données 1'",  # quoted already
        'corpus.train="données 1"',
        "run_dir=runs/${name}/a b",  # refers to another key
        "run_dir=${oc.env:HOME}/x",
        "optimizer.lr=1e-3",  # a number
        "model.cell=gru",  # a word of a list
        "subwords.joint=false",
        "experiment=demo",  # a group
        "trainer.max_updates=1,2",
        "nonsense",
        "~corpus.valid",
    ],
)
def test_everything_else_stays_as_it_is(word):
    assert quote_overrides([word], multirun=False) == [word]


def test_a_sweep_keeps_its_commas():
    words = ["corpus.train=a,b", "corpus.valid=mes phrases", "seed=1,2"]
    assert quote_overrides(words, multirun=True) == ["corpus.train=a,b", "corpus.valid='mes phrases'", "seed=1,2"]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("corpus.source=日本,de", "corpus.source='日本',de"),
        ("corpus.train='a,b',données", "corpus.train='a,b','données'"),
        ("experiment=demo,实验", "experiment=demo,'实验'"),
        ("corpus.source=日本,", "corpus.source='日本',"),  # for Hydra to refuse
        ("corpus.source=choice(fr,de)", "corpus.source=choice(fr,de)"),
        ("optimizer.lr=1,٣", "optimizer.lr=1,٣"),
    ],
)
def test_the_texts_of_a_sweep_are_quoted_one_by_one(word, quoted):
    assert quote_overrides([word], multirun=True) == [quoted]


def test_a_choice_of_ones_own_may_be_called_anything():
    assert quote_overrides(["experiment=实验", "model=tiny"], multirun=False) == ["experiment='实验'", "model=tiny"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\\${b}", "a${b}"),
        ("a\\${", "a${"),
        ("données \\${b}", "données ${b}"),
        ("données/${name}", "données/run"),
        ("it's ${name}: é", "it's run: é"),
        ("${name}/a b", "run/a b"),
    ],
)
def test_references_work_in_any_text_and_escaped_ones_are_text(value, text):
    (word,) = quote_overrides([f"corpus.train={value}"], multirun=False)
    read = OverridesParser.create().parse_override(word).value()
    config = OmegaConf.create({"name": "run", "train": read if type(read) is str else read.text})
    assert config.train == text


def test_a_bundle_to_start_from_is_text(tmp_path):
    (word,) = quote_overrides([f"init_from={tmp_path}/mes modèles/best"], multirun=False)
    assert OverridesParser.create().parse_override(word).value() == f"{tmp_path}/mes modèles/best"


LISTS = {
    "[data/a]": ["data/a"],
    "[données/a,b c]": ["données/a", "b c"],
    "[ données/a , b c ]": ["données/a", "b c"],
    "['a,b',\"c, d\",e=f]": ["a,b", "c, d", "e=f"],
    "[it's,C:\\mine\\]": ["it's", "C:\\mine\\"],
    "[1.10,null,007,no]": ["1.10", "null", "007", "no"],
    "[a[1],(b)]": ["a[1]", "(b)"],
    "[]": [],
    "[ ]": [],
}


@pytest.mark.parametrize(("value", "elements"), LISTS.items())
@pytest.mark.parametrize("multirun", [False, True])
def test_elements_arrive_in_hydra_as_they_were_typed(value, elements, multirun):
    (word,) = quote_overrides([f"corpus.extra={value}"], multirun=multirun)
    override = OverridesParser.create().parse_override(word)
    assert override.value() == elements
    assert all(type(element) is str for element in override.value())
    assert not override.is_sweep_override()


def test_a_sweep_over_lists_keeps_them_apart():
    (word,) = quote_overrides(["corpus.extra=[a b,c],[é],[]"], multirun=True)
    override = OverridesParser.create().parse_override(word)
    assert list(override.sweep_string_iterator()) == ["['a b',c]", "['é']", "[]"]


def test_known_keys_are_the_leaves_of_the_configuration():
    keys = known_keys()
    assert keys["optimizer.lr"] == TrainConfig().optimizer.lr
    assert keys["seed"] == 1
    assert "model" not in keys
    assert {key for key in keys if key.startswith("model.")} == {
        f"model.{f.name}" for f in dataclasses.fields(ModelConfig)
    }


def test_options_and_settings_may_come_in_any_order():
    words = ["seed=1", "-cd", "my=dir", "--cfg=job", "a=-1", "--resolve", "model=tiny"]
    options = ["-cd", "my=dir", "--cfg", "job", "--resolve"]
    assert split_words(words) == (options, ["seed=1", "a=-1", "model=tiny"])
    assert split_words(["--info", "seed=1"]) == (["--info=all"], ["seed=1"])
    assert split_words(["-i", "defaults-tree", "seed=1"]) == (["-i=defaults-tree"], ["seed=1"])
    assert split_words(["--hydra-help", "seed=1"]) == (["--hydra-help"], [])  # whose configuration has no such key


def test_a_path_of_settings_is_one_of_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert split_words(["-cp", "mine", "--config-path=/else"]) == (
        ["-cp", str(tmp_path / "mine"), "--config-path", "/else"],
        [],
    )
    assert split_words(["-cp", "pkg://nmt.conf"]) == (["-cp", "pkg://nmt.conf"], [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--multrun"], "unknown option --multrun; did you mean --multirun?"),
        (["--epochs=3"], "unknown option --epochs; settings are written KEY=VALUE; see nmt-train --help"),
        (["--cfg", "everything"], "--cfg needs one of job, hydra, all after it; see nmt-train --help"),
        (["seed=1", "-c"], "-c needs one of job, hydra, all after it; see nmt-train --help"),
        (
            ["--info=nope"],
            "--info needs one of all, config, defaults, defaults-tree, plugins, searchpath after it; "
            "see nmt-train --help",
        ),
        (["--resolve"], "--resolve needs --cfg job: it prints the configuration with the values of all ${...}"),
        (["-m", "--resolve"], "--resolve needs --cfg job: it prints the configuration with the values of all ${...}"),
        (["--package", "model"], "--package needs --cfg job: it prints a part of the configuration"),
        (["-p=model", "--info"], "-p needs --cfg job: it prints a part of the configuration"),
        (
            ["-c", "job", "-p", "nope"],
            "-p nope is no part of the configuration: take one of corpus, subwords, augmentation, model, objective, "
            "optimizer, trainer, search",
        ),
        (["--cfg", "job", "-m"], "--cfg and -m exclude each other: take one of them"),
        (["--multirun", "-i"], "-m and --info exclude each other: take one of them"),
        (["--hydra-help", "-c", "all"], "--hydra-help and --cfg exclude each other: take one of them"),
        (
            ["--shell-completion"],
            "-sc needs what to do after it: -sc install=bash, or zsh or fish; uninstall=bash takes it back",
        ),
        (
            ["-sc", "install=cmd"],
            "-sc needs what to do after it: -sc install=bash, or zsh or fish; uninstall=bash takes it back",
        ),
        (["-m=seed"], "-m takes no value; write -m alone"),
        (["--resolve=true"], "--resolve takes no value; write --resolve alone"),
        (["--version=1"], "--version takes no value; write --version alone"),
        (["+=3"], "+=3 is no setting; settings are written KEY=VALUE; see nmt-train --help"),
        (["~"], "~ is no setting; settings are written KEY=VALUE; see nmt-train --help"),
        (["--config-dir="], "--config-dir needs a value after it; see nmt-train --help"),
        (["-cd", "--cfg", "job"], "-cd needs a value after it; see nmt-train --help"),
        (["+sed=1"], "unknown key sed; did you mean seed?"),
        (["--name", "x"], "unknown option --name; settings are written without dashes: name=x"),
        (["--seed=3"], "unknown option --seed; settings are written without dashes: seed=3"),
        (["--lr", "1e-3"], "unknown option --lr; settings are written without dashes: optimizer.lr=1e-3"),
        (["--lr"], "unknown option --lr; settings are written without dashes: optimizer.lr=VALUE"),
        (["-seed", "-m"], "unknown option -seed; settings are written without dashes: seed=VALUE"),
        (["--optimizer.lr=1"], "unknown option --optimizer.lr; settings are written without dashes: optimizer.lr=1"),
        (
            ["--max-updates", "9"],
            "unknown option --max-updates; settings are written without dashes: trainer.max_updates=9",
        ),
        (["--experiment", "demo"], "unknown option --experiment; settings are written without dashes: experiment=demo"),
        (
            ["--batch-size", "seed=1"],
            "unknown option --batch-size; settings are written without dashes: search.batch_size=VALUE",
        ),
        (
            ["--max-source-tokens=9"],
            "unknown option --max-source-tokens; settings are written without dashes: "
            "corpus.max_source_tokens=9 or search.max_source_tokens=9",
        ),
        (["foo", "experiment=demo"], "foo is no setting; settings are written KEY=VALUE; see nmt-train --help"),
        (["experiment=demo", "foo"], "foo is no setting; settings are written KEY=VALUE; see nmt-train --help"),
        (["="], "= is no setting; settings are written KEY=VALUE; see nmt-train --help"),
        (["demo"], "demo is no setting; did you mean experiment=demo or corpus=demo?"),
        (["greedy"], "greedy is no setting; did you mean search=greedy?"),
        (["seed"], "seed has no value; write seed=VALUE"),
        (["search"], "search has no value; write search=CHOICE, where the choices are beam, greedy"),
        (["seed", "=", "2"], "there is a space in 'seed = 2'; write seed=2"),
        (["seed=", "2"], "there is a space in 'seed= 2'; write seed=2"),
        (["seed", "=2"], "there is a space in 'seed =2'; write seed=2"),
        (["-m", "seed", "=", "2,3"], "there is a space in 'seed = 2,3'; write seed=2,3"),
        (["seed = 2"], "there is a space in 'seed = 2'; write seed=2"),
        (
            ["corpus.train=mes", "phrases"],
            "phrases is no setting; if it belongs to the value before it, put quotes around both: "
            "'corpus.train=mes phrases'",
        ),
        (
            ["corpus.extra=[a,", "b]"],
            "b] is no setting; if it belongs to the value before it, put quotes around both: 'corpus.extra=[a, b]'",
        ),
    ],
)
def test_words_that_are_neither_options_nor_settings(words, message):
    with pytest.raises(ConfigError) as caught:
        split_words(words)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "words", [["corpus.valid=", "seed=2"], ["seed=1", "corpus.test="], ["~corpus.valid"], ["name=a=b"]]
)
def test_settings_that_look_odd_and_are_none_the_worse(words):
    assert split_words(words) == ([], words)
