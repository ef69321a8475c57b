"""Saving bundles: no kill at any moment, failing disk or full disk costs what was saved before."""

import errno
import itertools
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import nmt
from nmt.bundle import description, replacement, weights
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import Tying
from nmt.errors import BundleError, ConfigError, RunError


def siblings(path):
    return sorted(other.name for other in path.parent.iterdir() if other != path)


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


@pytest.fixture
def loaded_updates(assert_same_bundle):
    """A function that loads a bundle, which must be one of these, whole, and says which."""

    def load(path, bundles):
        loaded = load_bundle(path)
        updates = loaded.metadata["updates"]
        assert_same_bundle(loaded, bundles[updates])
        return updates

    return load


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


def save_watched(bundle, path):
    """Save, and load before every operation on files: returns what was found, updates or the error's text."""
    found, looking = [], []

    def watched(really):
        def operation(*arguments, **options):
            if not looking:  # the reader's own operations are not watched
                looking.append(True)
                try:
                    found.append(load_bundle(path).metadata["updates"])
                except BundleError as error:
                    found.append(str(error).removeprefix(f"{path} "))
                looking.clear()
            return really(*arguments, **options)

        return operation

    with pytest.MonkeyPatch.context() as monkeypatch:
        for place, name in [(replacement, "write_flushed"), (replacement.os, "rename"), (replacement.shutil, "rmtree")]:
            monkeypatch.setattr(place, name, watched(getattr(place, name)))
        save_bundle(bundle, path)
    return found


def test_a_reader_does_not_disturb_a_writer(make_bundle, loaded_updates, tmp_path):
    """Someone may translate with runs/demo/best at any moment of the training that replaces it."""
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    nothing = "does not exist; name a directory that nmt-train made, such as runs/demo/best"
    found = save_watched(bundles[1], path)
    assert found == [nothing] * found.count(nothing) + [1] * found.count(1)
    assert found.count(nothing) >= 4
    assert loaded_updates(path, bundles) == 1
    found = save_watched(bundles[2], path)
    assert found == [1] * found.count(1) + [2] * found.count(2)
    assert found.count(1) >= 5
    assert found.count(2) >= 1
    assert loaded_updates(path, bundles) == 2
    assert siblings(path) == []


@pytest.mark.parametrize(("left", "expected"), [({"new": 2, "old": 1}, 2), ({"old": 1}, 1), ({"new": 2}, 2)])
def test_an_interrupted_swap_loads_where_nothing_can_be_written(
    make_bundle, loaded_updates, tmp_path, monkeypatch, left, expected
):
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    for suffix, seed in left.items():
        save_bundle(bundles[seed], path.with_name(f"best.{suffix}"))

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:
        patched.setattr(replacement.os, "rename", refuse)
        assert loaded_updates(path, bundles) == expected
    assert not path.exists()
    assert loaded_updates(path, bundles) == expected
    assert path.exists()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space and run the same command again"),
        (errno.EDQUOT, "free some space and run the same command again"),
        (errno.EFBIG, "raise the limit of a file's size (ulimit -f) and run the same command again"),
        (errno.EROFS, "make it writable or choose another run_dir"),
        (errno.EIO, "make it writable or choose another run_dir"),
    ],
)
@pytest.mark.parametrize("at", ["write_flushed", "rename"])
def test_a_failing_disk_costs_nothing_that_was_saved(
    make_bundle, assert_same_bundle, tmp_path, monkeypatch, number, advice, at
):
    path = tmp_path / "best"
    save_bundle(make_bundle(1), path)

    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(replacement if at == "write_flushed" else replacement.os, at, fail)
        with pytest.raises(RunError) as caught:
            save_bundle(make_bundle(2), path)
    assert str(caught.value) == (
        f"cannot save {path}: {os.strerror(number)}; what was saved before is intact; {advice}"
    )
    assert caught.value.exit_code == 1
    assert_same_bundle(load_bundle(path), make_bundle(1))
    assert siblings(path) == []


def test_a_parent_that_is_a_file_is_told(make_bundle, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^cannot save .*best: .+; make it writable or choose another run_dir$"):
        save_bundle(make_bundle(), tmp_path / "file" / "best")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_parent_is_told(make_bundle, assert_same_bundle, tmp_path):
    save_bundle(make_bundle(1), tmp_path / "best")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match=r"Permission denied.*make it writable or choose another run_dir"):
            save_bundle(make_bundle(2), tmp_path / "best")
        assert_same_bundle(load_bundle(tmp_path / "best"), make_bundle(1))
    finally:
        tmp_path.chmod(0o700)


SAVE_WITH_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.cli.common import run

