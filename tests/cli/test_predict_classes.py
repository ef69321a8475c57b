"""nmt predict, nmt-evaluate and nmt-export with a model that classifies, as processes of their own."""

import json
import math
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
from nmt.config.choices import Cell, Pooling, TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.text.words import ClassVocabulary, WordVocabulary

ROOT = Path(nmt.__file__).parent.parent
HOSTILE = ["", "   ", "a b c", "\u2028", "a\u2028b\tc d", "\0 a", "x " * 3000, "字" * 50, "\r", ":\x1b[0m", "\u200b"]


def saved(path, **changes):
    """Save a bundle of an untrained model."""
    words = WordVocabulary.train(["a b c ab", "a b c"], size=60, ignore_case=True)
    labels = ClassVocabulary(["N:x", "N:y", "O"])
    config = ModelConfig(embedding_size=8, encoder_hidden_size=6, character_size=4, attention_size=4, **changes)
    torch.manual_seed(1)
    model = build_network(TaskName.classification, config, words, labels).eval()
    names = {"source_language": "text", "target_language": "labels"}
    vocabularies = {"source_subwords": words, "target_subwords": labels}
    what = {"task": TaskName.classification, "search": SearchConfig(batch_size=8)}
    save_bundle(Bundle(model=model, config=config, **what, **names, **vocabularies), path)
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("classifier") / "bundle")


@pytest.fixture(scope="module")
def exported(classifier):
    """The same with its graph, so that it starts without PyTorch."""
    path = classifier.with_name("exported")
    shutil.copytree(classifier, path)
    assert export.main([str(path), "--precision", "fp32", "--quiet"]) == 0
    return path


def message(capsys, main, *words):
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.strip()


def test_each_line_is_answered_in_order_whatever_it_holds(nmt_predict, exported):
    text = "\n".join(HOSTILE).encode() + b"\n\xff c\na b"
    finished = nmt_predict(exported, "--workers", 2, text=text)
    assert finished.code == 0, finished.err
    assert len(finished.lines) == len(HOSTILE) + 3
    blank = [not line.strip() for line in HOSTILE]
    assert [not line for line in finished.lines[:-1]] == [*blank, False, False]
    assert set(filter(None, finished.lines)) <= {"N:x", "N:y", "O"}
    assert "line 7: only the first max_source_tokens=512 of its 3000 words were read" in finished.err
    assert "warning: line 12: not UTF-8 (byte 0xff at position 1)" in finished.err
    alone = nmt_predict(exported, text=text)
    assert (alone.out, alone.err) == (finished.out, finished.err)


def test_json_has_probabilities_words_and_weights(nmt_predict, exported):
    finished = nmt_predict(exported, "--format", "jsonl", "--n-best", 2, text="A c, b\n\n")
    first, blank = map(json.loads, finished.lines[:-1])
    assert (first["line"], first["text"], first["words"]) == (1, first["label"], ["A", "c", ",", "b"])
    assert next(iter(first["probabilities"])) == first["label"]
    assert sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert len(first["attention"]) == 4
    assert sum(first["attention"]) == pytest.approx(1, abs=1e-5)
    assert [each["text"] for each in first["hypotheses"]] == list(first["probabilities"])[:2]
    assert (
        first["score"] == first["log_prob"] == pytest.approx(math.log(first["probabilities"][first["label"]]), abs=1e-5)
    )
    assert (blank["text"], blank["label"], blank["probabilities"], blank["words"], blank["attention"]) == (
        "",
        "",
        {},
        [],
        [],
    )


def test_attention_is_shown_behind_the_label(nmt_predict, exported):
    finished = nmt_predict(exported, "--attention", "--scores", text="a b:\n\n")
    score, label, shown = finished.lines[0].split("\t")
    assert float(score) < 0
    assert label in ("N:x", "N:y", "O")
    pairs = [item.rpartition(":") for item in shown.split(" ")]
    assert [word for word, _, _ in pairs] == ["a", "b", ":"]
    assert sum(float(weight) for _, _, weight in pairs) == pytest.approx(1, abs=0.02)
    assert finished.lines[1] == "0.0000\t"
    assert nmt_predict(exported, "--attention", text="\n").out == b"\n"


def test_an_exported_bundle_answers_alike_without_pytorch(classifier, exported, tmp_path):
    shutil.copytree(exported, tmp_path / "exported")
    (tmp_path / "exported" / "model.safetensors").unlink()
    text = "".join(f"{line}\n" for line in ["a b c", "", "ab x " * 9, "c"]).encode()

    def predicted(bundle, *blocked):
        code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        code += f"from nmt.cli.predict import main; sys.exit(main([{str(bundle)!r}, '--format', 'jsonl']))"
        finished = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, cwd=ROOT, check=True)
        assert finished.stderr == b""
        return [json.loads(line) for line in finished.stdout.splitlines()]

    ours, theirs = predicted(tmp_path / "exported", "torch", "safetensors", "onnx", "sacrebleu"), predicted(classifier)
    for one, other in zip(ours, theirs, strict=True):
        assert (one["text"], one["words"]) == (other["text"], other["words"])
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
        assert one["attention"] == pytest.approx(other["attention"], abs=1e-5)


