"""A bundle whose default is the best of some samples: options that ask for another search get it."""

import shutil
from dataclasses import replace

import pytest

from nmt.bundle.weights import load_bundle, save_settings

TEXT = "the old river\na small red house\n"


@pytest.fixture
def sampling(bundle_path, tmp_path):
    """A copy of the bundle that samples."""
    path = tmp_path / "sampling"
    shutil.copytree(bundle_path, path)
    bundle = load_bundle(path)
    save_settings(replace(bundle, search=replace(bundle.search, mbr_samples=4, temperature=0.8)), path)
    return path


@pytest.mark.parametrize(
    "options",
    [
        ("--beam-size", 1),
        ("--beam-size", 3, "--no-repeat-ngram", 2),
        ("--no-sample",),
        ("--sample", "--seed", 3),
        ("--rerank", "mbr"),
        ("--sample", "--n-best", 5, "--rerank", "mbr"),
    ],
)
def test_an_option_of_another_search_counts(translate_here, bundle_path, sampling, options):
    # The temperature of the bundle stays, so that both are told the same.
    heat = () if "--sample" not in options else ("--temperature", 0.8)
    found = translate_here(sampling, *options, *heat, text=TEXT)
    expected = translate_here(bundle_path, *options, *heat, text=TEXT)
    assert (found.code, found.out) == (expected.code, expected.out) == (0, expected.out)


def test_hard_terms_take_the_beam(translate_here, bundle_path, sampling, tmp_path):
    (tmp_path / "terms").write_text("river\tred men\n", encoding="utf-8")
    options = ("--glossary", tmp_path / "terms", "--terms", "hard")
    found, expected = (translate_here(path, *options, text=TEXT) for path in (sampling, bundle_path))
    assert (found.code, found.out) == (0, expected.out)


def test_without_such_an_option_it_samples_as_when_asked_to(translate_here, bundle_path, sampling):
    asked = translate_here(bundle_path, "--mbr-samples", 4, "--temperature", 0.8, text=TEXT)
    assert translate_here(sampling, text=TEXT).out == asked.out
    assert translate_here(sampling, "--seed", 2, text=TEXT).code == 0
    more = translate_here(bundle_path, "--mbr-samples", 4, "--n-best", 5, "--format", "jsonl", text=TEXT)
    assert (more.code, "--n-best 5 is more than --mbr-samples 4: draw more of them" in more.err) == (2, True)
    heat = translate_here(bundle_path, "--temperature", 0.8, text=TEXT)
    assert (heat.code, "is for sampling: add --sample" in heat.err) == (2, True)
