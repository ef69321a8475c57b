"""Sampled segmentations: they vary, spell the text, and depend on their arguments alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import TEXT, train


def test_alpha_zero_does_not_sample(model):
    assert model.sample_batch(TEXT, alpha=0, seed=1) == model.encode_batch(TEXT)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sampling_varies_and_still_spells_the_text(kind):
    model = train(kind=kind)
    rows = model.sample_batch(TEXT, alpha=0.3, seed=1)
    assert rows != model.sample_batch(TEXT, alpha=0.3, seed=2)
    assert rows != model.encode_batch(TEXT)
    assert [model.decode(row) for row in rows] == TEXT


def test_characters_leave_nothing_to_sample():
    model = train(kind="char")
    assert model.sample_batch(TEXT, alpha=0.3, seed=1) == model.encode_batch(TEXT)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sampling_depends_on_its_arguments_alone(kind):
    model, other = train(kind=kind), train(kind=kind)
    wanted = model.sample_batch(TEXT, alpha=0.2, seed=7)
    other.sample_batch(TEXT[::-1], alpha=0.4, seed=1)  # another history: other words, another alpha, another seed
    assert other.sample_batch(TEXT, alpha=0.2, seed=7) == wanted
    assert model.sample_batch(TEXT[:5], alpha=0.2, seed=7) == wanted[:5]
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(lambda _: model.sample_batch(TEXT, alpha=0.2, seed=7), range(8)):
            assert rows == wanted


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sampling_is_the_same_in_another_process(kind, tmp_path):
    model = train(kind=kind)
    (tmp_path / "subwords.model").write_bytes(model.to_bytes())
    code = (
        "import sys, pathlib; from nmt.text.subwords import MARKS, SubwordModel\n"
        "model = SubwordModel.load(pathlib.Path(sys.argv[1]))\n"
        "print(model.sample_batch(sys.argv[2:], alpha=0.2, seed=7))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "subwords.model"), *TEXT], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str(model.sample_batch(TEXT, alpha=0.2, seed=7))


def test_sharp_unigram_sampling_is_the_best_segmentation():
    model = train()
    texts = [*TEXT, "☃ anna☃☃", ""]
    best = model.encode_batch(texts)
    assert model.sample_batch(texts, alpha=500, seed=1) == best


def test_bpe_without_a_dropped_merge_is_the_plain_segmentation():
    model = train(kind="bpe")
    texts = [*TEXT, "☃ anna☃☃", "bananabanana"]
    assert model.sample_batch(texts, alpha=1e-12, seed=1) == model.encode_batch(texts)


def test_bpe_that_drops_every_merge_is_characters():
    model = train(kind="bpe")
    assert [len(row) for row in model.sample_batch(["anna"], alpha=1, seed=1)] == [len("▁anna")]


def test_long_unbroken_text_samples_without_underflow():
    model = train()
    text = "banana" * 3000
    assert model.decode(model.sample_batch([text], alpha=1.0, seed=1)[0]) == text
