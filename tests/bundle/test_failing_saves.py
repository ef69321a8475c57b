"""Saving a bundle where the disk fails, is full or is another's: one line, and what was saved before."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.bundle import replacement
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.errors import ConfigError, RunError

from .conftest import siblings


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
