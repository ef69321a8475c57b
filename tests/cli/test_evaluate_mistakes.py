"""nmt-evaluate used wrongly: one line that says what to do, before anything is translated."""

import os

import pytest

from nmt.cli.evaluate import main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "three"], "there is nothing to score: give a MODEL with --source FILE, or --hypotheses FILE"),
        (["MODEL", "--reference", "three"], "there is nothing to translate: give the source text with --source FILE"),
        (["MODEL"], "the following arguments are required: --reference; see nmt-evaluate --help"),
        (
            ["MODEL", "--hypotheses", "two", "--reference", "three"],
            "a model and --hypotheses exclude each other: score one of them",
        ),
        (
            ["--hypotheses", "three", "--reference", "three", "--output", "new"],
            "--output needs a MODEL: --hypotheses are translated already",
        ),
        (
            ["--hypotheses", "two", "--reference", "three"],
            "two has 2 lines and three has 3: they need the same number, blank ones included",
        ),
        (
            ["MODEL", "--source", "two", "--reference", "three"],
            "two has 2 lines and three has 3: they need the same number, blank ones included",
        ),
        (["--hypotheses", "empty", "--reference", "empty"], "empty is empty; name references with text"),
        (
            ["--hypotheses", "three", "--reference", "blank"],
            "blank is blank in all its 3 lines; name references with text",
        ),
        (
            ["nowhere", "--source", "three", "--reference", "blank"],
            "blank is blank in all its 3 lines; name references with text",
        ),
        (
            ["--hypotheses", "nowhere", "--reference", "three"],
            "nowhere: cannot be read (No such file or directory); check the file",
        ),
        (
            ["--hypotheses", "latin", "--reference", "three"],
            "latin: line 2 is not UTF-8 (byte 0xe9 at column 4); convert the file, for example with "
            "iconv -f LATIN1 -t UTF-8",
        ),
        (
            ["MODEL", "--source", "three", "--reference", "three", "--output", "no/where"],
            "--output no/where: there is no directory no; make it first",
        ),
        (
            ["MODEL", "--source", "three", "--reference", "three", "--output", "three"],
            "--output three is the file of --source: name another one",
        ),
        (
            ["MODEL", "--source", "three", "--reference", "three", "--output", "."],
            "--output . is not a regular file: name one",
        ),
        (
            ["nowhere", "--source", "three", "--reference", "three"],
            "nowhere does not exist; name a directory that nmt-train made, such as runs/demo/best",
        ),
        (
            ["--hypotheses", "three", "--reference", "three", "--beam-size", "x"],
            "argument --beam-size: invalid int value: 'x'; see nmt-evaluate --help",
        ),
    ],
)
def test_wrong_use_is_one_line(options, message, bundle_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two").write_text("a\nb\n")
    (tmp_path / "three").write_text("a\n\nb")
    (tmp_path / "empty").write_text("")
    (tmp_path / "blank").write_text("\n \n\n")
    (tmp_path / "latin").write_bytes(b"a\ncaf\xe9\nb\n")
    assert main([str(bundle_path) if word == "MODEL" else word for word in options]) == 2
    assert capsys.readouterr() == ("", f"nmt-evaluate: error: {message}\n")


@pytest.mark.parametrize("option", ["--source", "--reference", "--hypotheses"])
def test_a_file_that_is_no_text_is_named(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three").write_text("a\nb\nc\n")
    (tmp_path / "wrong").write_bytes("Ein Hund läuft.\n".encode("utf-16"))
    model = ["nowhere"] if option == "--source" else []
    other = "--hypotheses" if option == "--reference" else "--reference"
    assert main([*model, option, "wrong", other, "three"]) == 2
    assert capsys.readouterr().err == (
        "nmt-evaluate: error: wrong is UTF-16 text (little-endian), not UTF-8; "
        "convert it with iconv -f UTF-16LE -t UTF-8\n"
    )


def test_where_translations_cannot_be_kept_is_told_before_they_are_made(tmp_path, monkeypatch, capsys):
    (tmp_path / "three").write_text("a\n\nb", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # as for a user who is not root
    assert main(["nowhere", "--source", "three", "--reference", "three", "--output", "out"]) == 2
    assert capsys.readouterr().err == "nmt-evaluate: error: --output out: . cannot be written; name a file elsewhere\n"


def test_an_unknown_tokenizer_is_told_of_before_anything_is_translated(tmp_path, capsys):
    assert main(["nowhere", "--source", "a", "--reference", "b", "--tokenize", "13b"]) == 2
    assert capsys.readouterr().err.startswith(
        "nmt-evaluate: error: there is no BLEU tokenizer '13b': take one of 13a, "
    )
