"""The metrics as TensorBoard reads them; where it is not installed, a stand-in shows what it is given."""

import json
import sys
from types import SimpleNamespace

import pytest

from nmt.errors import ConfigError, RunError
from nmt.runs.metrics import Metrics, require_tensorboard


@pytest.fixture
def points(monkeypatch):
    """Stand in for TensorBoard; gives the list of what is called."""
    called = []

    class SummaryWriter:
        def __init__(self, log_dir, purge_step):
            called.append((log_dir, purge_step))

        def add_scalar(self, tag, value, step):
            called.append((tag, value, step))

        def flush(self):
            called.append("flush")

        def close(self):
            called.append("close")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=SummaryWriter))
    return called


def test_numbers_become_points_and_nothing_else_does(points, tmp_path):
    metrics = Metrics(tmp_path / "metrics.jsonl", from_update=0, tensorboard=True)
    metrics.write("train", update=50, loss=2.5, perplexity=None, target_tokens=700)
    metrics.write("validation", update=100, bleu=31.25, signature="nrefs:1")
    metrics.close()
    assert points == [
        (str(tmp_path / "tensorboard"), 1),
        ("train/loss", 2.5, 50),
        ("train/target_tokens", 700, 50),
        "flush",
        ("validation/bleu", 31.25, 100),
        "flush",
        "close",
    ]
    assert len((tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_a_run_that_goes_on_hides_what_came_later(points, tmp_path):
    Metrics(tmp_path / "metrics.jsonl", from_update=70, tensorboard=True).close()
    assert points[0] == (str(tmp_path / "tensorboard"), 71)


def test_a_disk_that_is_full_ends_in_one_error(points, tmp_path, monkeypatch):
    metrics = Metrics(tmp_path / "metrics.jsonl", from_update=0, tensorboard=True)

    def full(self):
        raise OSError(28, "No space left on device")

    writer = sys.modules["torch.utils.tensorboard"].SummaryWriter
    monkeypatch.setattr(writer, "flush", full)
    monkeypatch.setattr(writer, "close", full)
    with pytest.raises(RunError, match=r"cannot save .*tensorboard: No space left on device; what was saved before"):
        metrics.write("train", update=1, loss=1.0)
    metrics.close()


def test_without_tensorboard_it_is_asked_for_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    message = r"trainer\.tensorboard=true needs TensorBoard: pip install tensorboard, or leave it false"
    with pytest.raises(ConfigError, match=message):
        require_tensorboard(tmp_path)
    with pytest.raises(ConfigError, match=message):
        Metrics(tmp_path / "metrics.jsonl", from_update=0, tensorboard=True)
    assert list(tmp_path.iterdir()) == []
    Metrics(tmp_path / "metrics.jsonl", from_update=0).close()


def test_tensorboard_itself_reads_what_a_resumed_run_wrote(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for from_update, updates in ((0, (5, 10, 15)), (10, (11, 16))):
        metrics = Metrics(tmp_path / "metrics.jsonl", from_update=from_update, tensorboard=True)
        for update in updates:
            metrics.write("train", update=update, loss=float(update))
        metrics.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    expected = [(update, float(update)) for update in (5, 10, 11, 16)]
    assert [(point.step, point.value) for point in events.Scalars("train/loss")] == expected
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["update"] for line in lines] == [update for update, _ in expected]
