"""nmt-translate: a line out for each line in, its formats, options and mistakes, and the choice among hypotheses."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import nmt
from nmt.bundle.weights import load_bundle
from nmt.cli.translate import main
from nmt.config.search import SearchConfig
from nmt.translation import formats
from nmt.translation.request import TextHypothesis
from nmt.translation.rerank import MinimumBayesRisk
from nmt.translation.similarity import chrf_matrix
from nmt.translation.translator import Translator


@pytest.fixture(scope="module")
def translator(bundle_path):
    return Translator(load_bundle(bundle_path))


def test_one_line_out_for_each_line_in_whatever_it_holds(nmt_translate, bundle_path, translator):
    lines = [
        b"A small red house.",
        b"",
        b"   \t ",
        "The old\u2028river \x0b\x0c\x1c\x85.".encode(),
        b"Many\0trees.",
        b"caf\xe9",
        b"Many green trees. " * 2500,
        b"The river.\r",
        "漢字 🙂".encode(),
        b"\xe2\x80\xa8",
        b"in spring",
    ]
    result = nmt_translate(bundle_path, text=b"\n".join(lines))  # the last line has no end
    assert result.code == 0
    assert result.out.endswith(b"\n")
    assert result.out.count(b"\n") == len(lines)
    texts = [line.decode("utf-8", errors="replace").removesuffix("\r") for line in lines]
    expected = [translation.text for translation in translator.translate(texts)]
    assert result.lines[:-1] == expected
    assert [expected[i] for i in (1, 2, 9)] == ["", "", ""]
    warnings = [line for line in result.err.splitlines() if "did not end" not in line]
    assert warnings == [
        "nmt-translate: warning: line 6: not UTF-8 (byte 0xe9 at position 4); such bytes were replaced",
        f"nmt-translate: warning: line 7: its {len(translator._source.encode(texts[6]))} subwords were cut to "
        "max_source_tokens=50; give one sentence a line",
    ]
    assert "caf�" in expected[5]
    assert "🙂" in expected[8]


@pytest.mark.parametrize("workers", [1, 2])
def test_input_in_another_encoding_is_translated_with_one_warning(nmt_translate, bundle_path, workers):
    text = ("The old river.\nMany trées.\n" * 30).encode("utf-16")
    options = ("--max-length-ratio", 9, "--workers", workers)
    result = nmt_translate(bundle_path, *options, text=text)
    assert (result.code, result.out.count(b"\n")) == (0, text.count(b"\n") + 1)
    warnings = [line for line in result.err.splitlines() if "did not end" not in line and "max_source" not in line]
    assert warnings[0] == (
        "nmt-translate: warning: the input is UTF-16 text (little-endian), not UTF-8; "
        "convert it with iconv -f UTF-16LE -t UTF-8 first"
    )
    assert not any("not UTF-8" in line for line in warnings[1:])
    quiet = nmt_translate(bundle_path, *options, "--quiet", text=text)
    assert (quiet.code, quiet.out, quiet.err) == (0, result.out, "")


@pytest.mark.parametrize("workers", [1, 2])
def test_characters_that_vanish_are_told_of_once_at_the_end(nmt_translate, bundle_path, workers):
    lines = ["The old river.", "The 😀 river.", "", *["The 漢字."] * 30, "The 😀 river."]
    options = ("--batch-size", 2, "--max-length-ratio", 0.1, "--workers", workers, "--no-protect")
    result = nmt_translate(bundle_path, *options, text="\n".join(lines))
    assert (result.code, result.out.count(b"\n")) == (0, len(lines))
    assert [line for line in result.err.splitlines() if "vocabulary" in line] == [
        "nmt-translate: warning: 32 lines have characters that the model's vocabulary lacks, the first is line 2 "
        "('😀'); they are missing from the translations"
    ]
    assert result.err.splitlines()[-1].endswith("missing from the translations")
    assert nmt_translate(bundle_path, *options, "--quiet", text="\n".join(lines)).err == ""
    assert "vocabulary" not in nmt_translate(bundle_path, *options, text="The old river.\u00a0\n").err


def test_a_translation_does_not_depend_on_the_batch(nmt_translate, bundle_path, make_sentences):
    text = "\n".join(make_sentences(25)) + "\n"
    one, many = (nmt_translate(bundle_path, "--batch-size", n, "--quiet", text=text) for n in (1, 7))
    assert one.code == many.code == 0
    assert one.err == many.err == ""
    assert one.out == many.out
    assert one.out.count(b"\n") == 25


def test_jsonl_says_all_and_keeps_one_line_for_each(nmt_translate, bundle_path, make_sentences):
    translator = Translator(load_bundle(bundle_path), n_best=2)
    lines = ["", *make_sentences(5)]
    result = nmt_translate(bundle_path, "--format", "jsonl", "--n-best", 2, text="\n".join(lines) + "\n")
    assert result.code == 0
    objects = [json.loads(line) for line in result.lines[:-1]]
    assert [value["line"] for value in objects] == [1, 2, 3, 4, 5, 6]
    for value, translation in zip(objects, translator.translate(lines), strict=True):
        best = translation.hypotheses[0]
        assert value["text"] == best.text
        assert value["score"] == pytest.approx(best.score, abs=1e-4)
        assert value["log_prob"] == pytest.approx(best.log_prob, abs=1e-4)
        assert value["finished"] == best.finished
        texts = [hypothesis["text"] for hypothesis in value["hypotheses"]]
        assert texts == [hypothesis.text for hypothesis in translation.hypotheses]


def test_search_options_reach_the_search(nmt_translate, bundle_path, make_sentences):
    lines = make_sentences(6)
    options = ["--beam-size", 3, "--length-penalty", 0.5, "--normalization", "average", "--max-length-ratio", 1]
    options += ["--no-repeat-ngram", 2, "--max-source-tokens", 6, "--threads", 1, "--device", "cpu", "--source-tag", 5]
    result = nmt_translate(bundle_path, *options, "--scores", text="\n".join(lines) + "\n")
    bundle = load_bundle(bundle_path)
    search = SearchConfig(3, 0.5, type(bundle.search.normalization).average, 1.0, 6, 8, 2, source_tag=5)
    expected = Translator(bundle, search=search).translate(lines)
    assert result.lines[:-1] == [f"{t.hypotheses[0].score:.4f}\t{t.text}" for t in expected]


def test_the_help_describes_every_format(capsys):
    assert main(["--help"]) == 0
    described = capsys.readouterr().out.partition("\nformats:\n")[2]
    assert [name for name in formats.FORMATS if f"\n  {name} " not in f"\n{described}"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["MODEL", "input.txt"],
            "unrecognized arguments: input.txt; the text comes from standard input: nmt-translate {model} < input.txt",
        ),
        (["--beam-sze", "3", "MODEL"], "unrecognized arguments: --beam-sze; did you mean --beam-size?"),
        ([], "the following arguments are required: MODEL; see nmt-translate --help"),
        (["MODEL", "--beam-size", "0"], "--beam-size 0 is not possible: it must be between 1 and 1000"),
        (["MODEL", "--length-penalty", "-1"], "--length-penalty -1.0 is not possible: it must be between 0 and 10"),
        (["MODEL", "--max-length-ratio", "inf"], "--max-length-ratio inf is not possible: it must be a finite number"),
        (["MODEL", "--source-tag", "16"], "--source-tag 16 is not possible: it must be between 0 and 15, or -1"),
        (["MODEL", "--n-best", "0"], "--n-best 0 is not possible: it must be 1 or more"),
        (
            ["MODEL", "--n-best", "3"],
            "--n-best 3 needs --format jsonl or --format moses: text has one line for each of input",
        ),
        (
            ["MODEL", "--n-best", "3", "--format", "moses"],
            "--n-best 3 is more than the beam holds: set --beam-size 3 or more (it is 2)",
        ),
        (["MODEL", "--threads", "-1"], "threads=-1 is not possible: it must be 0 (PyTorch's choice) or more"),
        (["MODEL", "--device", "gpu"], "device=gpu is unknown: take auto, cpu, cuda or cuda:N"),
        (["nowhere"], "nowhere does not exist; name a directory that nmt-train made, such as runs/demo/best"),
    ],
)
def test_wrong_use_is_one_line_and_reads_nothing(options, message, bundle_path, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main([str(bundle_path) if word == "MODEL" else word for word in options]) == 2
    told = message.replace("{model}", str(bundle_path))
    assert capsys.readouterr() == ("", f"nmt-translate: error: {told}\n")


def test_a_broken_bundle_is_one_line(nmt_translate, bundle_path, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(bundle_path, broken)
    for file in filter(os.path.isfile, broken.iterdir()):
        file.write_bytes(file.read_bytes()[:-100])
    result = nmt_translate(broken, text="x\n")
    assert (result.code, result.out) == (2, b"")
    assert result.err.startswith("nmt-translate: error: ")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("module", ["translate", "evaluate"])
@pytest.mark.parametrize(("option", "start"), [("--version", f" {nmt.__version__}\n"), ("--help", None)])
def test_help_and_version_answer_before_anything_heavy_is_imported(module, option, start):
    script = (
        f"import sys, nmt.cli.{module} as command\n"
        f"code = command.main([{option!r}])\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'sentencepiece', 'sacrebleu', 'numpy'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    root = os.path.dirname(os.path.dirname(nmt.__file__))
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout == f"nmt-{module}{start}" if start else "examples:" in done.stdout


@pytest.mark.parametrize("workers", [1, 2])
def test_rerank_chooses_among_the_hypotheses_of_the_beam(nmt_translate, bundle_path, make_sentences, workers):
    text = "\n".join(make_sentences(8)) + "\n\n"
    words = ("--beam-size", 4, "--format", "jsonl", "--workers", workers, "--quiet")
    lists = [json.loads(line) for line in nmt_translate(bundle_path, *words, "--n-best", 4, text=text).lines[:-1]]
    chosen = [json.loads(line) for line in nmt_translate(bundle_path, *words, "--rerank", "mbr", text=text).lines[:-1]]
    assert len(chosen) == len(lists) == 9
    changed = 0
    for one, several in zip(chosen, lists, strict=True):
        found = [TextHypothesis(**each, tokens=[]) for each in several["hypotheses"]]
        assert one["text"] == MinimumBayesRisk(chrf_matrix)(found)[0].text
        changed += one["text"] != several["text"]
    assert changed


def test_rerank_chooses_among_samples_that_count_alike(translate_here, bundle_path, make_sentences):
    text, words = "\n".join(make_sentences(6)), ("--sample", "--n-best", 12, "--temperature", 0.7)
    drawn = translate_here(bundle_path, *words, "--format", "jsonl", text=text)
    lists = [[TextHypothesis(**each, tokens=[]) for each in json.loads(row)["hypotheses"]] for row in drawn.lines[:-1]]
    chosen = translate_here(bundle_path, *words, "--rerank", "mbr", text=text)
    best = [MinimumBayesRisk(chrf_matrix, 0.0)(each) for each in lists]
    assert chosen.lines[:-1] == [ranked[0].text for ranked in best]
    assert any(ranked[0].text != each[0].text for ranked, each in zip(best, lists, strict=True))
    rows = translate_here(bundle_path, *words, "--rerank", "mbr", "--format", "jsonl", text=text).lines[:-1]
    for row, ranked in zip(rows, best, strict=True):
        assert [each["text"] for each in json.loads(row)["hypotheses"]] == [each.text for each in ranked]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--beam-size", 1, "--rerank", "mbr"),
            "--rerank needs several hypotheses to choose from: set --beam-size 2 or more (it is 1)",
        ),
        (("--rerank", "mbr", "--sharpness", "-1"), "--sharpness -1 is not possible: it must be 0 or more"),
        (("--sharpness", "nan"), "--sharpness nan is not possible: it must be 0 or more"),
        (
            ("--sample", "--rerank", "mbr"),
            "--rerank needs several samples to choose from: set --n-best 16 or so (it is 1)",
        ),
        (
            ("--sample", "--rerank", "mbr", "--sharpness", 1),
            "--sharpness is for a beam, and samples count alike: leave it out",
        ),
        (
            ("--rerank", "mbr", "--n-best", 2),
            "--n-best 2 needs --format jsonl or --format moses: text has one line for each of input",
        ),
    ],
)
def test_rerank_needs_something_to_choose_from(translate_here, bundle_path, words, told):
    result = translate_here(bundle_path, *words, text="x\n")
    assert (result.code, result.out, result.err) == (2, b"", f"nmt-translate: error: {told}\n")


def test_alignments_stand_behind_the_text(nmt_translate, bundle_path, make_sentences):
    lines = make_sentences(6)
    text = "\n".join(lines) + "\n\n"
    plain = nmt_translate(bundle_path, text=text).lines[:-1]
    aligned = nmt_translate(bundle_path, "--alignments", "--workers", 2, text=text).lines[:-1]
    for line, one, both in zip([*lines, ""], plain, aligned, strict=True):
        translation, _, alignment = both.partition("\t")
        assert translation == one
        pairs = [tuple(map(int, pair.split("-"))) for pair in alignment.split()]
        assert [target for _, target in pairs] == list(range(len(one.split())))
        assert all(source < len(line.split()) for source, _ in pairs)
