"""A run whose best bundle is lost: it is said, and written anew where the run goes on."""

import shutil

import pytest

from nmt.bundle.weights import load_bundle
from nmt.training.trainer import Trainer


@pytest.fixture(params=["gone", "emptied"])
def lose_best(request):
    """A function that takes the best bundle from a run; returns what is said of it."""

    def lose(run_dir):
        if request.param == "gone":
            (run_dir / "best").rename(run_dir.parent / "elsewhere")
            return f"{run_dir / 'best'} is missing"
        (run_dir / "best" / "model.safetensors").write_bytes(b"")
        return f"{run_dir / 'best' / 'model.safetensors'} is missing or damaged ("

    return lose


def test_a_finished_run_without_its_best_bundle_says_so(command, lose_best, contents, tmp_path):
    run_dir = tmp_path / "run"
    command("optimizer=adamw_open_end")
    reason = lose_best(run_dir)
    before = contents(run_dir)
    message = command("optimizer=adamw_open_end").mistake
    assert message.startswith(reason)
    assert message.endswith(
        f", and the run in {run_dir} is finished, so that nothing writes it again; put it back, "
        f"take {run_dir / 'last'}, or add trainer.overwrite=true to start anew"
    )
    assert contents(run_dir) == before
    # With more updates there is a next validation.
    further = command("optimizer=adamw_open_end", trainer__max_updates=6)
    assert further.code == 0
    assert "the next validation writes it anew" in further.err
    assert load_bundle(run_dir / "best").metadata["updates"] == 6


def test_a_run_that_goes_on_without_its_best_bundle_writes_it_anew(
    interrupted, command, lose_best, metrics, same, saved, tmp_path
):
    whole = command(run_dir=tmp_path / "whole")
    assert whole.code == 0
    run_dir = interrupted()
    reason = lose_best(run_dir)
    finished = command()
    assert finished.code == 0
    [line] = [line for line in finished.err.splitlines() if "the next validation writes it anew" in line]
    assert line.startswith(reason)
    assert load_bundle(run_dir / "best").metadata["updates"] == 4
    state, expected = saved(run_dir), saved(tmp_path / "whole")
    assert state["position"]["best_update"] == 4
    for part in ("model", "optimizer", "average"):
        assert same(state[part], expected[part])


def test_a_best_bundle_that_somebody_takes_during_the_training_is_told(command, monkeypatch, tmp_path):
    finish = Trainer._finish

    def finished(self):
        finish(self)
        shutil.rmtree(self.config.directory / "best")

    monkeypatch.setattr(Trainer, "_finish", finished)
    ended = command()
    assert ended.code == 1
    assert ended.errors == [
        f"nmt-train: error: {tmp_path / 'run' / 'best'} is missing: somebody else changed it during the training; "
        f"take {tmp_path / 'run' / 'last'}"
    ]
    assert "the translator is in" not in ended.err
