"""nmt predict and nmt-evaluate with a language model, as processes of their own."""

import io
import json
import math
import subprocess
import sys

import pytest
import torch

from nmt.bundle.loading import load
from nmt.bundle.networks import build_network
from nmt.bundle.weights import Bundle, save_bundle
from nmt.cli import evaluate, export, predict, translate
from nmt.config.choices import TaskName
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import ConfigError
from nmt.evaluation import promises
from nmt.export import variant
from nmt.text.subword_training import train_subwords

HOSTILE = ["", "   ", "a small", "\u2028", "a\u2028b\tc d", "\0 a", "old " * 300, "字" * 50, "\r", "the\rold"]


@pytest.fixture(scope="module")
def model(tmp_path_factory, make_sentences):
    """A bundle of an untrained language model of characters."""
    subwords = train_subwords(make_sentences(200), kind="char", vocabulary_size=100)
    config = ModelConfig(embedding_size=8, decoder_hidden_size=12)
    torch.manual_seed(1)
    network = build_network(TaskName.generation, config, subwords, subwords).eval()
    with torch.no_grad():
        network.output_bias[subwords.eos_id] = 1.0
    path = tmp_path_factory.mktemp("models") / "bundle"
    search = SearchConfig(beam_size=2, batch_size=8, max_source_tokens=200, max_new_tokens=15)
    names = {"source_language": "", "target_language": "en"}
    vocabularies = {"source_subwords": subwords, "target_subwords": subwords}
    described = {"config": config, "task": TaskName.generation, "search": search}
    save_bundle(Bundle(model=network, **described, **names, **vocabularies), path)
    return path


@pytest.fixture
def predicted(capsys, monkeypatch):
    """A function that runs nmt predict in this process: its lines, and what it told."""

    def run(*words, text=b""):
        content = text.encode("utf-8") if isinstance(text, str) else text
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        code = predict.main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out.split("\n")[:-1], err

    return run


def check_hostile(lines, err):
    for prompt, line in zip([*HOSTILE, "a b"], lines, strict=True):
        assert line.startswith(prompt.rstrip(" ").replace("\r", " ") if prompt.strip() else "")
        assert bool(line) == bool(prompt.strip())
    assert "line 7: only the last max_source_tokens=200 of the prompt's 1201 subwords were read" in err
    assert "line 8: the model does not know characters of the prompt ('字'), and read past them" in err


def test_each_line_is_continued_in_order_whatever_it_holds(nmt_predict, predicted, model):
    text = "\n".join(HOSTILE) + "\n" + "a b"
    finished = nmt_predict(model, text=text)
    assert finished.code == 0, finished.err
    check_hostile(finished.lines[:-1], finished.err)
    check_hostile(*predicted(model, "--sample", "--top-p", 0.9, text=text))


def test_bytes_that_are_not_utf8_are_replaced_with_a_warning(predicted, model):
    lines, err = predicted(model, "--format", "jsonl", text=b"a b\n\xff c\n")
    first, second = map(json.loads, lines)
    assert first["text"].startswith("a b")
    assert second["text"].startswith("\ufffd c")
    assert "warning: line 2: not UTF-8 (byte 0xff at position 1)" in err


def test_samples_are_the_same_from_one_process_and_from_two(nmt_predict, predicted, model):
    text = "".join(f"{'the old river'[: 1 + i % 13]}\n" for i in range(60))
    options = ["--sample", "--seed", 7, "--n-best", 3, "--format", "jsonl"]
    alone, _ = predicted(model, *options, text=text)
    together = nmt_predict(model, *options, "--workers", 2, text=text)
    assert together.code == 0, together.err
    singly, _ = predicted(model, *options, "--batch-size", 1, text=text)
    texts = [
        [[one["text"] for one in json.loads(line)["hypotheses"]] for line in lines]
        for lines in (alone, together.lines[:-1], singly)
    ]
    assert texts[0] == texts[1] == texts[2]
    values = json.loads(alone[0])
    assert len(values["hypotheses"]) == 3
    assert values["text"] == values["hypotheses"][0]["text"]


