"""What a real run leaves is read back as it was."""

import os
import sys
from pathlib import Path

import pytest

from nmt.bundle.weights import load_bundle
from nmt.runs.results import (
    read_metrics,
    read_results,
)
from nmt.training.run import run
from nmt.training.state import load_state


def test_a_real_run_is_read_as_it_was(make_config, corpus):
    config = make_config()
    config.corpus.test = str(corpus / "test")
    run(config)
    run_dir = Path(config.run_dir)
    results, position = read_results(run_dir), load_state(run_dir / "state.pt").position
    metadata = load_bundle(run_dir / "best").metadata
    assert (results.finished, results.failure, results.problems) == (True, "", ())
    assert results.updates == position.update == 24
    assert results.minutes == pytest.approx(position.seconds / 60, abs=1e-3)
    assert results.score == pytest.approx(position.best_score, abs=1e-3)
    assert metadata["validation"].startswith(f"BLEU {results.bleu:.2f} (")
    assert f"; chrF2 {results.score:.2f} ({results.signature}), greedy, perplexity " in metadata["validation"]
    assert metadata["test"].startswith(f"BLEU {results.test_score('bleu'):.2f} (")
    assert f"; chrF2 {results.test_score('chrf'):.2f} ({results.signature}), beam 5, " in metadata["test"]
    assert results.test_scores["chrf"].how == f"beam 5, {results.signature}"
    assert results.settings["optimizer.lr"] == 5e-3
    assert results.settings["model.cell"] == "lstm"


def test_a_run_that_was_stopped_is_unfinished(interrupted):
    assert not read_results(interrupted()).finished


def test_a_run_that_validated_after_the_last_batch_of_its_epochs_is_finished(command, tmp_path):
    assert (
        command(trainer__max_epochs=1, trainer__max_updates=900, trainer__patience=0, trainer__validate_every=1).code
        == 0
    )
    results = read_results(tmp_path / "run")
    assert results.updates == read_metrics(tmp_path / "run" / "metrics.jsonl").of("validation")[-1]["update"] > 1
    assert results.finished


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' paths are Unicode")
def test_a_path_that_it_cannot_write_to_is_refused_before_anything_is_made(command, tmp_path):
    run_dir = tmp_path / os.fsdecode(b"l\xf6c")
    message = command(run_dir=run_dir, trainer__tensorboard="true").mistake
    assert message.startswith("trainer.tensorboard=true needs a path that is UTF-8, and run_dir=")
    assert not run_dir.exists()
