"""nmt-evaluate: scores of a model and of translations, their signatures, and what is warned of."""

import errno
import gzip
import json
import os
import sys
from pathlib import Path

import pytest
import sacrebleu

from nmt import files
from nmt.bundle.weights import load_bundle
from nmt.cli.evaluate import main
from nmt.evaluation.metrics import corpus_scores
from nmt.translation.translator import Translator


@pytest.fixture
def test_set(tmp_path, make_sentences):
    """A test set whose lines hold what breaks other tools, with a reference that is no translation at all."""
    source = [*make_sentences(10), "", "The old\u2028river.", "a\x0bb\x85c"]
    reference = [*make_sentences(10, seed=2), "", "Der alte\u2028Fluss.", "x\x0cy"]
    (tmp_path / "test.en").write_text("\n".join(source) + "\n", encoding="utf-8", newline="\n")
    (tmp_path / "test.de").write_text("\n".join(reference), encoding="utf-8", newline="\n")
    return tmp_path, source, reference


def test_a_model_is_scored_against_the_raw_reference(bundle_path, test_set, capsys):
    folder, source, reference = test_set
    arguments = [bundle_path, "--source", folder / "test.en", "--reference", folder / "test.de", "--threads", 1]
    assert main([str(word) for word in [*arguments, "--output", folder / "out.de"]]) == 0
    out, err = capsys.readouterr()
    hypotheses = [translation.text for translation in Translator(load_bundle(bundle_path)).translate(source)]
    assert (folder / "out.de").read_bytes().decode("utf-8") == "".join(line + "\n" for line in hypotheses)
    assert not (folder / "out.de.partial").exists()

    bleu, chrf, ter, speed = out.splitlines()
    expected = corpus_scores(hypotheses, reference)
    for line, score in zip((bleu, chrf, ter), expected, strict=True):
        assert line.split() == [score.name, f"{score.value:.2f}", score.signature]
    assert speed.startswith("13 sentences in ")
    assert "sentences/s" in speed
    assert "target tokens/s (beam 2, batches of 8, cpu, fp32 by ONNX Runtime, 1 CPU thread)" in speed
    assert all(f"warning: {folder / 'test.en'}: " in line for line in err.splitlines())


