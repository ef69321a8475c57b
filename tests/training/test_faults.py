"""What becomes of a run where the disk fails: at any of its changes, and before it starts."""

import importlib.util
import random
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from nmt.checkpoint import load_bundle
from nmt.evaluation.metrics import Score
from nmt.training import trainer as trainer_module
from nmt.training.validation import Validation

HELPERS = Path(__file__).parents[1] / "system" / "faults.py"
ADVICE = {
    "Full": "free some space and run the same command again",
    "Denied": "make it writable or choose another run_dir",
}
REASON = {"Full": "No space left on device", "Denied": "Permission denied"}


@pytest.fixture(scope="session")
def faults():
    """The module tests/system/faults.py, which pytest's importlib mode puts on no path."""
    specification = importlib.util.spec_from_file_location("nmt_faults", HELPERS)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def rising(monkeypatch):
    """Let every validation find a BLEU as high as its update, so that each is the best so far."""

    def validate(bundle, sources, references, **options):
        return Validation(2.0, Score("BLEU", float(bundle.metadata["updates"]), "scripted"), list(references))

    monkeypatch.setattr(trainer_module, "validate", validate)


@pytest.fixture
def continued(command, rising, tmp_path, saved, metrics):
    """A finished run that may go on for two updates more: its directory, and a function that lets it."""
    words = ["optimizer.schedule=constant", "trainer.log_every=1", "trainer.progress=false", "trainer.ema_decay=0.9"]
    assert command(*words, trainer__max_updates=2).code == 0
    return tmp_path / "run", lambda: command(*words, trainer__max_updates=4)


@pytest.fixture
def result(saved, metrics):
    """All that a run leaves, but clocks and the log."""

    def read(run_dir):
        weights = [(run_dir / part / "model.safetensors").read_bytes() for part in ("best", "last")]
        return sorted(path.name for path in run_dir.iterdir()), saved(run_dir), metrics(run_dir), weights

    return read


def tree(directory):
    """The content of every file below a directory, but the log."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
        if path.name != "train.log"
    }


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["Full", "Denied"])
def test_a_failure_of_any_change_on_disk_is_one_line_and_costs_nothing(faults, continued, result, same, tmp_path, kind):
    run_dir, go_on = continued
    begun, seen, failed = tmp_path / "begun", [], 0
    shutil.copytree(run_dir, begun)
    with faults.Disk(faults.NoFault(), run_dir) as disk:
        assert go_on().code == 0
    expected = result(run_dir)
    changes = [what for what, _ in disk.made]
    assert {"open", "write", "fsync", "rename", "remove"} <= set(changes)

    for at in range(len(changes)):
        if kind == "Full" and changes[at] not in faults.TAKES_SPACE:
            continue
        shutil.rmtree(run_dir)
        shutil.copytree(begun, run_dir)
        with faults.Disk(faults.FAULTS[kind](at), run_dir) as disk:
            finished = go_on()
        where = (at, *disk.made[at], finished.err)
        assert "Traceback" not in finished.err, where
        if finished.code:
            failed += 1
            assert len(finished.errors) == 1, where
            check_message(finished, run_dir, kind, where)
        for part in ("best", "last"):
            load_bundle(run_dir / part)
        left = tree(run_dir)
        if left not in seen:
            seen.append(left)
            again = go_on()
            assert again.code == 0, (where, again.err)
            assert same(result(run_dir), expected), where
    assert failed > 40


def check_message(finished, run_dir, kind, where):
    """The one line says what failed and what to do."""
    (line,) = finished.errors
    if finished.code == 2:  # nothing was begun
        assert line == (
            f"nmt-train: error: run_dir={run_dir} cannot be written ({REASON[kind]}); choose another run_dir"
        ), where
        return
    assert finished.code == 1, where
    assert line.startswith(f"nmt-train: error: cannot save {run_dir}/"), where
    assert line.endswith(f": {REASON[kind]}; what was saved before is intact; {ADVICE[kind]}"), where


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["Full", "Denied"])
def test_a_first_start_that_fails_anywhere_leaves_nothing_in_the_way(
    faults, command, rising, result, same, tmp_path, kind
):
    def start(run_dir):
        return command("trainer.max_updates=1", run_dir=run_dir, corpus__cache_dir=tmp_path / "cache")

    with faults.Disk(faults.NoFault(), tmp_path) as disk:
        assert start(tmp_path / "whole").code == 0
    expected = result(tmp_path / "whole")
    changes = [what for what, _ in disk.made]
    for at in range(0, len(changes), 4):
        if kind == "Full" and changes[at] not in faults.TAKES_SPACE:
            continue
        for name in ("run", "cache"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        with faults.Disk(faults.FAULTS[kind](at), tmp_path) as disk:
            finished = start(tmp_path / "run")
        where = (at, *disk.made[at], finished.err)
        assert "Traceback" not in finished.err, where
        assert len(finished.errors) == (1 if finished.code else 0), where
        again = start(tmp_path / "run")
        assert again.code == 0, (where, again.err)
        assert same(result(tmp_path / "run"), expected), where


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 1 << (place % 8)
    return bytes(changed)


def damages(data, tmp_path):
    """Ways in which a state may be damaged; each with its name."""
    draw = random.Random(1)
    yield from ((f"cut at {part:.0%}", data[: int(len(data) * part)]) for part in (0, 0.001, 0.3, 0.9, 0.999))
    with zipfile.ZipFile(tmp_path / "run" / "state.pt") as archive:
        spans = [(item.header_offset + 128, item.file_size) for item in archive.infolist() if item.file_size > 512]
    assert len(spans) > 10
    for offset, size in spans:
        place = offset + draw.randrange(size - 256)
        yield f"a bit flipped at {place}", flipped(data, place)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("document.txt", "not a state")
    yield "another zip", other.read_bytes()
    torch.save(torch.zeros(3), other)
    yield "a tensor", other.read_bytes()
    yield "an old pickle", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94."


def test_a_damaged_state_is_found_whatever_the_damage(interrupted, command, contents, tmp_path):
    run_dir = interrupted()
    path = run_dir / "state.pt"
    for name, data in damages(path.read_bytes(), tmp_path):
        path.write_bytes(data)
        before = contents(run_dir)
        message = command().mistake
        assert message.startswith(f"{path} cannot be read ("), name
        assert "add trainer.overwrite=true to start anew, or choose another run_dir" in message, name
        assert contents(run_dir) == before, name
