"""Bundles that are read while others save them: readers load one whole bundle and move nothing away."""

import errno
import os
from pathlib import Path

import pytest

from nmt.bundle import description, replacement, weights
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.errors import BundleError

from .conftest import siblings


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
