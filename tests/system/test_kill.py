"""A run that is killed at any moment, time and again, ends as the run that nobody touched: bit for bit."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Precision, Schedule
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.config.train import CorpusConfig, OptimizerConfig, SubwordsConfig, TrainConfig, TrainerConfig
from nmt.training.state import load_state

from .launcher import Launcher

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc, fork and signals")
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
CLOCKED = ("seconds", "target_tokens_per_second", "minutes")
VALIDATE_EVERY = 6


@pytest.fixture
def launcher(tmp_path):
    with Launcher(tmp_path) as launcher:
        yield launcher


def without_clocks(values):
    return {key: value for key, value in values.items() if key not in CLOCKED}


def plain(value):
    """Tensors as bytes, so that trees of them can be compared with ==."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def state_of(run_dir):
    """All of state.pt but the clock."""
    state = load_state(run_dir / "state.pt")
    found = {name: plain(getattr(state, name)) for name in ("model", "optimizer", "average", "corpus_digest")}
    found["position"] = without_clocks(vars(state.position))
    found["sums"] = {key: value for key, value in vars(state.sums).items() if key != "began"}
    return found


def bundle_of(path):
    """All of a bundle but the clock."""
    load_bundle(path)
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    config["metadata"] = without_clocks(config["metadata"])
    del config["files"]["README.md"]  # which tells how many minutes it took
    binary = {file.name: file.read_bytes() for file in path.iterdir() if file.suffix in (".model", ".safetensors")}
    return {"config": config, **binary}


