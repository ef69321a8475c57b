"""The jobs of a sweep: what fails is told of, kept and passed over; what is trained is compared."""

import errno

import pytest

from nmt.cli.hydra.sweep import TABLE, Sweep
from nmt.cli.hydra.train import main
from nmt.errors import ConfigError, RunError
from nmt.runs.results import FAILURE, record_failure
from nmt.version import __version__

OWN = ["corpus.train=x", "corpus.source=en", "corpus.target=de"]


def failing(error):
    def train():
        raise error

    return train


def test_a_failed_job_is_told_of_and_kept_and_the_next_one_runs(make_run, tmp_path, capsys):
    runs = tmp_path / "runs"
    sweep = Sweep("nmt-train")
    sweep.job(runs / "seed=1", failing(ConfigError("no\nsuch text")))
    sweep.job(runs / "seed=2", lambda: make_run("seed=2"))
    assert (runs / "seed=1" / FAILURE).read_text(encoding="utf-8") == "no such text\n"
    assert capsys.readouterr().err == "nmt-train: error: no such text; the sweep goes on with its next job\n"
    table = (runs / TABLE).read_text(encoding="utf-8")
    assert table.startswith("# Runs of a sweep\n\n| runs | validation BLEU | updates | minutes |\n")
    assert "\n| 1 | 12.50 | 200 | 2.0 |\n" in table
    assert table.endswith(f"- failed: {runs / 'seed=1'}: no such text\n")

    assert sweep.finish() == 2
    assert capsys.readouterr().err.splitlines() == [
        "",
        "runs  validation BLEU  updates  minutes",
        "   1            12.50      200      2.0",
        "",
        "validation BLEU: the best of a run, greedy, nrefs:1|tok:13a",
        f"failed: {runs / 'seed=1'}: no such text",
        f"this table: {runs / TABLE}",
    ]


def test_a_defect_leaves_its_traceback_and_ends_in_exit_code_1(tmp_path, capsys):
    sweep = Sweep("nmt-train")
    sweep.job(tmp_path / "a", failing(ZeroDivisionError("by\nzero")))
    sweep.job(tmp_path / "b", failing(ConfigError("a mistake")))
    message = f"ZeroDivisionError: by zero; this is a defect of nmt {__version__}: please report it"
    first, *rest = (tmp_path / "a" / FAILURE).read_text(encoding="utf-8").splitlines()
    assert first == message
    assert rest[:2] == ["", "Traceback (most recent call last):"]
    assert "in failing" not in rest
    assert any("raise error" in line for line in rest)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == (
        f"nmt-train: error: {message} with the lines in {tmp_path / 'a' / FAILURE}; the sweep goes on with its next job"
    )
    assert sweep.finish() == 1


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RunError("training diverged"), 1, "training diverged"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "/x: No space left on device; free some space"),
        (MemoryError(), 1, "out of memory; use smaller batches"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/y"), 2, "/y: No such file"),
    ],
)
def test_the_exit_code_is_that_of_the_worst_failure(tmp_path, error, code, message):
    sweep = Sweep("nmt-train")
    sweep.job(tmp_path / "a", failing(error))
    assert (tmp_path / "a" / FAILURE).read_text(encoding="utf-8").startswith(message)
    assert sweep.finish() == code


def test_a_job_that_succeeds_at_last_has_not_failed(make_run, tmp_path):
    record_failure(tmp_path / "runs" / "seed=1", "disk full")
    (tmp_path / "runs" / "seed=1" / FAILURE).rename(tmp_path / "kept")
    directory = make_run("seed=1")
    (tmp_path / "kept").rename(directory / FAILURE)
    sweep = Sweep("nmt-train")
    sweep.job(directory, lambda: None)
    assert not (directory / FAILURE).exists()
    assert sweep.finish() == 0


def test_a_signal_ends_the_sweep(make_run, tmp_path):
    sweep = Sweep("nmt-train")
    sweep.job(tmp_path / "runs" / "seed=1", lambda: make_run("seed=1"))
    with pytest.raises(KeyboardInterrupt):
        sweep.job(tmp_path / "runs" / "seed=2", failing(KeyboardInterrupt()))
    assert not (tmp_path / "runs" / "seed=2").exists()
    assert (tmp_path / "runs" / TABLE).exists()


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """The seeds that nmt-train trains in this process, where seed 2 meets a defect."""
    seeds = []

    def run(config, *, chosen):
        seeds.append(config.seed)
        if config.seed == 2:
            raise RuntimeError("boom")

    monkeypatch.setattr("nmt.training.run.run", run)
    monkeypatch.chdir(tmp_path)
    return seeds


def test_the_command_goes_on_after_a_defect(trained, tmp_path, capsys):
    assert main(["-m", "seed=1,2,3", *OWN]) == 1
    assert trained == [1, 2, 3]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0].startswith("nmt-train: error: RuntimeError: boom; this is a defect of nmt ")
    assert "Traceback" not in printed.err
    assert [path.parent.name for path in tmp_path.rglob(FAILURE)] == ["seed=2"]
    assert (tmp_path / "runs" / "run" / TABLE).exists()


def test_a_run_by_itself_forgets_the_failure_once_it_has_succeeded(trained, tmp_path, capsys):
    for seed in (1, 2):
        directory = tmp_path / f"seed={seed}"
        record_failure(directory, "disk full")
        assert main([f"seed={seed}", f"run_dir={directory}", *OWN]) == seed - 1
        assert (directory / FAILURE).exists() == (seed == 2)
    assert "Traceback" in capsys.readouterr().err
