"""Runs of several tasks in one table: each with the score that decides there, of which less may be better."""

import pytest

from nmt.config.choices import TaskName
from nmt.runs.metrics import read_metrics
from nmt.runs.plots import PANELS, common_panels
from nmt.runs.results import METRICS, read_results
from nmt.runs.tables import Summary, overview
from nmt.tasks.task import task_named


@pytest.fixture
def make_run_of(make_run):
    """A function that makes a run whose validations have another score than BLEU."""

    def make(name, metric, values, *, best, **changes):
        directory = make_run(name, values, **changes)
        path = directory / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").replace('"bleu"', f'"{metric}"')
        for before, after in zip((max(values[: i + 1]) for i in range(len(values))), best, strict=True):
            lines = lines.replace(f'"best_bleu": {before}', f'"best_{metric}": {after}', 1)
        path.write_text(lines, encoding="utf-8")
        return read_results(directory)

    return make


@pytest.mark.parametrize("name", TaskName)
def test_the_metric_of_every_task_is_known_to_runs_even_before_they_validate(make_run, name):
    task = task_named(name.value)
    metric = task.metric
    expected = metric.name, metric.label, task.greedy_search, metric.higher_is_better, metric.digits
    assert expected in METRICS
    assert read_results(make_run("new", (), task=name)).metric == expected


def test_less_is_better_where_the_metric_says_so(make_run_of):
    high = make_run_of("high", "bits_per_character", (2.5, 1.5), best=(2.5, 1.5), optimizer__lr=0.1)
    low = make_run_of("low", "bits_per_character", (1.25, 1.75), best=(1.25, 1.25), optimizer__lr=0.2)
    assert (high.score, low.score, low.bleu, low.finished) == (1.5, 1.25, None, True)
    assert Summary([high, low]).text().splitlines()[:3] == [
        "optimizer.lr  runs  validation bits per character  updates  minutes",
        "0.2              1                         1.2500      200      2.0",
        "0.1              1                         1.5000      200      2.0",
    ]
    assert Summary([low]).notes() == [
        "validation bits per character: the best of a run, teacher forced, nrefs:1|tok:13a"
    ]
    assert "  validation bits per character  1.2500 (teacher forced, nrefs:1|tok:13a)\n" in overview(low, {})


def test_patience_counts_from_the_lowest(make_run_of):
    values, best = (1.5, 1.25, 1.75, 1.6), (1.5, 1.25, 1.25, 1.25)
    settings = {"trainer__max_updates": 10**6, "trainer__patience": 2}
    assert make_run_of("patient", "bits_per_character", values, best=best, **settings).finished
    assert not make_run_of("going", "bits_per_character", values[:3], best=best[:3], **settings).finished


def test_scores_of_different_tasks_have_columns_of_their_own(make_run, make_run_of):
    runs = [
        make_run_of("text", "bits_per_character", (1.5,), best=(1.5,), seed=1),
        make_run_of("labels", "f1", (60.0,), best=(60.0,), seed=1),
        read_results(
            make_run("translation", (30.0,), test="BLEU 31.00 (x), beam 5, data/test", corpus__test="data/test")
        ),
    ]
    lines = [line.split("\t") for line in Summary(runs).table("tsv").splitlines()]
    heads = lines[0]
    columns = {"validation BLEU": "30.00", "test BLEU": "31.00", "validation F1": "60.00"}
    columns["validation bits per character"] = "1.5000"
    for row, present in zip(lines[1:], (("validation BLEU", "test BLEU"), ("validation F1",), None), strict=True):
        for name in columns:
            expected = columns[name] if name in (present or ("validation bits per character",)) else "-"
            assert row[heads.index(name)] == expected


def test_the_score_of_an_unfinished_run_is_told_in_its_own_words(make_run_of):
    run = make_run_of("going", "bits_per_character", (1.5,), best=(1.5,), trainer__max_updates=10**6)
    assert "validation bits per character 1.5000 so far" in Summary([run]).text()


def test_a_picture_has_the_panel_of_the_score(make_run, make_run_of):
    run = make_run_of("text", "bits_per_character", (1.5,), best=(1.5,))
    metrics = read_metrics(run.directory / "metrics.jsonl")
    assert common_panels([metrics]) == ["loss", "perplexity", "bits_per_character", "rate"]
    assert common_panels([]) == ["loss", "perplexity", "bleu", "rate"]
    translation = read_metrics(make_run("translation") / "metrics.jsonl")
    assert common_panels([metrics, translation]) == ["loss", "perplexity", "bleu", "bits_per_character", "rate"]
    assert PANELS["bits_per_character"].title == "validation bits per character (teacher forced)"