def test_what_a_classifier_cannot_do_is_said_in_one_line(capsys, classifier, tmp_path):
    (tmp_path / "a.tsv").write_text("a\tO\n", encoding="utf-8")
    assert message(capsys, translate.main, classifier) == (
        f"nmt-translate: error: {classifier} does not translate, it is of task=classification: use nmt predict"
    )
    for whose, options in (
        ("translations", (["--alignments"], ["--rerank", "mbr"], ["--source-tag", 1], ["--max-length-ratio", 2])),
        ("models that write text", (["--beam-size", 2], ["--sample"], ["--seed", 1], ["--temperature", 0.5])),
        ("a language model", (["--max-new-tokens", 2],)),
    ):
        for words in options:
            expected = f"{words[0]} is for {whose}, and {classifier} classifies lines: leave it out"
            assert message(capsys, predict.main, classifier, *words) == f"nmt predict: error: {expected}"
    for words in (["--precision", "int8"], ["--precision", "fp32", "--shortlist", 9, "--train", tmp_path / "a"]):
        expected = (
            "a model that classifies lines is exported in fp32 and without a shortlist: take --precision fp32 alone"
        )
        assert message(capsys, export.main, classifier, *words) == f"nmt-export: error: {expected}"
    assert message(capsys, export.main, classifier, "--verify") == (
        "nmt-export: error: a model that classifies lines is not verified; "
        f"without --verify, --precision fp32 exports {classifier}"
    )
    assert message(capsys, predict.main, classifier, "--precision", "int8") == (
        f"nmt predict: error: {classifier} classifies lines, and there is no int8 of such a model: "
        "leave --precision int8 out"
    )
    reference = ("--reference", tmp_path / "a.tsv")
    for option in (["--tokenize", "zh"], ["--lowercase"]):
        expected = (
            f"nmt-evaluate: error: {option[0]} is for translations, and {classifier} classifies lines: leave it out"
        )
        assert message(capsys, evaluate.main, classifier, *reference, *option) == expected
    expected = "nmt-evaluate: error: --repair-bio is for a model that labels: leave it out"
    assert message(capsys, evaluate.main, classifier, *reference, "--repair-bio") == expected


def test_attention_is_for_models_that_have_it(capsys, classifier, bundle_path, tmp_path):
    assert message(capsys, predict.main, classifier, "--attention", "--format", "jsonl") == (
        "nmt predict: error: --attention is for --format text, and jsonl has the weights anyway: leave it out"
    )
    assert message(capsys, predict.main, classifier, "--attention", "--format", "moses") == (
        "nmt predict: error: --attention is for --format text, and jsonl has the weights anyway: "
        "take that instead of moses"
    )
    assert message(capsys, predict.main, bundle_path, "--attention") == (
        "nmt predict: error: --attention is for a model that classifies lines, and "
        f"{bundle_path} translates: leave it out"
    )
    last = saved(tmp_path / "last", pooling=Pooling.last)
    assert message(capsys, predict.main, last, "--attention") == (
        f"nmt predict: error: --attention has nothing to show: {last} has model.pooling=last; leave it out"
    )
    for name, main in (("nmt-translate", translate.main), ("nmt-evaluate", evaluate.main)):
        assert message(capsys, main, classifier, "--attention") == (
            f"{name}: error: unrecognized arguments: --attention; see {name} --help"
        )


def test_a_cell_that_cannot_be_exported_is_told(capsys, tmp_path):
    bundle = saved(tmp_path / "ssru", encoder_cell=Cell.ssru.value)
    assert message(capsys, export.main, bundle, "--precision", "fp32") == (
        "nmt-export: error: a model whose encoder is ssru cannot be exported; PyTorch runs it as it is"
    )


