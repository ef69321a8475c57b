"""The search of the best bundle, which the validation text chooses once training has ended."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from nmt.bundle.loading import load
from nmt.bundle.weights import load_bundle
from nmt.config.choices import MetricName
from nmt.config.search import SearchConfig
from nmt.corpus.reader import ParallelText, read_text, resolve
from nmt.evaluation.metrics import chrf
from nmt.training import search_choice
from nmt.training.run import run
from nmt.translation.translator import Translator


def way(value, **changes):
    return value, SearchConfig(**changes)


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([way(20.0), way(20.1, length_penalty=2.0)], {"length_penalty": 2.0}),
        ([way(20.0), way(20.0, length_penalty=2.0), way(20.9, mbr_samples=16)], {}),
        ([way(20.0), way(20.4, length_penalty=2.0), way(21.3, mbr_samples=16)], {"length_penalty": 2.0}),
        ([way(20.0), way(20.4, length_penalty=2.0), way(21.4, mbr_samples=16)], {"mbr_samples": 16}),
        ([way(20.0), way(22.0, mbr_samples=16), way(22.4, mbr_samples=8)], {"mbr_samples": 8}),
        (
            [
                way(20.0),
                way(24.0, mbr_samples=16),
                way(24.5, mbr_samples=16, temperature=0.7),
                way(24.7, mbr_samples=8),
            ],
            {"mbr_samples": 16, "temperature": 0.7},
        ),
        ([way(60.0)], {}),
    ],
)
def test_samples_must_gain_a_point_on_the_best_beam(tried, chosen):
    assert search_choice._chosen(tried) == SearchConfig(**chosen)


def test_lines_are_taken_from_everywhere_in_a_long_text():
    lines = [str(number) for number in range(1001)]
    text = ParallelText(lines, lines)
    some = search_choice._some_of(text, 500)
    assert (len(some.source), some.source[:3], some.source[-1]) == (500, ["0", "2", "4"], "998")
    assert search_choice._some_of(text, 1001) == text


@pytest.fixture
def scored(monkeypatch):
    """Let a test say what each search scores; what was asked for stands in the list."""
    asked = []

    def install(score):
        def scores(task, bundle, texts, *, processes):
            asked.append(bundle.search)
            value = score(bundle.search)
            return {name: SimpleNamespace(value=value) for name in ("bleu", "chrf")}

        monkeypatch.setattr(search_choice, "_scores", scores)
        return asked

    return install


def test_what_was_chosen_stands_in_the_bundle_and_translates(make_config, scored, corpus, contents):
    scored(lambda search: 30.0 if search.mbr_samples and search.temperature == 0.7 else 20.0)
    config = make_config(trainer__max_updates=4, trainer__choose_search=True)
    run(config)
    best = config.directory / "best"
    loaded = load(best)
    assert (loaded.search.mbr_samples, loaded.search.temperature) == (16, 0.7)
    assert json.loads((best / "config.json").read_text(encoding="utf-8"))["search"]["mbr_samples"] == 16
    written = load_bundle(best).metadata["search"]
    assert written.startswith("the best of 16 samples at temperature 0.7, by validation chrF2: beam 5 20.00, ")
    lines = ["A dog runs.", "The old house is red."]
    expected = Translator(load_bundle(config.directory / "last"), search=loaded.search).translate(lines)
    assert [each.text for each in Translator(loaded).translate(lines)] == [each.text for each in expected]
    # The finished run that is started again tries nothing.
    before, asked = contents(config.directory), scored(lambda search: 40.0)
    asked.clear()
    run(config)
    assert (contents(config.directory), asked) == (before, [])


def test_the_searches_are_scored_on_the_validation_text(make_config):
    config = make_config(trainer__max_updates=4, trainer__choose_search=True)
    run(config)
    log = (config.directory / "train.log").read_text(encoding="utf-8")
    told = [line.split("search by ")[1] for line in log.splitlines() if "search by " in line]
    assert len(told) == 1 + len(search_choice.CANDIDATES)
    source, target = read_text(resolve(config.corpus.valid, source="en", target="de", key="corpus.valid"))
    best = load_bundle(config.directory / "best")
    for line, changes in zip(told, ({}, *search_choice.CANDIDATES), strict=True):
        search = replace(config.search, **changes)
        outputs = [each.text for each in Translator(best, search=search).translate(source)]
        assert line == f"{search.how}: validation {chrf(outputs, target)}"
    assert "the bundle translates by " in log


def test_text_that_is_held_out_chooses_too(make_config, scored):
    asked = scored(lambda search: 20.0)
    run(make_config(trainer__max_updates=4, trainer__choose_search=True, corpus__valid=""))
    assert len(asked) == 1 + len(search_choice.CANDIDATES)


def test_no_samples_of_a_good_model_and_none_by_perplexity(make_config, scored):
    asked = scored(lambda search: 45.0)
    run(make_config("good", trainer__max_updates=4, trainer__choose_search=True))
    assert asked == [load_bundle(make_config("good").directory / "best").search]
    asked.clear()
    run(
        make_config("other", trainer__max_updates=4, trainer__choose_search=True, trainer__metric=MetricName.perplexity)
    )
    run(make_config("fourth", trainer__max_updates=4))
    assert asked == []
