import pytest

from nmt.cli.runs import table
from nmt.runs.results import record_failure


@pytest.fixture
def runs(make_run, tmp_path):
    """A sweep of two seeds and two dropouts, one job of which failed."""
    for seed, bleu in ((1, 20.0), (2, 22.0)):
        make_run(f"lr/dropout=0.1,seed={seed}", (bleu,), seed=seed, model__dropout=0.1)
    make_run("lr/dropout=0.3,seed=1", (25.0,), model__dropout=0.3)
    record_failure(tmp_path / "runs" / "lr" / "dropout=0.3,seed=2", "disk full")
    return tmp_path / "runs" / "lr"


def test_a_sweep_is_one_table(runs, capsysbinary):
    assert table([str(runs)]) == 0
    out, err = capsysbinary.readouterr()
    assert err == b""
    assert out.decode("utf-8").splitlines() == [
        "model.dropout  runs  validation BLEU  updates  minutes",
        "0.3               1            25.00      100      1.0",
        "0.1               2     21.00 ± 1.41      100      1.0",
        "",
        "mean ± sample standard deviation over the runs of the same settings",
        "validation BLEU: the best of a run, greedy, nrefs:1|tok:13a",
        f"failed: {runs / 'dropout=0.3,seed=2'}: disk full",
    ]


def test_a_run_that_is_named_twice_counts_once(runs, capsys):
    assert table(["--format", "tsv", str(runs), str(runs / "dropout=0.1,seed=1"), str(runs / ".." / "lr")]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["model.dropout", "runs"],
        ["0.3", "1"],
        ["0.1", "2"],
    ]
    assert err.splitlines()[-1] == f"nmt runs table: failed: {runs / 'dropout=0.3,seed=2'}: disk full"


def test_unfinished_runs_count_where_that_is_asked_for(make_run, capsys):
    directory = make_run("going", trainer__max_updates=900)
    assert table([str(directory)]) == 0
    assert capsys.readouterr().out == f"unfinished: {directory}: update 200 of 900, validation BLEU 12.50 so far\n"
    assert table([str(directory), "--unfinished", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| runs | validation BLEU | updates | minutes |\n")


def test_damaged_metrics_are_a_warning(make_run, capsys):
    path = make_run("one") / "metrics.jsonl"
    path.write_text("oops\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert table([str(path.parent)]) == 0
    out, err = capsys.readouterr()
    assert "12.50" in out
    assert err == f"nmt runs table: warning: {path}: line 1 is damaged and left out\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "there is no directory nowhere; name a run directory, or one that holds several"),
        (["."], "there is no run in .; name a run directory, such as runs/demo, or one above it"),
        ([".", "--format", "html"], "argument --format: invalid choice: 'html'"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert table(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"nmt runs table: error: {message}")
