"""What becomes of a run whose disk is full, or whose state is damaged."""

import os
import resource
from pathlib import Path

import pytest
import torch

from nmt.bundle.weights import load_bundle


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "newer", "other"])
def test_a_damaged_state_is_told_and_the_bundles_stay(interrupted, command, damage):
    run_dir = interrupted()
    path = run_dir / "state.pt"
    data = path.read_bytes()
    if damage in ("newer", "other"):
        torch.save({"format": 99} if damage == "newer" else {"format": 1, "weights": 1}, path)
    else:
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "text": b"hello\n" * 100}[damage])
    message = command().mistake
    if damage == "newer":
        assert message == f"{path} has state format 99, this nmt reads 1; use trainer.overwrite=true"
    else:
        assert message.startswith(f"{path} cannot be read (")
        assert message.endswith(
            "so the run cannot be resumed; add trainer.overwrite=true to start anew, "
            "or choose another run_dir (its bundles still translate)"
        )
    assert load_bundle(run_dir / "best").metadata["updates"] == 2


def test_a_state_runs_no_code(command, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()

    class Trap:
        def __reduce__(self):
            return (Path.touch, (run_dir / "trapped",))

    torch.save({"format": 1, "config": Trap()}, run_dir / "state.pt")
    assert "cannot be read" in command().mistake
    assert not (run_dir / "trapped").exists()


@pytest.fixture
def full_disk():
    """Refuse every file above a size, as a full disk does, until called with None."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))

    yield limit
    limit(None)


@pytest.mark.parametrize("size", [50_000, 150_000])  # too small for the weights; for the state
def test_a_full_disk_costs_nothing_that_was_saved(
    interrupted, command, full_disk, same, saved, metrics, tmp_path, size
):
    whole = command(run_dir=tmp_path / "whole")
    run_dir = interrupted()
    assert whole.code == 0
    assert 50_000 < (run_dir / "last" / "model.safetensors").stat().st_size < 150_000
    assert (run_dir / "state.pt").stat().st_size > 150_000
    full_disk(size)
    finished = command()
    full_disk(None)
    assert finished.code == 1
    assert "Traceback" not in finished.err
    name = run_dir / ("last" if size == 50_000 else "state.pt")
    assert finished.errors == [
        f"nmt-train: error: cannot save {name}: File too large; what was saved before is intact; "
        "raise the limit of a file's size (ulimit -f) and run the same command again"
    ]
    assert saved(run_dir)["position"]["update"] == 3
    load_bundle(run_dir / "best")
    assert load_bundle(run_dir / "last").metadata["updates"] == (2 if size == 50_000 else 4)
    assert not list(run_dir.glob("*partial*"))
    assert command().code == 0
    assert same(saved(run_dir), saved(tmp_path / "whole"))
    assert metrics(run_dir) == metrics(tmp_path / "whole")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_under_the_log(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "train.log").symlink_to("/dev/full")
    finished = command()
    assert finished.code == 1
    assert "Traceback" not in finished.err
    assert finished.errors == [
        f"nmt-train: error: cannot save {tmp_path / 'run' / 'train.log'}: No space left on device; "
        "what was saved before is intact; free some space and run the same command again"
    ]
