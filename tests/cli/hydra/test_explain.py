"""Settings files of one's own: what is wrong with them is said with their names."""

import pytest

from nmt.cli.hydra.train import main

FIRST = "# @package _global_\n"
OWN = "corpus: {train: nowhere, source: en, target: de}\n"


@pytest.fixture
def mine(tmp_path, monkeypatch, capsys):
    """A function that runs nmt-train with experiment=mine of this text: the message of its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NMT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "settings" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)

    def run(text, *words):
        file.write_text(text, encoding="utf-8")
        assert main(["-cd", "settings", "experiment=mine", *words]) == 2
        printed = capsys.readouterr()
        (line,) = printed.err.splitlines()
        assert printed.out == ""
        return line.removeprefix("nmt-train: error: ")

    return run


@pytest.mark.parametrize(
    "head",
    [
        "",
        "# my settings\n",
        "# my settings\n# @package _global_\n",  # Hydra reads the header only where it comes first
        "# @package global\n",
        "#@package _global\n",
    ],
)
@pytest.mark.parametrize("presets", ["", "defaults:\n  - override /model: tiny\n"])
def test_a_settings_file_without_its_first_line_is_named(mine, head, presets):
    assert mine(head + presets + OWN) == (
        "settings/experiment/mine.yaml: its first line must be '# @package _global_', above everything else"
    )


@pytest.mark.parametrize("head", [FIRST, "\n" + FIRST, "#@package  _global_\n"])
def test_with_its_first_line_the_file_is_taken(mine, head):
    assert mine(head + OWN).startswith("corpus.train=nowhere: there is no file nowhere.en")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {dropout: 0.1}\n", "unknown key modle; did you mean model?"),
        ("model: {drop: 0.1}\n", "unknown key model.drop; did you mean model.dropout?"),
        (
            "trainer: {sampled_words: 1024}\n",
            "trainer.sampled_words is gone: sampled softmax was given up, and the loss looks at all words; "
            "leave it out",
        ),
        ("optimizer: {lr: fast}\n", "optimizer.lr=fast is not possible: it must be a number"),
        (
            "corpus: {extra: data/back}\n",
            "corpus.extra must be a list of texts, as in corpus.extra=[data/one,data/two]",
        ),
    ],
)
def test_any_other_mistake_in_a_file_is_told_with_its_name(mine, text, message):
    assert mine(FIRST + text) == f"settings/experiment/mine.yaml: {message}"


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(mine):
    assert mine(FIRST + OWN, "optimizer.lr=fast") == "optimizer.lr=fast is not possible: it must be a number"


def test_the_choices_of_ones_own_are_listed_too(mine):
    assert mine(FIRST + OWN, "experiment=mien") == (
        "there is no experiment=mien; did you mean experiment=mine? available are 3am_zh_en, demo, "
        "demo_classification, demo_generation, demo_labelling, lines_pos_en, mine, multi30k_en_de, multi30k_en_fr, "
        "multi30k_generation, tatoeba_zh_en, trec_questions, weibo_ner"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "corpus: [a\n",
            "line 3, column 1: expected ',' or ']', but got '<stream end>'; a settings file is written in YAML",
        ),
        (
            "corpus:\n\ttrain: a\n",
            "line 3, column 1: found character '\\t' that cannot start any token; a settings file is written in YAML",
        ),
        ("seed: 1\nseed: 2\n", "line 3, column 1: found duplicate key seed; a settings file is written in YAML"),
        (
            "name: \x01\n",
            "it has a character that YAML does not allow (special characters are not allowed); take it out",
        ),
        (
            "model: {cell: 日本}\n",
            "model.cell=日本 is not possible: it must be one of lstm, lstm_peephole, gru, gru_original, rnn, ssru",
        ),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_named_with_the_place(mine, tmp_path, text, message):
    file = "settings/experiment/mine.yaml"
    assert mine(FIRST + text).removeprefix(f"{tmp_path}/") == f"{file}: {message}"


def test_a_settings_file_that_cannot_be_taken_is_one_line(mine):
    assert mine(FIRST + "defaults: 3\n") == (
        "experiment/mine.yaml: defaults must be a list, as in defaults: [override /model: tiny]"
    )
    assert mine(FIRST + "seed: &a [*a]\n") == (
        "a settings file has a value inside itself (&name and *name); write it out"
    )
    assert mine(FIRST + OWN + "name: ${name}\n") == (
        "name=${name} is not possible: it refers to itself; name another key"
    )


def test_a_settings_file_in_another_encoding_is_named(mine, tmp_path, capsys):
    mine(FIRST + OWN)
    (tmp_path / "settings" / "experiment" / "mine.yaml").write_bytes((FIRST + "name: é\n").encode("latin-1"))
    assert main(["-cd", "settings", "experiment=mine"]) == 2
    assert capsys.readouterr().err == (
        "nmt-train: error: settings/experiment/mine.yaml is not UTF-8; save it as UTF-8\n"
    )


def test_a_settings_file_may_have_any_name(mine, tmp_path, capsys):
    mine(FIRST + OWN)
    for name in ("实验", "a b"):
        (tmp_path / "settings" / "experiment" / "mine.yaml").replace(
            tmp_path / "settings" / "experiment" / f"{name}.yaml"
        )
        assert main(["-cd", "settings", f"experiment={name}"]) == 2
        assert "corpus.train=nowhere: there is no file nowhere.en" in capsys.readouterr().err
        mine(FIRST + OWN)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIRST + OWN + f"seed: {'9' * 5000}\n", []),
        (FIRST + OWN, [f"seed={'9' * 5000}"]),
        (FIRST + OWN, [f"optimizer.lr={'9' * 400}"]),
    ],
    ids=["file", "word", "float"],
)
def test_a_number_of_more_digits_than_python_reads(mine, text, words):
    assert mine(text, *words) == "a setting has a number of more digits than any key takes; write a smaller one"


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("subwords.byte_fallback", "true or false"),
        ("trainer.max_updates", "a whole number"),
        ("optimizer.lr", "a number"),
    ],
)
def test_nothing_is_no_value(mine, key, allowed):
    assert mine(FIRST + OWN, f"{key}=null") == f"{key}=null is not possible: it must be {allowed}"


@pytest.mark.parametrize("group", ["model", "search", "experiment"])
def test_nothing_is_no_choice(mine, group):
    groups = "corpus, subwords, augmentation, model, objective, optimizer, trainer, search, experiment"
    told = f"null is no choice of a group ({groups}); name one, as in model=small"
    assert mine(FIRST + OWN, f"{group}=null") == told


def test_a_list_is_no_text(mine):
    assert mine(FIRST + OWN + "subwords: {model: [1, [2]]}\n") == (
        "settings/experiment/mine.yaml: subwords.model is not possible: it must be text"
    )


def test_a_value_that_is_said_to_be_missing(mine):
    assert mine(FIRST + OWN, "corpus.source=???") == (
        "??? stands for a value of source that is missing; write the value"
    )
