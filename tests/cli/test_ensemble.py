"""nmt-translate A B: one text by several models, or a line that says why not."""

import shutil

import pytest

import nmt
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.cli.score import main as score
from nmt.export.variant import export
from nmt.translation.request import Request


@pytest.fixture(scope="module")
def other_path(bundle_path, tmp_path_factory):
    """The bundle with other weights, exported too."""
    path = tmp_path_factory.mktemp("others") / "other"
    bundle = load_bundle(bundle_path)
    for parameter in bundle.model.parameters():
        parameter.data = parameter.data.flip(0)
    save_bundle(bundle, path)
    export(path, "fp32")
    return path


def test_equal_models_translate_as_one(translate_here, bundle_path, make_sentences):
    text = "\n".join([*make_sentences(12), "", "漢字", "a\0b"])
    for words in ((), ("--beam-size", 1), ("--sample", "--n-best", 2), ("--n-best", 2, "--alignments")):
        options = ("--format", "jsonl", *words)
        one, two = (translate_here(*models, *options, text=text) for models in ((bundle_path,), (bundle_path,) * 2))
        assert one.code == two.code == 0
        assert one.err == two.err
        for here, there in zip(one.lines, two.lines, strict=True):
            assert [each for each in here.split(", ") if "score" not in each and "log_prob" not in each] == [
                each for each in there.split(", ") if "score" not in each and "log_prob" not in each
            ]


def test_different_models_translate_together(translate_here, nmt_translate, bundle_path, other_path, make_sentences):
    lines = make_sentences(12)
    text = "\n".join(lines) + "\n"
    apart = [translate_here(path, text=text).out for path in (bundle_path, other_path)]
    found = translate_here(bundle_path, other_path, text=text)
    assert found.code == 0
    assert found.out not in apart
    assert nmt_translate(bundle_path, other_path, "--workers", 2, text=text).out == found.out
    translator = nmt.load(bundle_path, other_path, n_best=2)
    assert [each.text for each in translator.translate(lines)] == found.lines[:-1]
    [prefixed] = translator.translate([Request(lines[0], prefix="A gr")])
    assert all(each.text.startswith("A gr") for each in prefixed.hypotheses)
    assert translator.bundle.device == "ensemble of 2: cpu, fp32 by ONNX Runtime"


def test_what_is_no_ensemble_is_told_with_both_names(translate_here, bundle_path, tmp_path, make_bundle, drop_manifest):
    other = tmp_path / "other"
    save_bundle(make_bundle(), other)
    named = tmp_path / "named"
    shutil.copytree(bundle_path, named)
    drop_manifest(named)
    config = (named / "config.json").read_text().replace('"tags": {}', '"tags": {"formal": 1}')
    (named / "config.json").write_text(config)
    both = f"{bundle_path} and {{}} cannot be one ensemble: "
    subwords = "their source subwords differ; train models of one ensemble with the same subword model (subwords.model)"
    for path, told in ((other, subwords), (named, "their tags have different names ([] and ['formal'])")):
        found = translate_here(bundle_path, path, text="x\n")
        assert (found.code, found.out, found.err) == (2, b"", f"nmt-translate: error: {both.format(path)}{told}\n")
    found = translate_here(bundle_path, other, "--source", "-", main=score)
    assert (found.code, found.err) == (2, f"nmt score: error: {both.format(other)}{subwords}\n")
    found = translate_here(bundle_path, tmp_path, text="x\n")
    assert found.err.startswith(f"nmt-translate: error: {tmp_path} is not a bundle")
