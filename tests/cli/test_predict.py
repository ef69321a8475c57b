"""nmt predict and nmt-evaluate with a model that labels, as processes of their own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import nmt
from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle, save_bundle
from nmt.cli import evaluate, export, predict, translate
from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.text.words import LabelVocabulary, WordVocabulary

ROOT = Path(nmt.__file__).parent.parent
HOSTILE = ["", "   ", "a b c", "\u2028", "a\u2028b\tc d", "\0 a", "x " * 3000, "字" * 500, "\r"]


@pytest.fixture(scope="module")
def labeller(tmp_path_factory):
    """A bundle of an untrained model."""
    words = WordVocabulary.train(["a b c ab", "a b c"], size=60)
    labels = LabelVocabulary(["B-X", "I-X", "O"])
    config = ModelConfig(embedding_size=8, encoder_hidden_size=6, character_size=4)
    torch.manual_seed(1)
    model = build_network(TaskName.labelling, config, words, labels).eval()
    path = tmp_path_factory.mktemp("labeller") / "bundle"
    names = {"source_language": "tokens", "target_language": "labels"}
    vocabularies = {"source_subwords": words, "target_subwords": labels}
    search = SearchConfig(batch_size=8)
    save_bundle(
        Bundle(model=model, config=config, task=TaskName.labelling, search=search, **names, **vocabularies), path
    )
    return path


def test_each_line_is_answered_in_order_whatever_it_holds(nmt_predict, labeller):
    finished = nmt_predict(labeller, text="\n".join(HOSTILE) + "\n" + "a b", stdin=-1)
    assert finished.code == 0, finished.err
    lines = finished.lines
    assert len(lines) == len(HOSTILE) + 2
    expected = [0, 0, 3, 1, 2, 2, 3000, 1, 0, 2]
    assert [len(line.split()) for line in lines[:-1]] == expected
    assert "line 7: its 3000 tokens were labelled in parts of max_source_tokens=512" in finished.err


def test_bytes_that_are_not_utf8_are_replaced_with_a_warning(nmt_predict, labeller):
    finished = nmt_predict(labeller, "--format", "jsonl", text=b"a b\n\xff c\n")
    first, second = map(json.loads, finished.lines[:-1])
    assert (first["line"], len(first["text"].split())) == (1, 2)
    assert len(second["text"].split()) == 2
    assert second["score"] == pytest.approx(second["log_prob"] / 2, abs=1e-5)
    assert "warning: line 2: not UTF-8 (byte 0xff at position 1)" in finished.err


def test_workers_answer_alike(nmt_predict, labeller):
    text = "".join(f"{'a b c ' * (1 + i % 5)}\n" for i in range(40))
    assert nmt_predict(labeller, "--workers", 2, text=text).out == nmt_predict(labeller, text=text).out


def test_a_model_that_translates_does_what_nmt_translate_does(nmt_predict, nmt_translate, bundle_path, make_sentences):
    text = "\n".join(make_sentences(5, seed=3))
    for options in ([], ["--scores", "--beam-size", "1"]):
        assert nmt_predict(bundle_path, *options, text=text) == nmt_translate(bundle_path, *options, text=text)


def test_an_exported_bundle_answers_alike_without_pytorch(labeller, tmp_path, capfd):
    shutil.copytree(labeller, tmp_path / "exported")
    assert export.main([str(tmp_path / "exported"), "--precision", "fp32", "--quiet"]) == 0
    (tmp_path / "exported" / "model.safetensors").unlink()
    text = "".join(f"{line}\n" for line in ["a b c", "", "ab x " * 9, "c"]).encode()

    def predicted(bundle, *blocked):
        code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        code += f"from nmt.cli.predict import main; sys.exit(main([{str(bundle)!r}, '--scores']))"
        finished = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, cwd=ROOT, check=True)
        assert finished.stderr == b""
        return finished.stdout.decode().split("\n")

    ours, theirs = predicted(tmp_path / "exported", "torch", "safetensors", "onnx", "sacrebleu"), predicted(labeller)
    assert [line.split("\t")[1:] for line in ours] == [line.split("\t")[1:] for line in theirs]
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert float(one.split("\t")[0]) == pytest.approx(float(other.split("\t")[0]), abs=2e-4)


def message(capsys, main, *words):
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.strip()


def test_what_a_labeller_cannot_do_is_said_in_one_line(capsys, labeller, monkeypatch, tmp_path):
    (tmp_path / "a.conll").write_text("a\tO\n", encoding="utf-8")
    assert message(capsys, translate.main, labeller) == (
        f"nmt-translate: error: {labeller} does not translate, it is of task=labelling: use nmt predict"
    )
    for whose, words in (
        ("models that write text", ["--beam-size", 2]),
        ("models that write text or classify lines", ["--n-best", 2, "--format", "jsonl"]),
        ("translations", ["--alignments"]),
        ("a model that classifies lines", ["--attention"]),
    ):
        expected = f"nmt predict: error: {words[0]} is for {whose}, and {labeller} labels tokens: leave it out"
        assert message(capsys, predict.main, labeller, *words) == expected
    for words in (["--precision", "int8"], ["--precision", "fp32", "--shortlist", 9, "--train", tmp_path / "a"]):
        expected = "a model that labels tokens is exported in fp32 and without a shortlist: take --precision fp32 alone"
        assert message(capsys, export.main, labeller, *words) == f"nmt-export: error: {expected}"
    assert message(capsys, export.main, labeller, "--verify") == (
        "nmt-export: error: a model that labels tokens is not verified; "
        f"without --verify, --precision fp32 exports {labeller}"
    )
    assert message(capsys, predict.main, labeller, "--precision", "int8") == (
        f"nmt predict: error: {labeller} labels tokens, and there is no int8 of such a model: "
        "leave --precision int8 out"
    )
    reference = ("--reference", tmp_path / "a.conll")
    assert "--tokenize is for translations" in message(capsys, evaluate.main, labeller, *reference, "--tokenize", "zh")


def test_what_a_translator_cannot_do_is_said_in_one_line(capsys, bundle_path, tmp_path):
    (tmp_path / "a.conll").write_text("a\tO\n", encoding="utf-8")
    words = (bundle_path, "--reference", tmp_path / "a.conll")
    assert "--repair-bio is for a model that labels" in message(capsys, evaluate.main, *words, "--repair-bio")
    assert "give the source text with --source FILE" in message(capsys, evaluate.main, *words)


def test_labels_are_scored_by_type(capsys, labeller, tmp_path):
    (tmp_path / "a.conll").write_text("a\tB-X\nb\tI-X\n\nc\tO\n", encoding="utf-8")
    words = [str(labeller), "--reference", str(tmp_path / "a.conll"), "--output", str(tmp_path / "out")]
    assert evaluate.main([*words, "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["sentences"], values["tokens"], values["repaired_labels"]) == (2, 3, 0)
    assert [score["name"] for score in values["scores"]] == ["F1", "accuracy"]
    assert values["entities"]["X"]["reference"] == 1
    lines = (tmp_path / "out").read_text(encoding="utf-8").split("\n")
    assert [len(line.split()) for line in lines] == [2, 1, 0]
    assert evaluate.main(words) == 0
    assert capsys.readouterr().out.splitlines()[3].split()[:2] == ["type", "precision"]


def test_bad_labels_are_told_with_file_and_line(capsys, labeller, tmp_path):
    for content, expected in (
        ("a\tI-X\n", "a.conll: line 1 is broken BIO: I-X begins a sentence"),
        ("a\tB-Y\n", "a.conll: line 1 has the label B-Y, which never occurs in the training text"),
    ):
        (tmp_path / "a.conll").write_text(content, encoding="utf-8")
        assert expected in message(capsys, evaluate.main, labeller, "--reference", tmp_path / "a.conll")
    (tmp_path / "a.conll").write_text("a\tI-X\n", encoding="utf-8")
    assert evaluate.main([str(labeller), "--reference", str(tmp_path / "a.conll"), "--repair-bio"]) == 0
    assert "1 broken I- labels read as B-" in capsys.readouterr().out
    assert "there is no file" in message(capsys, evaluate.main, labeller, "--reference", tmp_path / "b.conll")


def test_a_reference_without_text_or_with_too_much_is_told(capsys, labeller, tmp_path):
    for name in ("a.conll", "a.bio", "a.conllu", "a.csv", "a.tsv", "a.text"):
        (tmp_path / name).write_text("a\tO\n", encoding="utf-8")
    source = ("--source", tmp_path / "a.text")
    for name in ("a.conll", "a.bio", "a.conllu"):
        words = (labeller, *source, "--reference", tmp_path / name)
        assert message(capsys, evaluate.main, *words) == (
            f"nmt-evaluate: error: {tmp_path / name} has text and labels: leave --source out"
        )
    for name, options in (("a.csv", ()), ("a.tsv", ()), ("a.tsv", source)):
        words = (labeller, *options, "--reference", tmp_path / name)
        assert message(capsys, evaluate.main, *words) == (
            f"nmt-evaluate: error: {labeller} labels tokens, and {tmp_path / name} has no text for it: name a file of "
            "text and labels that ends in .conll, .bio or .conllu, or give the text with --source FILE and its labels "
            "with --reference FILE"
        )
    assert "name one that ends in .conll, .bio or .conllu, or labels with --source FILE" in message(
        capsys, evaluate.main, labeller, "--reference", tmp_path / "a"
    )