def test_labels_are_scored_each_and_together(capsys, classifier, tmp_path):
    (tmp_path / "a.label").write_bytes(b"N:x a b\nN:y c\nO \xff b\n")
    words = [str(classifier), "--reference", str(tmp_path / "a.label"), "--output", str(tmp_path / "out")]
    assert evaluate.main([*words, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert f"warning: {tmp_path}/a.label: line 3 is not UTF-8 (byte 0xff at column 3)" in err
    values = json.loads(out)
    assert values["lines"] == 3
    assert [score["name"] for score in values["scores"]] == ["macro F1", "accuracy"]
    assert set(values["labels"]["N:x"]) == {"right", "predicted", "reference", "precision", "recall", "f1"}
    assert [sum(row.values()) for row in values["confusion"].values()][:2] == [1, 1]
    outputs = (tmp_path / "out").read_text(encoding="utf-8").split("\n")
    assert len(outputs) == 4
    assert values["confusion"]["N:x"] == {outputs[0]: 1}
    assert evaluate.main([*words, "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [line.split()[:2] for line in out.splitlines()][:2][0] == ["macro", "F1"]
    assert "label  precision  recall     F1  lines" in out
    assert "reference \\ output" in out


def test_parallel_files_are_scored_and_bad_ones_told(capsys, classifier, tmp_path):
    (tmp_path / "t.text").write_text("a b\nc\n", encoding="utf-8")
    (tmp_path / "t.labels").write_text("O\nN:x\n", encoding="utf-8")
    files = ["--source", tmp_path / "t.text", "--reference", tmp_path / "t.labels"]
    assert evaluate.main([str(each) for each in (classifier, *files)]) == 0
    capsys.readouterr()
    for content, option, expected in (
        ("a\tO\nb\tZ\n", [], "a.tsv: line 2 has the label Z, which never occurs in the training text"),
        ("a\tO\nb\n", [], "a.tsv: line 2 has no label"),
        ("a\tN:x\n", ["--coarse-labels"], "a.tsv: line 1 has the label N, which never occurs"),
        ("a\tN:z\n", [], "a.tsv: line 1 has the label N:z, which never occurs"),
        (
            "a\tO\nb\tO:fine\n",
            [],
            "a.tsv: line 2 has the label O:fine, and the model knows O: add --coarse-labels to take what stands before "
            "the colon",
        ),
    ):
        (tmp_path / "a.tsv").write_text(content, encoding="utf-8")
        assert expected in message(capsys, evaluate.main, classifier, "--reference", tmp_path / "a.tsv", *option)
    assert "there is no file" in message(capsys, evaluate.main, classifier, "--reference", tmp_path / "b.tsv")


def test_a_reference_without_text_or_with_too_much_is_told(capsys, classifier, tmp_path):
    for name in ("a.tsv", "a.label.gz", "a.csv", "a.conll", "a.text"):
        (tmp_path / name).write_text("a\tO\n", encoding="utf-8")

    def told(reference, *words):
        words = (*words, "--reference", tmp_path / reference)
        return message(capsys, evaluate.main, classifier, *words).removeprefix("nmt-evaluate: error: ")

    source = ("--source", tmp_path / "a.text")
    for name in ("a.tsv", "a.label.gz"):
        assert told(name, *source) == f"{tmp_path / name} has text and labels: leave --source out"
    for name, options in (("a.csv", ()), ("a.conll", ()), ("a.conll", source)):
        assert told(name, *options) == (
            f"{classifier} classifies lines, and {tmp_path / name} has no text for it: name a file of text and labels "
            "that ends in .tsv or .label, or give the text with --source FILE and its labels with --reference FILE"
        )
    assert told("a") == (
        f"there is no file {tmp_path / 'a'}; name one that ends in .tsv or .label, or labels with --source FILE"
    )
    assert told("b.tsv") == told("b.tsv", *source) == f"there is no file {tmp_path / 'b.tsv'}; check the path"
    assert told("a.csv", "--source", tmp_path / "b") == f"there is no file {tmp_path / 'b'}; check the path"


def test_only_a_classifier_has_coarse_labels(capsys, bundle_path, tmp_path):
    (tmp_path / "a.tsv").write_text("a\tO\n", encoding="utf-8")
    words = (bundle_path, "--reference", tmp_path / "a.tsv")
    expected = "nmt-evaluate: error: --coarse-labels is for a model that classifies: leave it out"
    assert message(capsys, evaluate.main, *words, "--coarse-labels") == expected
    assert "give the source text with --source FILE" in message(capsys, evaluate.main, *words)


def test_models_that_do_not_translate_have_no_prefixes_and_tags(translate_here, classifier, tmp_path):
    (tmp_path / "prefixes").write_text("a\n")
    for words in (("--prefixes", tmp_path / "prefixes"), ("--tag", "0")):
        found = translate_here(classifier, *words, text="x\n", main=predict.main)
        told = f"{words[0]} is for translations, and {classifier} classifies lines: leave it out"
        assert (found.code, found.err) == (2, f"nmt predict: error: {told}\n")
    text = '{"text": "x", "id": 3}\n{"text": "x", "prefix": "y"}\n'
    options = ("--input-format", "jsonl", "--format", "jsonl")
    found = translate_here(classifier, *options, text=text, main=predict.main)
    assert json.loads(found.lines[0])["id"] == 3
    told = f"line 2: 'prefix' is for translations, and {classifier} classifies lines: leave it out"
    assert (found.code, found.err) == (2, f"nmt predict: error: {told}\n")
    found = translate_here(classifier, "--count", 2, *options[:2], main=predict.main)
    assert (found.code, found.err) == (2, "nmt predict: error: --count reads nothing: leave --input-format out\n")
