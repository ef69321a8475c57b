import json
import math

import pytest

from nmt.config.train import TrainConfig
from nmt.errors import ConfigError
from nmt.runs.metrics import read_metrics
from nmt.runs.results import FAILURE, clear_failure, find_runs, read_results, record_failure

TEST = "BLEU 34.18 (nrefs:1|tok:13a); chrF2 57.20 (nrefs:1|nc:6), beam 5, data/test"


@pytest.mark.parametrize(
    ("changes", "finished"),
    [
        ({"max_updates": 300}, True),
        ({"max_updates": 301}, False),
        ({"max_epochs": 1}, True),
        ({"max_epochs": 2}, False),
        ({"max_minutes": 3.0}, True),
        ({"max_minutes": 3.1}, False),
        ({"patience": 2}, True),
        ({"patience": 3}, False),
        ({"patience": 0}, False),
    ],
)
def test_a_run_is_finished_where_a_limit_is_reached(make_run, changes, finished):
    limits = {"max_updates": 1000, "max_epochs": 0, "max_minutes": 0.0, "patience": 0} | changes
    directory = make_run("one", (12.0, 11.0, 11.5), **{f"trainer__{key}": value for key, value in limits.items()})
    assert read_results(directory).finished is finished


@pytest.mark.parametrize("damaged", ["max_updates: null", "max_updates: lots"])
def test_a_limit_that_is_damaged_finishes_no_run(make_run, damaged):
    directory = make_run("one", trainer__max_updates=901)
    path = directory / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert "max_updates: 901" in text
    path.write_text(text.replace("max_updates: 901", damaged), encoding="utf-8")
    assert not read_results(directory).finished


def test_numbers_that_are_none_among_the_metrics_count_as_zero(make_run):
    directory = make_run("one", trainer__max_updates=1000, trainer__max_epochs=1, trainer__max_minutes=1.0)
    path = directory / "metrics.jsonl"
    lines = [json.loads(line) | {"epoch": math.nan, "seconds": math.inf} for line in path.read_text().splitlines()]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    results = read_results(directory)
    assert (results.finished, results.epochs, results.minutes) == (False, 0, 0.0)


def test_a_run_that_went_on_after_its_last_validation_is_unfinished(make_run):
    directory = make_run("one", trainer__max_updates=200)
    assert read_results(directory).finished
    with open(directory / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind": "train", "update": 250, "seconds": 150.0}\n')
    results = read_results(directory)
    assert (results.finished, results.updates, results.minutes, results.bleu) == (False, 250, 2.5, 12.5)


def test_the_best_score_counts_and_the_last_clock(make_run):
    results = read_results(make_run("one", (10.0, 14.0, 13.0)))
    assert (results.bleu, results.updates, results.minutes) == (14.0, 300, 3.0)
    assert results.signature == "nrefs:1|tok:13a"


@pytest.mark.parametrize(
    ("name", "text", "score"),
    [
        ("data/test", TEST, 34.18),
        ("data/test", "", None),
        ("", TEST, None),
        ("data/other", TEST, None),  # of an earlier configuration
        ("data/test", "34.18, data/test", None),
    ],
)
def test_the_test_score_is_that_of_the_configured_text(make_run, name, text, score):
    results = read_results(make_run("one", test=text, corpus__test=name))
    assert results.test_score("bleu") == score
    if score:
        assert results.test_scores["bleu"].how == "beam 5, nrefs:1|tok:13a"


def test_damaged_lines_are_named_and_left_out_and_a_line_being_written_is_no_fault(make_run):
    path = make_run("one") / "metrics.jsonl"
    whole = path.read_text(encoding="utf-8")
    first, rest = whole.split("\n", 1)
    path.write_text(f'{first}\n{{"kind": "tr\n[]\n{{"update": 3}}\n{rest}{{"kind": "train", "upd', encoding="utf-8")
    metrics = read_metrics(path)
    assert metrics.lines == [json.loads(line) for line in whole.splitlines()]
    assert metrics.problems == [f"{path}: line {number} is damaged and left out" for number in (2, 3, 4)]
    assert [line["kind"] for line in metrics.of("validation")] == ["validation"] * 2
    assert read_results(path.parent).problems == tuple(metrics.problems)


def test_a_directory_without_metrics_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere has no metrics\.jsonl; name the directory of a run"):
        read_metrics(tmp_path / "nowhere" / "metrics.jsonl")


def test_keys_that_an_older_nmt_did_not_have_take_their_defaults(make_run):
    directory = make_run("one", seed=7)
    (directory / "config.yaml").write_text("seed: 7\noptimizer:\n  lr: 0.5\n", encoding="utf-8")
    settings = read_results(directory).settings
    assert (settings["seed"], settings["optimizer.lr"]) == (7, 0.5)
    assert settings["trainer.accumulation"] == TrainConfig().trainer.accumulation


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "config.yaml is missing: the run did not get as far as training"),
        ("- a\n", "config.yaml cannot be read (it holds no settings)"),
        ("a: [1\n", "config.yaml cannot be read (while parsing a flow sequence"),
    ],
)
def test_a_run_whose_settings_cannot_be_read_has_failed(make_run, text, reason):
    directory = make_run("one")
    (directory / "config.yaml").unlink()
    if text:
        (directory / "config.yaml").write_text(text, encoding="utf-8")
    assert reason in read_results(directory).failure
    assert "\n" not in read_results(directory).failure


def test_a_failure_is_recorded_until_it_is_cleared(make_run, tmp_path):
    directory = make_run("one")
    record_failure(directory, "disk\nfull", trace="Traceback\n  line\n")
    assert (directory / FAILURE).read_text(encoding="utf-8") == "disk full\n\nTraceback\n  line\n"
    assert read_results(directory).failure == "disk full"
    clear_failure(directory)
    clear_failure(directory)
    assert read_results(directory).failure == ""
    record_failure(tmp_path / "new" / "run", "why")
    assert read_results(tmp_path / "new" / "run").failure == "why"
    (tmp_path / "file").touch()
    record_failure(tmp_path / "file" / "run", "nowhere to write it")


def test_runs_are_found_at_any_depth_but_not_in_bundles(make_run, tmp_path):
    for name in ("sweep/seed=2", "sweep/seed=1", "alone"):
        make_run(name)
    (tmp_path / "runs" / "alone" / "best" / "metrics.jsonl").touch()
    record_failure(tmp_path / "runs" / "sweep" / "seed=3", "why")
    assert find_runs(tmp_path) == [
        tmp_path / "runs" / name for name in ("alone", "sweep/seed=1", "sweep/seed=2", "sweep/seed=3")
    ]
    assert find_runs(tmp_path / "runs" / "alone") == [tmp_path / "runs" / "alone"]


def test_where_there_is_no_run_one_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no directory .*nowhere; name a run directory"):
        find_runs(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"there is no run in .*; name a run directory, such as runs/demo"):
        find_runs(tmp_path)