def test_characters_that_vanish_are_told_of_once(bundle_path, tmp_path, capsys):
    (tmp_path / "a.en").write_text("The old river.\nThe 😀.\n漢\n", encoding="utf-8")
    (tmp_path / "a.de").write_text("Der alte Fluss ist da.\n" * 3, encoding="utf-8")
    paths = "--source", str(tmp_path / "a.en"), "--reference", str(tmp_path / "a.de")
    arguments = [str(bundle_path), *paths, "--no-protect"]
    assert main(arguments) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "vocabulary" in line] == [
        f"nmt-evaluate: warning: {tmp_path / 'a.en'}: 2 lines have characters that the model's vocabulary lacks, "
        "the first is line 2 ('😀'); they are missing from the translations"
    ]
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_translations_are_scored_without_a_model(test_set, capsys, tmp_path):
    folder, _, reference = test_set
    with gzip.open(tmp_path / "hypotheses.gz", "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in reference)
    arguments = ["--hypotheses", str(tmp_path / "hypotheses.gz"), "--reference", str(folder / "test.de")]
    assert main([*arguments, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    values = json.loads(out)
    assert [(score["name"], score["value"]) for score in values["scores"]] == [
        ("BLEU", pytest.approx(100)),
        ("chrF2", pytest.approx(100)),
        ("TER", 0),
    ]
    assert all(f"version:{sacrebleu.__version__}" in score["signature"] for score in values["scores"])
    assert (values["sentences"], values["speed"], values["model"], err) == (13, None, None, "")
    assert values["reference"] == str(folder / "test.de")


def test_json_says_how_the_speed_came_about(bundle_path, test_set, capsys):
    folder, _, _ = test_set
    arguments = [str(bundle_path), "--source", str(folder / "test.en"), "--reference", str(folder / "test.de")]
    assert main([*arguments, "--format", "json", "--quiet", "--beam-size", "1", "--lowercase"]) == 0
    out, err = capsys.readouterr()
    values = json.loads(out)
    assert err == ""
    speed = values["speed"]
    assert speed["search"]["beam_size"] == 1
    assert speed["search"]["normalization"] == "average"
    assert speed["device"] == "cpu, fp32 by ONNX Runtime"
    assert speed["threads"] >= 1
    assert speed["sentences"] == 13
    assert speed["target_tokens"] > 0
    assert speed["tokens_per_second"] > 0
    assert "case:lc" in values["scores"][0]["signature"]


def test_the_reference_suffix_chooses_the_tokenizer_and_an_option_overrides_it(tmp_path, capsys):
    for name in ("out.zh", "ref.zh"):
        (tmp_path / name).write_text("他昨天去了北京的大学。\n", encoding="utf-8")
    arguments = ["--hypotheses", str(tmp_path / "out.zh"), "--reference", str(tmp_path / "ref.zh"), "--format", "json"]
    signatures = []
    for options in ([], ["--tokenize", "char"]):
        assert main([*arguments, *options]) == 0
        signatures.append(json.loads(capsys.readouterr().out)["scores"][0]["signature"])
    assert "tok:zh" in signatures[0]
    assert "tok:char" in signatures[1]


@pytest.mark.parametrize("suffix", ["zh", "cmn", "zho_Hans", "lzh", "target", "txt"])
def test_equal_chinese_files_have_the_best_score_whatever_they_are_called(tmp_path, capsys, suffix):
    name = tmp_path / f"ref.{suffix}"
    name.write_text("他昨天去了北京的大学。\n我们明天再来。\n", encoding="utf-8")
    assert main(["--hypotheses", str(name), "--reference", str(name)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("BLEU   100.00  ")
    assert "tok:zh" in out
    told = ""
    if suffix in ("target", "txt"):
        told = (
            f"nmt-evaluate: warning: {name} has no spaces between words, and {suffix!r} is no language written so: "
            "BLEU's tokenizer is zh; --tokenize NAME takes another\n"
        )
    assert err == told
    assert main(["--hypotheses", str(name), "--reference", str(name), "--quiet"]) == 0
    assert capsys.readouterr() == (out, "")


def test_a_score_of_0_for_want_of_words_is_explained(tmp_path, capsys):
    name = tmp_path / "ref.zh"
    name.write_text("他昨天去了北京的大学。\n", encoding="utf-8")
    arguments = ["--hypotheses", str(name), "--reference", str(name)]
    assert main([*arguments, "--tokenize", "13a"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("BLEU     0.00  ")
    assert err == (
        f"nmt-evaluate: warning: no line of {name} has 4 words for BLEU's tokenizer 13a: BLEU is 0 whatever the "
        "translations, so look at chrF; --tokenize NAME takes another\n"
    )
    assert main([*arguments, "--tokenize", "char"]) == 0
    assert capsys.readouterr().err == ""


def test_a_tokenised_reference_is_warned_of(tmp_path, capsys):
    (tmp_path / "out.en").write_text("A cat sat .\n" * 5, encoding="utf-8")
    arguments = ["--hypotheses", str(tmp_path / "out.en"), "--reference", str(tmp_path / "out.en")]
    assert main(arguments) == 0
    assert capsys.readouterr().err == (
        f"nmt-evaluate: warning: {tmp_path / 'out.en'} looks tokenised (spaces before its punctuation): "
        "scores against it do not compare with scores against the raw text\n"
    )
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_disk_that_takes_no_translations_costs_no_scores(bundle_path, test_set, capsys, monkeypatch):
    folder, _, _ = test_set

    def fail(path, write):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))

    monkeypatch.setattr(files, "write_atomically", fail)
    arguments = [bundle_path, "--source", folder / "test.en", "--reference", folder / "test.de"]
    assert main([str(word) for word in [*arguments, "--output", folder / "out.de"]]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["BLEU", "chrF2", "TER"]
    assert err.splitlines()[-1].startswith(f"nmt-evaluate: error: {folder / 'out.de'}: No space left on device; free")


@pytest.mark.skipif(sys.platform == "win32", reason="names there are UTF-16")
def test_names_of_files_need_not_be_utf_8(test_set, capsysbinary):
    folder, _, reference = test_set
    name = os.fsdecode(os.fsencode(folder) + b"/t\xe9st.de")
    Path(name).write_text("\n".join(reference), encoding="utf-8", newline="\n")
    assert main(["--hypotheses", name, "--reference", name, "--format", "json"]) == 0
    assert json.loads(capsysbinary.readouterr().out)["hypotheses"] == name


@pytest.mark.skipif(sys.platform == "win32", reason="the command's own stdout")
def test_the_command_itself(nmt_evaluate, tmp_path):
    (tmp_path / "a b.de").write_text("Ein kleines Haus steht hier.\n", encoding="utf-8")
    result = nmt_evaluate("--hypotheses", tmp_path / "a b.de", "--reference", tmp_path / "a b.de")
    assert (result.code, result.err) == (0, "")
    assert result.lines[0].split()[:2] == ["BLEU", "100.00"]
    assert result.lines[3] == "1 sentence"


def test_a_line_too_long_for_ter_costs_ter_alone(tmp_path, capsys):
    """TER alone would take minutes for it."""
    for name, word in (("out.de", "ein"), ("test.de", "das")):
        (tmp_path / name).write_text("Ein Hund läuft.\n" + f"{word} " * 10_000 + "\n", encoding="utf-8")
    words = ["--hypotheses", str(tmp_path / "out.de"), "--reference", str(tmp_path / "test.de")]
    assert main([*words, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert [score["name"] for score in json.loads(out)["scores"]] == ["BLEU", "chrF2"]
    warning = "nmt-evaluate: warning: line 2 has over 250 words: TER, which is slow, is left out\n"
    assert err.endswith(warning)
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".tsv", ".label", ".conll", ".bio", ".conllu", ".tsv.gz"])
def test_labels_are_not_scored_against_lines_of_text_and_labels(tmp_path, capsys, suffix):
    words = ["--hypotheses", str(tmp_path / "out"), "--reference", f"test{suffix}"]
    assert main(words) == 2
    assert capsys.readouterr() == (
        "",
        f"nmt-evaluate: error: test{suffix} has text and labels, and a model is scored against it: "
        "give a MODEL instead of --hypotheses\n",
    )