def test_lines_are_made_from_nothing(nmt_predict, predicted, model):
    ten, _ = predicted(model, "--count", 10, "--sample")
    assert len(ten) == 10
    assert all(ten)
    assert len(set(ten)) > 5
    # The first of many are those of few, in one process or in two.
    many, _ = predicted(model, "--count", 300, "--sample")
    assert many[:10] == ten
    in_two = nmt_predict(model, "--count", 300, "--sample", "--quiet", "--workers", 2, stdin=subprocess.DEVNULL)
    assert in_two.lines[:-1] == many
    numbered, _ = predicted(model, "--count", 3, "--sample", "--format", "jsonl")
    assert [json.loads(line)["line"] for line in numbered] == [1, 2, 3]


def test_a_bundle_says_whether_its_lines_are_sampled(capsys, monkeypatch, model, tmp_path):
    bundle = load(model)
    saved = Bundle(**{name: getattr(bundle, name) for name in Bundle.__dataclass_fields__})
    saved.search.sample, saved.search.temperature = True, 0.5
    save_bundle(saved, tmp_path / "sampling")
    assert predict.main([str(tmp_path / "sampling"), "--count", "2", "--quiet"]) == 0
    assert predict.main([str(model), "--count", "2", "--quiet", "--sample", "--temperature", "0.5"]) == 0
    first, second, *others = capsys.readouterr().out.splitlines()
    assert others == [first, second]