def metrics_of(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [without_clocks(json.loads(line)) for line in lines]


def result_of(run_dir):
    """All that a run leaves, but clocks and the log."""
    return {
        "names": sorted(path.name for path in run_dir.iterdir()),
        "state": state_of(run_dir),
        "best": bundle_of(run_dir / "best"),
        "last": bundle_of(run_dir / "last"),
        "metrics": metrics_of(run_dir),
    }


def wait_for_log(started, text):
    """Wait until the command has logged something."""
    while text not in started.err:
        assert not started.ended(), started.err
        time.sleep(0.001)


def metrics_file(run_dir):
    """What tells a file of metrics from the one that replaces it when a run goes on; None without one."""
    path = run_dir / "metrics.jsonl"
    return path.stat().st_ino if path.exists() else None


def wait_for_update(started, run_dir, number, *, old):
    """Wait until the command has made an update, and said so in metrics that are not the old ones."""
    while metrics_file(run_dir) in (None, old) or updates_made(run_dir) < number:
        assert not started.ended(), started.err
        time.sleep(0.001)


def updates_made(run_dir):
    """The update of the last whole line of metrics."""
    try:
        return json.loads((run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])["update"]
    except (OSError, ValueError, IndexError):
        return 0


def check_what_a_kill_left(run_dir):
    """Load all that is there; returns the update of the state."""
    if not (run_dir / "state.pt").exists():
        return 0
    position = load_state(run_dir / "state.pt").position
    if position.last_validation:
        for part in ("best", "last"):
            load_bundle(run_dir / part)
    return position.update


def test_killed_at_twenty_five_moments_a_run_ends_as_the_one_that_nobody_touched(nmt_train, launcher, tiny, tmp_path):
    for side in ("en", "de"):  # a validation of three lines, of which there are many
        lines = (tmp_path / f"valid.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / f"valid.{side}").write_text("".join(lines[:3]), encoding="utf-8", newline="\n")
    words = [
        *(
            *tiny,
            "subwords.sampling_alpha=0.3",
            "model.dropout=0.2",
            "trainer.ema_decay=0.9",
            "trainer.max_updates=160",
        ),
        *(f"trainer.validate_every={VALIDATE_EVERY}", "trainer.log_every=1", "trainer.patience=0", "corpus.test=valid"),
    ]
    whole = nmt_train(*words, "run_dir=whole", "corpus.cache_dir=another cache")
    assert whole.code == 0, whole.err
    expected = result_of(tmp_path / "whole")
    run_dir, draw = tmp_path / "run", random.Random(1)

    # Some while the corpus is encoded and everything is set up; most some updates after those that are safe.
    moments = [(signal.SIGKILL, None), (signal.SIGKILL, None), (signal.SIGTERM, None), (signal.SIGINT, None)]
    moments += [(number, draw.randint(1, 6)) for number in draw.choices(list(CODES), k=19)]
    moments += [(signal.SIGKILL, None), (signal.SIGINT, None)]
    safe = 0
    for number, ahead in moments:
        old = metrics_file(run_dir)
        started = launcher.start(*words)
        if ahead is not None:
            wait_for_update(started, run_dir, safe + ahead, old=old)
            time.sleep(draw.uniform(0, 0.015))  # an update or two, or a good part of a validation with its saves
        else:
            # Before the command handles signals they would end it in the system's way.
            wait_for_log(started, "" if number == signal.SIGKILL else "\n")
            time.sleep(draw.uniform(0, 0.3))
        started.signal(number)
        assert started.wait() == CODES[number], started.err
        assert "Traceback" not in started.err
        before, safe = safe, check_what_a_kill_left(run_dir)
        assert safe >= before
        if number == signal.SIGKILL:
            assert safe == before or safe % VALIDATE_EVERY == 0
        elif ahead is not None:
            assert safe >= before + ahead
            assert f"{number.name}: saving after this update; once more to stop at once\n" in started.err
    assert 0 < safe < 160
    finished = launcher(*words)
    assert finished.code == 0, finished.err
    assert f"resuming run after update {safe}, " in finished.err
    updates = [line["update"] for line in metrics_of(run_dir) if line["kind"] == "train"]
    assert updates == list(range(1, 161))
    assert result_of(run_dir) == expected


def tree(directory):
    """The content of every file below a directory but the log, and of what was never finished only the name."""
    found = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        unfinished = ".partial" in name
        if path.name != "train.log" and not (unfinished and "/" in name):
            found[name] = path.read_bytes() if path.is_file() and not unfinished else None
    return found


@pytest.fixture
def brief(tmp_path, demo):
    """A configuration of a few updates, on a little text."""
    for side in ("en", "de"):
        lines = (demo / f"train.{side}").read_text(encoding="utf-8").splitlines(keepends=True)
        for name, part in (("train", lines[:100]), ("two", lines[100:102])):
            (tmp_path / f"{name}.{side}").write_text("".join(part), encoding="utf-8", newline="\n")
    return TrainConfig(
        run_dir="run",
        corpus=CorpusConfig(train="train", valid="two", test="two", source="en", target="de", cache_dir="cache"),
        subwords=SubwordsConfig(vocabulary_size=120, sampling_alpha=0.3),
        model=ModelConfig(embedding_size=8, encoder_hidden_size=8, decoder_hidden_size=16, dropout=0.2),
        optimizer=OptimizerConfig(schedule=Schedule.constant),
        search=SearchConfig(beam_size=1, max_length_ratio=0.1),
        trainer=TrainerConfig(
            max_updates=2,
            batch_tokens=200,
            ema_decay=0.9,
            validate_every=2,
            log_every=1,
            precision=Precision.fp32,
            threads=1,
            progress=False,
        ),
    )


def begin_again(run_dir, left):
    shutil.rmtree(run_dir)
    shutil.copytree(left, run_dir)


def test_killed_in_the_place_of_any_change_on_disk_a_run_ends_as_the_untouched_one(
    launcher, brief, tmp_path, tmp_path_factory
):
    run_dir, begun = tmp_path / "run", tmp_path / "begun"
    # The second validation replaces both bundles, and so does the score of the test text the best one.
    assert launcher(config=brief).code == 0
    shutil.copytree(run_dir, begun)
    brief.trainer.max_updates = 4
    assert launcher(config=brief).code == 0
    early, late = result_of(begun), result_of(run_dir)
    assert early["best"] != late["best"]

    copies = tmp_path_factory.mktemp("copies")
    begin_again(run_dir, begun)
    assert launcher(config=brief, fault="Copies", at=copies).code == 0
    seen, found = [], []
    for at in range(len(list(copies.iterdir()))):
        left, probe = copies / str(at) / "run", tmp_path / "probe"
        shutil.copytree(left, probe)  # loading may change it
        weights = [bundle_of(probe / part)["model.safetensors"] for part in ("last", "best")]
        known = [early["best"]["model.safetensors"], late["best"]["model.safetensors"]]
        found.append((*(known.index(one) for one in weights), state_of(probe)["position"]["update"]))
        shutil.rmtree(probe)
        if tree(left) not in seen:
            seen.append(tree(left))
            begin_again(run_dir, left)
            finished = launcher(config=brief)
            assert finished.code == 0, (at, finished.err)
            assert result_of(run_dir) == late, at
    assert at > 60
    # In this order, and not back: last/, best/, state.pt.
    assert list(dict.fromkeys(found)) == [(0, 0, 2), (1, 0, 2), (1, 1, 2), (1, 1, 4)]

    # What is copied in the place of a change is what is left where the process does die there.
    for at in range(3, len(found), 16):
        begin_again(run_dir, begun)
        assert launcher(config=brief, fault="Kill", at=at).code == -signal.SIGKILL
        assert tree(run_dir).keys() == tree(copies / str(at) / "run").keys(), at
