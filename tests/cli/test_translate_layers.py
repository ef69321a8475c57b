"""--split-sentences and --markup: the same from Python, and one line of output for each line of input."""

import pytest

import nmt
from nmt.errors import ConfigError

LINES = [
    "The old river {x}. A small  house.",
    "",
    "<p>Many <b>green</b> trees<br>grow.</p> <p>Red & old</p>",
    "<x/>",
    " \t",
]


def test_lines_in_parts_are_the_same_from_python(translate_here, bundle_path):
    for layers, words in (
        (["sentences"], ("--split-sentences",)),
        (["html"], ("--markup", "html")),
        (["tags", "sentences"], ("--markup", "tags", "--split-sentences")),
    ):
        translator = nmt.load(bundle_path, layers=layers)
        texts = [each.text for each in translator.translate(LINES)]
        found = translate_here(bundle_path, *words, "--quiet", text="\n".join(LINES) + "\n")
        assert (found.code, found.err) == (0, "")
        assert found.lines[:-1] == texts
        if layers != ["sentences"]:
            assert [texts[2].count(tag) for tag in ("<p>", "<b>", "</b>", "<br>", "</p>")] == [2, 1, 1, 1, 2]
            assert texts[3:] == ["<x/>", " \t"]


@pytest.mark.parametrize("layers", ["html", ["html", "tags"], ["xml"], ["sentences", "markup"]])
def test_layers_that_there_are_not_are_refused(bundle_path, layers):
    with pytest.raises(ConfigError, match=r"layers=.* is not possible: give a list of sentences, and one of html and"):
        nmt.load(bundle_path, layers=layers)


def test_sentences_are_translated_as_if_each_had_its_line(translate_here, bundle_path):
    first, second = "The old river {x}.", "A small house."
    apart = translate_here(bundle_path, text=f"{first}\n{second}\n").lines
    found = translate_here(bundle_path, "--split-sentences", text=f"{first}   {second}\n").lines
    assert found == [f"{apart[0]}   {apart[1]}", ""]


def test_an_unknown_markup_is_refused(translate_here, bundle_path):
    found = translate_here(bundle_path, "--markup", "xml")
    assert found.code == 2
    assert "invalid choice: 'xml'" in found.err
