"""nmt translate-file: a document beside the document, written whole or not at all."""

import sys

import pytest

from nmt.cli import translate_file

PAGE = "<h1>The <b>old</b> river</h1>\n<p translate='no'>Many trees</p>\n<p>A small house.\nIt is red {x}.</p>\n"


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    return path


@pytest.fixture
def command(translate_here, bundle_path):
    """A function that runs the command with the small bundle."""
    return lambda *words: translate_here(bundle_path, *words, main=translate_file.main)


def test_a_document_is_translated_beside_itself(command, page, tmp_path):
    found = command(page)
    assert (found.code, found.out, found.err) == (0, b"", "")
    text = (tmp_path / "page.de.html").read_text(encoding="utf-8")
    assert "\n<p translate='no'>Many trees</p>\n<p>" in text
    assert text.startswith("<h1>")
    assert all(text.count(part) == 1 for part in ("<b>", "</b>", "</h1>", "{x}"))
    assert page.read_text(encoding="utf-8") == PAGE
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.de.html", "page.html"]


def test_nothing_is_overwritten_unasked(command, page, tmp_path):
    (tmp_path / "page.de.html").write_text("mine")
    for words in ((), ("--output", tmp_path / "page.de.html"), ("--output", page)):
        found = command(page, *words)
        assert found.code == 2
        assert found.err.endswith(" exists: name another --output, or say --overwrite\n")
    assert (tmp_path / "page.de.html").read_text() == "mine"
    assert command(page, "--overwrite", "--no-split-sentences").code == 0
    assert (tmp_path / "page.de.html").read_text(encoding="utf-8").startswith("<h1>")


def test_messages_of_a_catalogue_and_its_file_in_place(command, tmp_path):
    path = tmp_path / "de.po"
    path.write_text('msgid "The old <b>river</b>"\nmsgstr ""\n\nmsgid "red"\nmsgstr "rot"\n', encoding="utf-8")
    assert command(path, "--output", path, "--overwrite").code == 0
    text = path.read_text(encoding="utf-8")
    assert "<b>" in text
    assert "</b>" in text
    assert 'msgstr "rot"' in text
    assert 'msgstr ""' not in text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "a.doc",
            "x",
            "a.doc is of no format that is known: .txt, .html, .htm, .po, .xliff, .xlf, .srt; rename it, or",
        ),
        ("a.xlf", "<xliff>", "a.xlf is no whole xlf file ("),
        ("none.txt", None, "none.txt: No such file or directory"),
    ],
)
def test_what_cannot_be_translated_is_one_line(command, tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    found = command(path)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert f"nmt translate-file: error: {tmp_path}/{told}" in found.err
    assert {each.name for each in tmp_path.iterdir()} <= {name}


def test_a_missing_library_is_named_with_what_to_install(command, tmp_path, monkeypatch):
    path = tmp_path / "a.po"
    path.write_text('msgid "a"\nmsgstr ""\n')
    monkeypatch.delitem(sys.modules, "nmt.documents.gettext", raising=False)
    monkeypatch.setitem(sys.modules, "polib", None)
    found = command(path)
    assert found.code == 2
    assert found.err == (
        "nmt translate-file: error: polib is not installed: pip install polib, or, in nmt's own directory, "
        "pip install '.[files]' for all this command needs\n"
    )
