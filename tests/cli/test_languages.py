"""The commands with a model of several languages: --to, --from and the key "to"."""

import json

import pytest

import nmt
from nmt.bundle.ensemble import load_all
from nmt.bundle.weights import save_bundle
from nmt.cli import evaluate, score, translate_file
from nmt.config.schema import changed
from nmt.errors import ConfigError
from nmt.export.variant import export
from nmt.translation.request import Request

LINES = ["a small red house", "the old river", "near the old house"]
TEXT = "".join(f"{line}\n" for line in LINES)


@pytest.fixture(scope="module")
def path(make_bundle_of_languages, tmp_path_factory):
    path = tmp_path_factory.mktemp("languages") / "best"
    save_bundle(make_bundle_of_languages(), path)
    export(path, "fp32")
    return path


def test_the_target_language_is_named_once_or_for_each_line(translate_here, path, nmt_translate):
    guarani, shipibo = (translate_here(path, "--to", to, text=TEXT) for to in ("gn", "shp"))
    assert guarani.code == shipibo.code == 0
    assert guarani.out != shipibo.out
    assert [each.text for each in nmt.load(path, to="gn").translate(LINES)] == guarani.lines[:-1]
    assert nmt.load(path).translate([Request(LINES[0], to="shp")])[0].text == shipibo.lines[0]
    asked = [{"text": LINES[0], "to": "shp"}, {"text": LINES[1]}, {"text": LINES[2], "to": "shp"}]
    text = "".join(f"{json.dumps(each)}\n" for each in asked)
    mixed = [shipibo.lines[0], guarani.lines[1], shipibo.lines[2], ""]
    for words in ((), ("--workers", 2)):
        command = nmt_translate if words else translate_here
        assert command(path, "--to", "gn", "--input-format", "jsonl", *words, text=text).lines == mixed


def test_what_names_no_language_is_one_line_with_the_list(translate_here, path):
    found = translate_here(path, text=TEXT)
    named = "translates into gn, shp, es: name the target language with --to"
    assert (found.code, found.err) == (2, f"nmt-translate: error: {path} {named}\n")
    found = translate_here(path, "--to", "fr", text=TEXT)
    unknown = "does not translate into fr: take one of gn, shp, es"
    assert (found.code, found.err) == (2, f"nmt-translate: error: {path} {unknown}\n")
    lines = '{"text": "a", "to": "gn"}\n{"text": "a"}\n{"text": "a", "to": "fr"}\n'
    found = translate_here(path, "--input-format", "jsonl", text=lines)
    assert (found.code, len(found.lines)) == (2, 2)  # what is before it is translated
    missing = f"line 2: {path} translates into gn, shp, es: name the target language with 'to', or --to"
    assert found.err.endswith(f"nmt-translate: error: {missing}\n")
    found = translate_here(path, "--input-format", "jsonl", "--to", "es", text=lines)
    assert found.err.endswith(f"nmt-translate: error: line 3: {path} {unknown}\n")
    found = translate_here(path, "--input-format", "jsonl", text='{"text": "a", "to": 3}\n')
    assert found.err == "nmt-translate: error: line 1: 'to' is 3: it must be a text\n"


def test_a_direction_that_was_never_trained_is_warned_of_once(translate_here, path):
    found = translate_here(path, "--to", "gn", "--from", "shp", text=TEXT)
    told = f"warning: {path} was never trained to translate shp-gn, only es-gn, es-shp, gn-es: expect little of it"
    assert (found.code, found.err.count(f"nmt-translate: {told}\n")) == (0, 1)
    for words in (("--from", "shp", "--quiet"), ("--from", "es"), ()):
        assert "never trained" not in translate_here(path, "--to", "gn", *words, text=TEXT).err
    found = translate_here(path, "--to", "gn", "--from", "fr", text=TEXT)
    unknown = "does not know the source language fr: take one of es, gn, shp"
    assert (found.code, found.err) == (2, f"nmt-translate: error: {path} {unknown}\n")


def test_other_commands_take_the_language_too(translate_here, path, tmp_path):
    (tmp_path / "in.txt").write_text(TEXT, encoding="utf-8")
    expected = translate_here(path, "--to", "shp", text=TEXT)
    assert translate_here(path, tmp_path / "in.txt", "--to", "shp", main=translate_file.main).code == 0
    assert (tmp_path / "in.shp.txt").read_bytes() == expected.out
    files = ("--source", tmp_path / "in.txt", "--reference", tmp_path / "in.shp.txt")
    found = translate_here(path, *files, "--to", "shp", main=evaluate.main)
    assert (found.code, found.lines[1][:13]) == (0, "chrF2  100.00")
    pairs = ("--source", tmp_path / "in.txt", "--target", tmp_path / "in.shp.txt")
    one, other = (translate_here(path, *pairs, "--to", to, main=score.main) for to in ("shp", "gn"))
    assert one.code == other.code == 0
    assert sum(float(line.split()[0]) for line in one.lines[:-1]) > sum(
        float(line.split()[0]) for line in other.lines[:-1]
    )
    for main, words in ((evaluate.main, files), (score.main, pairs), (translate_file.main, (tmp_path / "in.txt",))):
        found = translate_here(path, *words, main=main)
        assert found.code == 2
        assert found.err.endswith(f"error: {path} translates into gn, shp, es: name the target language with --to\n")


def test_models_of_one_ensemble_have_the_same_languages(path, make_bundle_of_languages, tmp_path, translate_here):
    save_bundle(make_bundle_of_languages(2), tmp_path / "alike")
    save_bundle(make_bundle_of_languages(2, pairs=("es-gn", "es-shp")), tmp_path / "fewer")
    assert translate_here(path, tmp_path / "alike", "--to", "gn", text=TEXT).code == 0
    with pytest.raises(ConfigError, match=r"trained in other directions .es-gn, es-shp, gn-es; and es-gn, es-shp.$"):
        load_all([path, tmp_path / "fewer"])


def test_a_model_of_one_direction_says_so(translate_here, bundle_path, make_sentences):
    [line] = make_sentences(1)
    assert translate_here(bundle_path, "--to", "de", text=line).out == translate_here(bundle_path, text=line).out
    found = translate_here(bundle_path, "--to", "gn", text=line)
    assert (found.code, found.err) == (
        2,
        f"nmt-translate: error: {bundle_path} translates into de alone, and not into gn\n",
    )


def test_the_default_of_the_bundle_counts(make_bundle_of_languages, tmp_path, translate_here, path):
    bundle = make_bundle_of_languages()
    search = changed(bundle.search, {"to": "shp"})
    save_bundle(type(bundle)(**{**vars(bundle), "search": search}), tmp_path / "best")
    assert translate_here(tmp_path / "best", text=TEXT).out == translate_here(path, "--to", "shp", text=TEXT).out
