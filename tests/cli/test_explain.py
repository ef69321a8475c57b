"""Settings files of one's own: what is wrong with them is said with their names."""

import pytest

from nmt.cli.train import main

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
        "there is no experiment=mien; did you mean experiment=mine? available are 3am_zh_en, demo, mine, "
        "multi30k_en_de, multi30k_en_fr, tatoeba_zh_en"
    )
