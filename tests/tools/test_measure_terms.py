"""tools/measure_terms.py: which terms it takes, and what it counts."""

import pytest

from nmt.bundle.weights import save_bundle
from nmt.text.terms import Term, Terms

SOURCE = ["the small house stands", "the house is old", "a river is old", "the small river", "a goat is here"] * 4
TARGET = [
    "das kleine Haus steht",
    "das Haus ist alt",
    "ein Fluss ist alt",
    "der kleine Fluss",
    "eine Geiß ist hier",
] * 4


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("measure_terms")


def test_terms_are_the_rarest_nouns_that_are_aligned(tool):
    test = ["the goat is old", "a small house"], ["die Geiß ist alt", "ein kleines Haus"]
    found = tool.rare_nouns((SOURCE, TARGET), test, 2)
    assert found == [Term("goat", ("Geiß",)), Term("house", ("Haus",))]
    assert tool.rare_nouns((SOURCE, TARGET), test, 1) == found[:1]


def test_terms_are_counted_where_they_are_whole_words(tool):
    terms = Terms([Term("goat", ("Geiß", "Geißen")), Term("house", ("Haus",))])
    translations = ["Geißen und Geiß", "eine Hausgeiß", "x"]
    assert tool.written(terms, ["a goat", "a goat, a house", "no"], translations) == (1, 3)


def test_a_model_is_measured_with_and_without_terms(tool, make_bundle, tmp_path, capsys):
    save_bundle(make_bundle(), tmp_path / "bundle")
    for name, source, target in (("train", SOURCE, TARGET), ("test", SOURCE[:5], TARGET[:5])):
        (tmp_path / f"{name}.en").write_text("\n".join(source) + "\n", encoding="utf-8")
        (tmp_path / f"{name}.de").write_text("\n".join(target) + "\n", encoding="utf-8")
    words = ["--train", str(tmp_path / "train"), "--test", str(tmp_path / "test"), "--terms", "2"]
    assert tool.main([str(tmp_path / "bundle"), *words]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[2:5]] == ["none", "soft", "hard"]
    assert [row[:2] for row in rows[5:]] == [rows[5][:2]] * 2
    assert tool.main([str(tmp_path / "bundle"), *words[:-1], "x"]) == 2
