"""import nmt: load, translate, train and evaluate from Python."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import nmt
from nmt.bundle.weights import save_bundle
from nmt.config.choices import LengthNormalization
from nmt.config.model import ModelConfig
from nmt.config.train import CorpusConfig, SubwordsConfig, TrainerConfig
from nmt.errors import BundleError, ConfigError, CorpusError

ROOT = Path(nmt.__file__).parent.parent
LINES = ["the old river", "a small red house", "", "many green trees"]


@pytest.fixture(scope="module")
def path(make_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "best"
    save_bundle(make_bundle(4), path)
    return path


def test_what_is_promised_is_there():
    assert set(nmt.__all__) <= set(dir(nmt))
    assert all(getattr(nmt, name) is not None for name in nmt.__all__)
    with pytest.raises(AttributeError, match="module 'nmt' has no attribute 'tain'"):
        _ = nmt.tain


def test_a_loaded_model_translates_lines_and_requests(path):
    translator = nmt.load(path)
    found = translator.translate([*LINES, nmt.Request("the old river", prefix="red", id=7)])
    assert [type(each) for each in found] == [nmt.Translation] * 5
    assert found[2].text == ""
    assert found[4].text.startswith("red")
    assert found[4].id == 7
    assert translator.submit(nmt.Request(LINES[0])).result(30).text == found[0].text  # nobody flushes


def test_search_settings_are_those_of_the_commands(path):
    translator = nmt.load(path, beam_size=4, normalization="gnmt", n_best=4, alignments=True)
    assert (translator.search.beam_size, translator.search.normalization) == (4, LengthNormalization.gnmt)
    [found] = translator.translate(LINES[:1])
    assert len(found.hypotheses) == 4
    assert found.hypotheses[0].alignment is not None
    for settings, message in (
        ({"beam": 3}, "unknown key 'beam' in SearchConfig; known are batch_size, beam_size"),
        ({"beam_size": 0}, "search.beam_size=0 is not possible: it must be between 1 and 1000"),
        ({"n_best": 9}, "n_best=9 is not possible with beam_size=3: it must be between 1 and the beam size"),
        ({"normalization": "none"}, "normalization=none is not possible: it must be one of gnmt, average"),
        ({"precision": "fp8"}, "precision=fp8 is unknown: choose one of int8, bf16, fp32"),
    ):
        with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
            nmt.load(path, **settings)
    with pytest.raises(BundleError, match="does not exist; name a directory that nmt-train made"):
        nmt.load(path / "nowhere")


def test_a_model_is_scored(path):
    translator = nmt.load(path, beam_size=1)
    own = [each.text for each in translator.translate(LINES)]
    report = nmt.evaluate(translator, LINES, own, tokenize="13a")
    assert [score.name for score in report.scores] == ["BLEU", "chrF2", "TER"]
    assert report.scores[0].value == pytest.approx(100)
    assert "tok:13a" in report.table()
    with pytest.raises(CorpusError, match="the source has 4 lines and the reference 1: give as many of both"):
        nmt.evaluate(translator, LINES, ["x"])
    with pytest.raises(CorpusError, match="the reference has no text; give lines with text"):
        nmt.evaluate(translator, LINES, [""] * 4)


def test_a_model_is_trained_and_goes_on(tmp_path):
    for side in ("en", "de"):
        text = "".join(f"{line}\n" for line in (*LINES[:2], LINES[3]) for _ in range(40))
        (tmp_path / f"train.{side}").write_text(text, encoding="utf-8")

    def config(updates):
        return nmt.TrainConfig(
            name="tiny",
            auto=False,
            run_dir=str(tmp_path / "runs/${name}"),
            corpus=CorpusConfig(
                train=str(tmp_path / "train"), source="en", target="de", cache_dir=str(tmp_path / "cache")
            ),
            subwords=SubwordsConfig(vocabulary_size=60),
            model=ModelConfig(embedding_size=8, encoder_hidden_size=8, decoder_hidden_size=16),
            trainer=TrainerConfig(max_updates=updates, validate_every=2, progress=False),
        )

    given = config(2)
    results = nmt.train(given)
    assert given == config(2)  # the caller's own value stays as it is
    assert (results.updates, results.finished) == (2, True)
    assert results.bleu is not None
    assert results.metric.name == "chrf"
    assert results.signature
    assert nmt.load(tmp_path / "runs" / "tiny" / "best").translate(["the old river"])
    changed = config(2)
    changed.model.dropout = 0.5
    with pytest.raises(ConfigError, match=r"holds a run with another configuration: model.dropout \(0.2 → 0.5\)"):
        nmt.train(changed)


def test_the_kernels_keep_as_little_as_in_the_commands(path):
    code = (
        "import os, nmt; "
        f"nmt.load({str(path)!r}); "
        "print(*map(os.environ.get, ('ONEDNN_PRIMITIVE_CACHE_CAPACITY', 'LRU_CACHE_CAPACITY', 'GOMP_SPINCOUNT')))"
    )
    names = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (finished.stdout, finished.stderr) == ("64 1 10000\n", "")


def test_a_beam_that_is_asked_for_counts_with_a_model_that_samples(path, make_bundle, tmp_path):
    bundle, sampling = make_bundle(4), tmp_path / "sampling"
    save_bundle(replace(bundle, search=replace(bundle.search, mbr_samples=4)), sampling)
    lines = ["the old river", "a small red house"]
    for settings in ({"beam_size": 1}, {"sample": True}, {"mbr_samples": 3}):
        found, expected = (nmt.load(each, **settings).translate(lines) for each in (sampling, path))
        assert [each.text for each in found] == [each.text for each in expected]
    drawn = nmt.load(sampling).translate(lines)
    assert [each.text for each in drawn] == [each.text for each in nmt.load(path, mbr_samples=4).translate(lines)]
