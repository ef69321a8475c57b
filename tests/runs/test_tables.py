import pytest

from nmt.runs.results import read_results, record_failure
from nmt.runs.tables import Summary

TEST = "BLEU {} (nrefs:1|tok:13a); chrF2 57.20 (nrefs:1), beam 5, data/test"


@pytest.fixture
def sweep(make_run):
    """Two learning rates, three seeds and one, and a job that failed."""
    runs = [
        make_run(f"lr=0.01,seed={seed}", (5.0, bleu), seed=seed, optimizer__lr=0.01)
        for seed, bleu in ((1, 10.0), (2, 12.0), (3, 14.0))
    ]
    runs.append(make_run("lr=0.001", (20.0, 15.5), optimizer__lr=0.001, trainer__threads=0))
    return [read_results(directory) for directory in runs]


def test_seeds_are_averaged_and_the_best_settings_come_first(sweep):
    assert Summary(sweep).text().splitlines() == [
        "optimizer.lr  runs  validation BLEU  updates  minutes",
        "0.001            1            20.00      200      2.0",
        "0.01             3     12.00 ± 2.00      200      2.0",
        "",
        "mean ± sample standard deviation over the runs of the same settings",
        "validation BLEU: the best of a run, greedy, nrefs:1|tok:13a",
    ]


def test_markdown_and_tabs(sweep):
    assert Summary(sweep).text("markdown").splitlines()[:5] == [
        "| optimizer.lr | runs | validation BLEU | updates | minutes |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| 0.001 | 1 | 20.00 | 200 | 2.0 |",
        "| 0.01 | 3 | 12.00 ± 2.00 | 200 | 2.0 |",
        "",
    ]
    assert Summary(sweep).text("markdown").splitlines()[5].startswith("- mean ± ")
    assert [line.split("\t") for line in Summary(sweep).table("tsv").splitlines()] == [
        ["optimizer.lr", "runs", "validation BLEU", "validation BLEU deviation", "updates", "minutes"],
        ["0.001", "1", "20.00", "", "200", "2.0"],
        ["0.01", "3", "12.00", "2.00", "200", "2.0"],
    ]


def test_test_scores_have_a_column_that_says_how_many_there_are(make_run):
    texts = {1: TEST.format("30.00"), 2: TEST.format("31.00"), 3: ""}
    runs = [make_run(f"seed={seed}", seed=seed, test=text, corpus__test="data/test") for seed, text in texts.items()]
    lines = Summary(map(read_results, runs)).text().splitlines()
    assert lines[:2] == [
        "runs  validation BLEU              test BLEU             test chrF2  updates  minutes",
        "   3     12.50 ± 0.00  30.50 ± 0.71 (2 of 3)  57.20 ± 0.00 (2 of 3)      200      2.0",
    ]
    assert lines[-2:] == ["test BLEU: beam 5, nrefs:1|tok:13a", "test chrF2: beam 5, nrefs:1"]


def test_how_a_run_is_watched_and_named_is_no_setting(make_run):
    same = make_run("one", trainer__log_every=7, trainer__progress=False, corpus__cache_dir="x"), make_run("two")
    (group,) = Summary(map(read_results, same)).groups
    assert len(group) == 2


def test_scores_with_another_signature_are_not_averaged(make_run):
    runs = [make_run("one"), make_run("two")]
    path = runs[0] / "metrics.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("tok:13a", "tok:zh"), encoding="utf-8")
    summary = Summary(map(read_results, runs))
    assert len(summary.groups) == 2
    assert summary.table().splitlines()[0].startswith("BLEU signature ")


def test_lists_truth_values_and_empty_texts_are_written_as_typed(make_run):
    runs = [make_run("b"), make_run("c", model__input_feeding=True, corpus__extra=["x|y", "z"], corpus__valid="v")]
    lines = Summary(map(read_results, runs)).table("markdown").splitlines()
    assert lines[0].startswith("| corpus.valid | corpus.extra | model.input_feeding | runs |")
    assert {line.split(" | 1 |")[0] for line in lines[2:]} == {"| '' | [] | false", "| v | [x\\|y,z] | true"}


def test_what_failed_or_is_unfinished_is_listed_with_its_reason(make_run, sweep, tmp_path):
    going, begun, failed = (make_run(name, optimizer__lr=0.5, trainer__max_updates=900) for name in "xyz")
    timed = make_run("timed", trainer__max_updates=900, trainer__max_minutes=40.0)
    passing = make_run("passing", trainer__max_updates=900, trainer__max_epochs=7)
    (begun / "metrics.jsonl").write_text("", encoding="utf-8")
    record_failure(failed, "disk full")
    record_failure(tmp_path / "early", "optimizer.lr=-1 is not possible")
    summary = Summary([*sweep, *map(read_results, (going, begun, timed, passing, failed, tmp_path / "early"))])
    assert [line.split()[0] for line in summary.table().splitlines()] == ["optimizer.lr", "0.001", "0.01"]
    assert summary.notes()[2:] == [
        f"unfinished: {going}: update 200 of 900, validation BLEU 12.50 so far",
        f"unfinished: {begun}: update 0 of 900, not validated yet",
        f"unfinished: {timed}: update 200 of 900, minute 2.0 of 40, validation BLEU 12.50 so far",
        f"unfinished: {passing}: update 200 of 900, epoch 1 of 7, validation BLEU 12.50 so far",
        f"failed: {failed}: disk full",
        f"failed: {tmp_path / 'early'}: optimizer.lr=-1 is not possible",
    ]
    counted = Summary([read_results(going), read_results(begun)], unfinished=True)
    assert [len(group) for group in counted.groups] == [1]
    assert len(counted.unfinished) == 1


def test_without_a_finished_run_there_are_notes_only(make_run):
    summary = Summary([read_results(make_run("x", trainer__max_updates=900))])
    assert summary.table() == ""
    assert summary.text() == f"{summary.notes()[0]}\n"
