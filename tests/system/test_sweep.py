import pytest

from nmt.training.state import load_state


@pytest.fixture
def brief(tiny):
    return [*tiny, "trainer.max_updates=2", "trainer.validate_every=2"]


def test_a_sweep_is_a_run_for_each_value(nmt_train, brief, tmp_path):
    finished = nmt_train("-m", "seed=1,2", *brief)
    assert (finished.code, finished.out) == (0, "")
    runs = [path for path in (tmp_path / "run").iterdir() if path.is_dir()]
    assert sorted(path.name for path in runs) == ["seed=1", "seed=2"]
    states = {path.name: load_state(path / "state.pt") for path in runs}
    assert [states[f"seed={seed}"].config["seed"] for seed in (1, 2)] == [1, 2]
    for path in runs:
        assert f"run_dir: run/{path.name}\n" in (path / "config.yaml").read_text(encoding="utf-8")
        assert (path / "best" / "model.safetensors").exists()
    assert (tmp_path / "run" / "seed=1" / "metrics.jsonl").read_bytes() != (
        tmp_path / "run" / "seed=2" / "metrics.jsonl"
    ).read_bytes()


def test_a_job_that_fails_does_not_end_the_sweep(nmt_train, brief, tmp_path):
    finished = nmt_train("-m", "optimizer.lr=1e-3,-1,2e-3", *brief)
    assert (finished.code, finished.out) == (2, "")
    lines = finished.err.splitlines()
    reason = "optimizer.lr=-1.0 is not possible: it must be above 0, at most 1000"
    assert [line for line in lines if line.startswith("nmt-train: ")] == [
        f"nmt-train: error: {reason}; the sweep goes on with its next job"
    ]
    trained = sorted(path.parent.name for path in (tmp_path / "run").glob("*/state.pt"))
    assert trained == ["optimizer.lr=0.001", "optimizer.lr=0.002"]

    # At the end there is one table of all of them, and the same in a file.
    head = next(number for number, line in enumerate(lines) if line.startswith("optimizer.lr  runs  validation chrF2"))
    assert {line.split()[0] for line in lines[head + 1 : head + 3]} == {"0.001", "0.002"}
    assert lines[-2:] == [f"failed: run/optimizer.lr=-1: {reason}", "this table: run/sweep.md"]
    table = (tmp_path / "run" / "sweep.md").read_text(encoding="utf-8")
    assert table.count("\n| 0.00") == 2
    assert (tmp_path / "run" / "optimizer.lr=-1" / "failure.txt").read_text(encoding="utf-8") == f"{reason}\n"
