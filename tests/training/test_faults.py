"""What becomes of a run where the disk fails: at any of its changes, and before it starts."""

import io
import itertools
import random
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.cli.common import run as command_run
from nmt.config.choices import Schedule
from nmt.errors import ConfigError
from nmt.evaluation.metrics import Score
from nmt.training import trainer as trainer_module
from nmt.training.run import run
from nmt.training.state import load_state
from nmt.training.validation import Validation

from ..system import faults as faults_module

ADVICE = {
    "Full": "free some space and run the same command again",
    "Denied": "make it writable or choose another run_dir",
}
REASON = {"Full": "No space left on device", "Denied": "Permission denied"}


@pytest.fixture(scope="session")
def faults():
    """The module tests/system/faults.py."""
    return faults_module


@pytest.fixture
def trained(make_config, monkeypatch, capsys):
    """A function that trains in a directory, as nmt-train does but for Hydra, and tells its exit code and stderr.

    Every validation finds scores as high as its update, so that each is the best so far. The clock goes on by a second
    each time that it is read, so that equal runs leave equal files.
    """

    def validate(task, bundle, texts, **options):
        score = Score("any", float(bundle.metadata["updates"]), "scripted")
        return Validation(2.0, {"bleu": score, "chrf": score}, "greedy", texts[None].target)

    monkeypatch.setattr(trainer_module, "validate_all", validate)

    def train(run_dir, **changes):
        settings = {
            "optimizer__schedule": Schedule.constant,
            "trainer__validate_every": 2,
            "trainer__batch_tokens": 200,
        }
        config = make_config(run_dir, subwords__sampling_alpha=0.0, **settings, **changes)
        capsys.readouterr()
        clock = SimpleNamespace(monotonic=map(float, itertools.count()).__next__)
        monkeypatch.setattr(trainer_module, "time", clock)
        code = command_run(lambda: run(config), "nmt-train")
        return code, capsys.readouterr().err

    return train


@pytest.fixture
def result(saved, metrics):
    """All that a run leaves, but clocks and the log."""

    def read(run_dir):
        weights = [(run_dir / part / "model.safetensors").read_bytes() for part in ("best", "last")]
        return sorted(path.name for path in run_dir.iterdir()), saved(run_dir), metrics(run_dir), weights

    return read


def tree(directory):
    """The content of every file below a directory but the log, and of what was never finished only the name."""
    found = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        unfinished = ".partial" in name
        if path.name != "train.log" and not (unfinished and "/" in name):
            found[name] = path.read_bytes() if path.is_file() and not unfinished else None
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_a_failure_of_any_change_on_disk_is_one_line_and_costs_nothing(faults, trained, result, same, tmp_path):
    run_dir, begun, seen, failed = tmp_path / "run", tmp_path / "begun", [], 0
    assert trained("run", trainer__max_updates=2)[0] == 0
    shutil.copytree(run_dir, begun)
    with faults.Disk(faults.NoFault(), run_dir) as disk:
        assert trained("run", trainer__max_updates=4)[0] == 0
    expected, changes = result(run_dir), disk.made
    assert {"open", "write", "fsync", "rename", "remove"} <= {what for what, _ in changes}

    for at, kind in itertools.product(range(len(changes)), ADVICE):
        what, path = changes[at]
        if kind == "Full" and what not in faults.TAKES_SPACE:
            continue
        shutil.rmtree(run_dir)
        shutil.copytree(begun, run_dir)
        with faults.Disk(faults.FAULTS[kind](at), run_dir):
            code, err = trained("run", trainer__max_updates=4)
        where = (kind, at, what, path, err)
        assert "Traceback" not in err, where
        if code:
            failed += 1
            check_message(code, err, run_dir, kind, where)
        left = tree(run_dir)
        if left not in seen:
            seen.append(left)
            for part in ("best", "last"):
                load_bundle(run_dir / part)
            code, err = trained("run", trainer__max_updates=4)
            assert code == 0, (where, err)
            assert same(result(run_dir), expected), where
    assert failed > 80


def check_message(code, err, run_dir, kind, where):
    """The one line says what failed and what to do."""
    (line,) = (line for line in err.splitlines() if line.startswith("nmt-train: "))
    if code == 2:  # nothing was begun
        assert line == (
            f"nmt-train: error: run_dir={run_dir} cannot be written ({REASON[kind]}); choose another run_dir"
        ), where
        return
    assert code == 1, where
    assert line.startswith(f"nmt-train: error: cannot save {run_dir}/"), where
    assert line.endswith(f": {REASON[kind]}; what was saved before is intact; {ADVICE[kind]}"), where


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["Full", "Denied"])
def test_a_first_start_that_fails_leaves_nothing_in_the_way(faults, trained, result, same, tmp_path, kind):
    settings = {"trainer__max_updates": 2, "corpus__cache_dir": str(tmp_path / "cache")}
    with faults.Disk(faults.NoFault(), tmp_path) as disk:
        assert trained("run", **settings)[0] == 0
    expected, changes = result(tmp_path / "run"), disk.made
    # At every seventh change the disk fails, in one of both ways.
    for at in range({"Full": 0, "Denied": 7}[kind], len(changes), 14):
        if kind == "Full" and changes[at][0] not in faults.TAKES_SPACE:
            continue
        for name in ("run", "cache"):
            shutil.rmtree(tmp_path / name)
        with faults.Disk(faults.FAULTS[kind](at), tmp_path):
            code, err = trained("run", **settings)
        where = (at, *changes[at], err)
        assert "Traceback" not in err, where
        assert err.count("nmt-train: error: ") == (1 if code else 0), where
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "cache").mkdir(exist_ok=True)
        code, err = trained("run", **settings)
        assert code == 0, (where, err)
        assert same(result(tmp_path / "run"), expected), where


def flipped(data, place):
    changed = bytearray(data)
    changed[place] ^= 1 << (place % 8)
    return bytes(changed)


def damages(data):
    """Ways in which a state may be damaged; each with its name."""
    draw = random.Random(1)
    yield from ((f"cut at {part:.1%}", data[: int(len(data) * part)]) for part in (0, 0.001, 0.3, 0.9, 0.999))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        spans = [(item.header_offset + 256, item.file_size) for item in archive.infolist() if item.file_size > 1024]
    assert len(spans) > 10
    for offset, size in spans:
        place = offset + draw.randrange(size - 256)
        yield f"a bit flipped at {place}", flipped(data, place)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("document.txt", "not a state")
    yield "another zip", other.getvalue()
    other = io.BytesIO()
    torch.save(torch.zeros(3), other)
    yield "a tensor", other.getvalue()
    yield "a pickle", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94."


def test_a_damaged_state_is_found_whatever_the_damage(interrupted, command, contents):
    run_dir = interrupted()
    path = run_dir / "state.pt"
    for name, data in damages(path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(ConfigError) as error:
            load_state(path)
        assert str(error.value).startswith(f"{path} cannot be read ("), name
        assert "add trainer.overwrite=true to start anew, or choose another run_dir" in str(error.value), name
        assert "\n" not in str(error.value), name
        if name.startswith("a "):
            continue
        before = contents(run_dir)
        assert command().mistake == str(error.value), name
        assert contents(run_dir) == before, name