def test_a_text_is_scored_as_it_stands(capsys, model, tmp_path):
    (tmp_path / "a.txt").write_text("a small house\n\nthe  river ☃\n", encoding="utf-8")
    words = [str(model), "--reference", str(tmp_path / "a.txt")]
    assert evaluate.main([*words, "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["lines"], values["blank_lines"], values["characters"]) == (2, 1, 14 + 12)
    assert (values["subwords"], values["unknown_subwords"]) == (15 + 13, 1)
    bits, perplexity = values["scores"]
    assert bits["name"] == "bits per character"
    assert bits["value"] == pytest.approx(values["bits"] / 26)
    assert bits["signature"] == "eos:yes|newlines:yes|spaces:single|lines:2|characters:26"
    assert perplexity["value"] == pytest.approx(2 ** (values["bits"] / 28))
    # By single steps, one line alone.
    bundle = load(model)
    subwords, total = bundle.target_subwords, 0.0
    for line in ("a small house", "the  river ☃"):
        state = bundle.model.start(torch.zeros(1, 1), torch.ones(1))
        ids = subwords.encode(line)
        for previous, token in zip([subwords.bos_id, *ids], [*ids, subwords.eos_id], strict=True):
            step = bundle.model.step(torch.tensor([[previous]]), state)
            total -= float(step.logits.log_softmax(-1)[0, 0, token].detach()) / math.log(2)
            state = step.state
    assert values["bits"] == pytest.approx(total, rel=1e-5)
    assert evaluate.main(words) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:4] == ["bits", "per", "character", f"{values['bits'] / 26:.4f}"]
    assert "2 lines, 26 characters, 28 subwords, 1 of them unknown: " in table[2]


def message(capsys, main, *words):
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.strip().splitlines()
    return line.partition(": error: ")[2]


def test_what_a_language_model_cannot_do_is_said_in_one_line(capsys, model, tmp_path):
    (tmp_path / "a.txt").write_text("a\n", encoding="utf-8")
    assert message(capsys, translate.main, model) == (
        f"{model} does not translate, it is of task=generation: use nmt predict"
    )
    for words in (["--alignments"], ["--rerank", "mbr"], ["--max-length-ratio", 2], ["--source-tag", 1]):
        expected = f"{words[0]} is for translations, and {model} continues text: leave it out"
        assert message(capsys, predict.main, model, *words) == expected
    for words in ([], ["--precision", "int8"], ["--precision", "fp32", "--shortlist", 0], ["--verify"]):
        assert message(capsys, export.main, model, *words) == (
            f"{model} is a language model, which is not exported and runs with PyTorch: use it as it is"
        )
    assert message(capsys, predict.main, model, "--precision", "int8") == (
        f"{model} is of task=generation, which PyTorch computes: leave precision=int8 out"
    )
    for words in (["--source", tmp_path / "a.txt"], ["--output", tmp_path / "b"], ["--tokenize", "zh"], ["--sample"]):
        expected = (
            f"{words[0]} has no meaning here: {model} is a language model, which scores the text of --reference as"
        )
        assert message(capsys, evaluate.main, model, "--reference", tmp_path / "a.txt", *words).startswith(expected)
    assert message(capsys, evaluate.main, model, "--reference", tmp_path / "a.txt", "--repair-bio") == (
        "--repair-bio is for a model that labels: leave it out"
    )
    assert message(capsys, evaluate.main, model, "--reference", tmp_path / "a.txt", "--precision", "bf16") == (
        "--precision bf16 rounds probabilities too much to count their bits: leave it out"
    )
    (tmp_path / "blank.txt").write_text("\n \n", encoding="utf-8")
    assert message(capsys, evaluate.main, model, "--reference", tmp_path / "blank.txt") == (
        f"{tmp_path}/blank.txt has no text; name a file of lines"
    )
    assert message(capsys, evaluate.main, model, "--reference", tmp_path / "c.txt") == (
        f"there is no file {tmp_path}/c.txt; check the path"
    )


def test_without_pytorch_the_message_names_no_export(capsys, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert message(capsys, predict.main, model) == (f"{model} needs PyTorch, which is not installed: pip install torch")


def test_bf16_continues_prompts_too(predicted, model):
    lines, _ = predicted(model, "--precision", "bf16", "--sample", text="the old\n")
    assert lines[0].startswith("the old")


def test_options_that_would_change_nothing_are_refused(capsys, model, bundle_path, monkeypatch):
    for words, expected in (
        (["--temperature", 0.5], "--temperature is for sampling: add --sample, or leave it out"),
        (["--top-k", 5], "--top-k is for sampling: add --sample, or leave it out"),
        (["--seed", 5], "--seed is for sampling: add --sample, or leave it out"),
        (["--sample", "--beam-size", 3], "--beam-size is for a beam, and outputs are sampled: leave it out, or add "),
        (["--count", 3], "--count needs sampling, since a search finds the same line each time: add --sample"),
        (["--count", 0, "--sample"], "--count 0 is not possible: it must be 1 or more"),
        (
            ["--count", 2, "--sample", "--n-best", 2, "--format", "jsonl"],
            "--count says how many lines are made: leave --n-best out",
        ),
        (["--n-best", 3, "--format", "jsonl"], "--n-best 3 is more than the beam holds: set --beam-size 3 or more"),
        (["--sample", "--temperature", 0], "--temperature 0.0 is not possible: it must be above 0, at most 100"),
        (["--sample", "--top-p", 1.5], "--top-p 1.5 is not possible: it must be above 0, at most 1"),
    ):
        assert message(capsys, predict.main, model, *words).startswith(expected)
    assert message(capsys, predict.main, bundle_path, "--count", 2, "--sample") == (
        f"--count is for models of task=generation, and {bundle_path} is of task=translation: leave it out"
    )
    assert message(capsys, translate.main, bundle_path, "--max-new-tokens", 2) == (
        f"--max-new-tokens is for a language model, and {bundle_path} translates: leave it out"
    )
    assert message(capsys, translate.main, bundle_path, "--sample", "--rerank", "mbr") == (
        "--rerank needs several samples to choose from: set --n-best 16 or so (it is 1)"
    )
    assert "--count" in message(capsys, translate.main, bundle_path, "--count", 2)


def test_the_front_door_says_what_to_use_instead(model):
    import nmt

    with pytest.raises(ConfigError, match="does not translate, it is of task=generation: use nmt predict"):
        nmt.load(model)


def test_what_the_commands_refuse_their_functions_refuse_too(model):
    with pytest.raises(ConfigError, match="a language model is not exported: PyTorch computes it"):
        variant.export(model, "fp32")
    with pytest.raises(ConfigError, match=r"the promises that are checked are a translation's, and .* continues text"):
        next(promises.verify(model, lines=[], command=lambda options, text: text))
