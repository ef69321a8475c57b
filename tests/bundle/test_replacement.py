"""Saving bundles: no kill at any moment and no save beside it costs what was saved before."""

import errno
import itertools
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nmt.bundle import replacement
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import Tying
from nmt.errors import BundleError, RunError

from .conftest import siblings


class Killed(BaseException):
    """The process died here: nothing of it runs any more."""


class Executioner:
    """Lets so many operations on files pass, leaves the next one half done, and stops all that follow."""

    def __init__(self, monkeypatch, *, lives):
        self.lives = lives
        self.really = {"write": replacement.write_flushed, "rename": os.rename, "rmtree": shutil.rmtree}
        monkeypatch.setattr(replacement, "write_flushed", self.write)
        monkeypatch.setattr(replacement.os, "rename", self.rename)
        monkeypatch.setattr(replacement.shutil, "rmtree", self.rmtree)

    def lives_on(self):
        self.lives -= 1
        return self.lives >= 0

    def write(self, path, content):
        if self.lives_on():
            return self.really["write"](path, content)
        if self.lives == -1:
            path.write_bytes(content[: len(content) // 2])
        raise Killed

    def rename(self, old, new):
        if self.lives_on():
            return self.really["rename"](old, new)
        raise Killed

    def rmtree(self, path, ignore_errors=False):
        if not Path(path).exists():
            return None
        if self.lives_on():
            return self.really["rmtree"](path, ignore_errors=ignore_errors)
        if self.lives == -1:
            min(Path(path).iterdir()).unlink()
        raise Killed


def save_and_die(bundle, path, *, lives):
    """Save until killed; returns whether that happened."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        Executioner(monkeypatch, lives=lives)
        try:
            save_bundle(bundle, path)
        except Killed:
            return True
    return False


def test_killed_at_any_moment_the_old_or_the_new_bundle_is_whole(make_bundle, loaded_updates, tmp_path):
    bundles = {1: make_bundle(1, joint=False, tying=Tying.none), 2: make_bundle(2), 3: make_bundle(3)}
    found = []
    for lives in itertools.count():
        path = tmp_path / str(lives) / "best"
        save_bundle(bundles[1], path)
        killed = save_and_die(bundles[2], path, lives=lives)
        found.append(loaded_updates(path, bundles))
        save_bundle(bundles[3], path)
        assert loaded_updates(path, bundles) == 3
        assert siblings(path) == []
        if not killed:
            break
    # First the old one, and from some moment on the new one: four files and a rename make it whole.
    assert found == sorted(found)
    assert found.count(1) >= 5
    assert found.count(2) >= 3


def test_killed_twice_one_of_the_three_is_whole(make_bundle, loaded_updates, tmp_path):
    bundles = {1: make_bundle(1), 2: make_bundle(2), 3: make_bundle(3)}
    seen = set()
    for first in itertools.count():
        for second in itertools.count():
            path = tmp_path / f"{first}-{second}" / "best"
            save_bundle(bundles[1], path)
            killed = save_and_die(bundles[2], path, lives=first)
            killed_again = save_and_die(bundles[3], path, lives=second)
            seen.add(loaded_updates(path, bundles))
            if not killed_again:
                assert loaded_updates(path, bundles) == 3
                assert siblings(path) == []
                break
        if not killed:
            break
    assert seen == {1, 2, 3}


def test_killed_during_the_first_save_there_is_no_bundle_or_a_whole_one(make_bundle, assert_same_bundle, tmp_path):
    bundle = make_bundle(1)
    runs = set()
    for lives in itertools.count():
        path = tmp_path / str(lives) / "best"
        killed = save_and_die(bundle, path, lives=lives)
        try:
            assert_same_bundle(load_bundle(path), bundle)
            runs.add("whole")
        except BundleError as error:
            runs.add(str(error))
        if not killed:
            break
    nothing = "{} does not exist; name a directory that nmt-train made, such as runs/demo/best"
    assert "whole" in runs
    assert runs - {"whole"} == {nothing.format(tmp_path / str(lives) / "best") for lives in range(len(runs) - 1)}


def test_saves_by_several_at_once_wait_for_one_another(make_bundle, assert_same_bundle, tmp_path, monkeypatch):
    """nmt-export may write into the bundle that a training is just replacing."""
    path = tmp_path / "best"
    really, at_once, most = replacement.write_flushed, [], []

    def write(*arguments):
        at_once.append(True)
        most.append(len(at_once))
        time.sleep(0.01)
        really(*arguments)
        at_once.pop()

    monkeypatch.setattr(replacement, "write_flushed", write)
    bundles = [make_bundle(seed) for seed in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda bundle: save_bundle(bundle, path), bundles))
    assert set(most) == {1}
    loaded = load_bundle(path)
    assert_same_bundle(loaded, bundles[loaded.metadata["updates"] - 1])
    assert siblings(path) == []


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_what_a_link_leads_to_is_replaced(make_bundle, loaded_updates, tmp_path, monkeypatch):
    bundles = {seed: make_bundle(seed) for seed in (1, 2, 3)}
    path, link = tmp_path / "run" / "best", tmp_path / "current"
    save_bundle(bundles[1], path)
    link.symlink_to(path)
    save_bundle(bundles[2], link)
    assert loaded_updates(path, bundles) == 2
    monkeypatch.chdir(path)
    save_bundle(bundles[3], Path("."))
    assert loaded_updates(path, bundles) == 3
    assert link.is_symlink()
    assert sorted(other.name for other in tmp_path.iterdir()) == ["current", "run"]
    assert siblings(path) == []


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("error", [OSError(errno.EBUSY, os.strerror(errno.EBUSY)), KeyboardInterrupt()])
@pytest.mark.parametrize("exists", [True, False])
def test_a_swap_that_fails_leaves_nothing_behind(
    make_bundle, loaded_updates, tmp_path, monkeypatch, number, error, exists
):
    """What it left would be taken for an interrupted save by the next one, and replace what lies there then."""
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    if exists:
        save_bundle(bundles[1], path)
    really, calls = replacement.os.rename, []

    def rename(old, new):
        calls.append(new)
        if len(calls) == number:
            raise error
        really(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(replacement.os, "rename", rename)
        if number == 3 and not exists:  # there are two renames then
            save_bundle(bundles[1], path)
        else:
            with pytest.raises((RunError, KeyboardInterrupt)):
                save_bundle(bundles[2], path)
    assert siblings(path) == []
    if exists or number == 3:
        assert loaded_updates(path, bundles) == 1
    else:
        assert not path.exists()


def test_what_a_save_left_that_was_killed_before_the_swap_replaces_nothing(make_bundle, loaded_updates, tmp_path):
    """Somebody may have put another bundle there since."""
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    save_bundle(bundles[1], path)
    save_bundle(bundles[2], path.with_name("best.new"))
    replacement.finish_saving(path)
    assert loaded_updates(path, bundles) == 1
    assert siblings(path) == []