path = Path(sys.argv[1])
bundle = load_bundle(path)
bundle.metadata["updates"] = 2
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
sys.exit(run(lambda: save_bundle(bundle, path), "nmt-train"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_disk_that_is_really_full_ends_in_one_line_and_the_old_bundle(make_bundle, assert_same_bundle, tmp_path):
    path = tmp_path / "best"
    save_bundle(make_bundle(1), path)
    assert (path / "model.safetensors").stat().st_size > 4096
    environment = os.environ | {"PYTHONPATH": str(Path(nmt.__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-c", SAVE_WITH_A_LIMIT, path], env=environment, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 1
    assert finished.stderr == (
        f"nmt-train: error: cannot save {path}: File too large; what was saved before is intact; "
        "raise the limit of a file's size (ulimit -f) and run the same command again\n"
    )
    assert_same_bundle(load_bundle(path), make_bundle(1))
    assert siblings(path) == []


@pytest.mark.parametrize(
    ("module", "moment"),
    [(description, "read_config"), (description, "_load_vocabularies"), (weights, "_load_weights")],
)
def test_a_bundle_that_is_replaced_while_it_is_read_is_read_again(
    make_bundle, assert_same_bundle, tmp_path, monkeypatch, module, moment
):
    path = tmp_path / "best"
    old, new = make_bundle(1), make_bundle(2)
    save_bundle(old, path)
    really, replaced = getattr(module, moment), []

    def replace_first(*arguments, **options):
        if not replaced:
            replaced.append(True)
            save_bundle(new, path)
        return really(*arguments, **options)

    monkeypatch.setattr(module, moment, replace_first)
    assert_same_bundle(load_bundle(path), new)
    assert replaced


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


def test_a_reader_that_is_overtaken_by_a_save_moves_nothing_away(make_bundle, loaded_updates, tmp_path, monkeypatch):
    """It found the place empty, and by the time that it does something about it the new bundle is there."""
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    save_bundle(bundles[1], path)
    really = replacement.os.rename
    seen = []

    def rename(old, new):
        really(old, new)
        if Path(new).name == "best.old":  # between the two renames: a reader comes, and is slower than the writer
            with monkeypatch.context() as patched:
                patched.setattr(replacement.os, "rename", lambda source, place: late.append((source, place)))
                seen.append(replacement.find_whole(path))

    late = []
    monkeypatch.setattr(replacement.os, "rename", rename)
    save_bundle(bundles[2], path)
    monkeypatch.setattr(replacement.os, "rename", really)
    assert seen == [path.with_name("best.new")]
    for source, place in late:
        with pytest.raises(OSError, match=r"not empty|No such file"):
            os.rename(source, place)
    assert loaded_updates(path, bundles) == 2


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


def test_a_reader_that_finds_the_very_first_bundle_before_its_writer_puts_it_there(
    make_bundle, loaded_updates, tmp_path, monkeypatch
):
    path = tmp_path / "best"
    really = replacement.os.rename

    def rename(old, new):
        really(old, new)
        if Path(new).name == "best.new":
            with monkeypatch.context() as patched:
                patched.setattr(replacement.os, "rename", really)
                assert replacement.find_whole(path) == path

    monkeypatch.setattr(replacement.os, "rename", rename)
    bundles = {1: make_bundle(1)}
    save_bundle(bundles[1], path)
    assert loaded_updates(path, bundles) == 1
    assert siblings(path) == []


def test_what_a_save_left_that_was_killed_before_the_swap_replaces_nothing(make_bundle, loaded_updates, tmp_path):
    """Somebody may have put another bundle there since."""
    path = tmp_path / "best"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    save_bundle(bundles[1], path)
    save_bundle(bundles[2], path.with_name("best.new"))
    replacement.finish_saving(path)
    assert loaded_updates(path, bundles) == 1
    assert siblings(path) == []


MOUNT = "36 35 0:31 /some/where {} rw,relatime shared:1 - ext4 /dev/vda rw\n"


@pytest.fixture
def mount(tmp_path, monkeypatch):
    """A function that lets a directory be a mount point, as far as nmt.files can tell."""

    def pretend(path):
        escaped = str(path).replace("\\", "\\134").replace(" ", "\\040")
        (tmp_path / "mountinfo").write_text("1 0 0:1 / / rw - ext4 /dev/vda rw\n" + MOUNT.format(escaped))
        monkeypatch.setattr(replacement, "_MOUNTS", tmp_path / "mountinfo")

    return pretend


@pytest.mark.parametrize("do", ["save", "finish"])
def test_a_mount_point_is_refused_before_anything_is_made(make_bundle, loaded_updates, tmp_path, mount, do):
    path = tmp_path / "my models" / "be\\st"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    save_bundle(bundles[1], path)
    mount(path)
    with pytest.raises(ConfigError) as caught:
        save_bundle(bundles[2], path) if do == "save" else replacement.finish_saving(path)
    assert str(caught.value) == (
        f"{path} is a mount point, which cannot be replaced as a whole; mount the directory above it, "
        "or name a directory inside it"
    )
    assert siblings(path) == []
    assert loaded_updates(path, bundles) == 1
    save_bundle(bundles[2], path / "inside")
    assert loaded_updates(path / "inside", bundles) == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mount")
def test_a_directory_that_is_really_mounted_is_refused(make_bundle, loaded_updates, tmp_path):
    path, place = tmp_path / "best", tmp_path / "volume"
    bundles = {seed: make_bundle(seed) for seed in (1, 2)}
    save_bundle(bundles[1], path)
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(["mount", "--bind", path, place], capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(ConfigError, match="is a mount point"):
            save_bundle(bundles[2], place)
    finally:
        subprocess.run(["umount", place], check=True)
    assert siblings(place) == ["best"]
    assert loaded_updates(path, bundles) == 1
