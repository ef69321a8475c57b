"""The manifest: every file of a bundle with its size and checksum, and what is told where one is another."""

import hashlib
import json
import random
import shutil

import pytest

from nmt.bundle.loading import load
from nmt.bundle.manifest import damage, manifest_of
from nmt.bundle.weights import load_bundle, save_bundle, save_settings
from nmt.config.choices import Tying
from nmt.errors import BundleError
from nmt.export.variant import export

ADVICE = {
    "model.safetensors": "copy the bundle again",
    "subwords.model": "copy the bundle again",
    "int8/step.onnx": "make it again with: nmt-export {0} --precision int8",
    "int8/constants.zip": "make it again with: nmt-export {0} --precision int8",
}


@pytest.fixture
def best(make_bundle, tmp_path):
    path = tmp_path / "best"
    save_bundle(make_bundle(), path)
    export(path, "int8")
    return path


def config_of(path):
    return json.loads((path / "config.json").read_text(encoding="utf-8"))


def assert_complete(path):
    """The manifest lists what is there, as it is there, in the order of names."""
    files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    del files["config.json"]
    expected = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    assert config_of(path)["files"] == expected
    assert list(config_of(path)["files"]) == sorted(expected)


def refusal(path, name):
    """What is told by whoever reads this file."""
    with pytest.raises(BundleError) as caught:
        load(path, precision="int8") if name.startswith("int8/") else load_bundle(path)
    return str(caught.value)


def test_whatever_writes_a_bundle_lists_all_its_files(best, make_bundle):
    assert_complete(best)
    assert len(config_of(best)["files"]) == 7
    bundle = load_bundle(best)
    (best / "notes.txt").write_text("mine", encoding="utf-8")
    bundle.metadata["test"] = "BLEU 1"
    save_settings(bundle, best)
    assert_complete(best)
    assert config_of(best)["metadata"]["test"] == "BLEU 1"
    assert {"notes.txt", "int8/step.onnx"} <= set(config_of(best)["files"])
    export(best, "fp32")
    assert_complete(best)
    assert load(best, precision="fp32").device == "cpu, fp32 by ONNX Runtime"
    save_bundle(make_bundle(2, joint=False, tying=Tying.none), best)
    assert_complete(best)
    assert set(config_of(best)["files"]) == {
        "README.md",
        "model.safetensors",
        "subwords.source.model",
        "subwords.target.model",
    }


@pytest.mark.parametrize("name", ADVICE)
def test_a_file_that_was_cut_short_or_grew_is_told_with_both_sizes(best, name):
    content = (best / name).read_bytes()
    for damaged in (content[:-1], content + b"\0", b""):
        (best / name).write_bytes(damaged)
        assert refusal(best, name) == (
            f"{best / name} is missing or damaged (it has {len(damaged):,} bytes, and had {len(content):,} when it was "
            f"written); {ADVICE[name].format(best)}"
        )


@pytest.mark.parametrize("name", ADVICE)
def test_any_flipped_bit_is_told(best, name):
    content, draw = (best / name).read_bytes(), random.Random(3)
    for place in (0, len(content) - 1, *(draw.randrange(len(content)) for _ in range(20))):
        damaged = bytearray(content)
        damaged[place] ^= 1 << draw.randrange(8)
        (best / name).write_bytes(damaged)
        assert refusal(best, name) == (
            f"{best / name} is missing or damaged (its content is not what was written); {ADVICE[name].format(best)}"
        )
    (best / name).write_bytes(content)
    load(best)


def test_a_damaged_file_is_neither_exported_nor_copied(best):
    for name in ("model.safetensors", "int8/step.onnx"):
        whole = (best / name).read_bytes()
        (best / name).write_bytes(whole[:-1] + b"?")
        with pytest.raises(BundleError, match=rf"{name} is missing or damaged \(its content is not what was written\)"):
            export(best, "fp32")
        (best / name).write_bytes(whole)
    bundle = load_bundle(best)
    (best / "int8" / "step.onnx").write_bytes(b"?")
    before = config_of(best)
    with pytest.raises(BundleError, match=r"step\.onnx is missing or damaged .*; copy the bundle again$"):
        save_settings(bundle, best)
    assert config_of(best) == before
    export(best, "int8")  # makes it again
    assert_complete(best)


def test_only_what_is_read_is_checked(best):
    """Someone may have taken away what the others need, or damaged it."""
    (best / "model.safetensors").write_bytes(b"?")
    assert load(best).precision == "int8"
    shutil.rmtree(best / "int8")
    with pytest.raises(BundleError, match=r"model\.safetensors is missing or damaged \(it has 1 bytes, and had "):
        load(best)


def test_the_model_card_may_be_edited(best):
    (best / "README.md").write_text("# Mein Übersetzer\n", encoding="utf-8")
    assert load(best).precision == "int8"
    load_bundle(best)
    export(best, "fp32")
    assert (best / "README.md").read_text(encoding="utf-8") == "# Mein Übersetzer\n"
    (best / "README.md").unlink()
    load(best)
    export(best, "int8")
    assert_complete(best)


def test_a_bundle_of_before_loads_and_gets_a_manifest_when_it_is_written(best, drop_manifest):
    whole = load_bundle(best)
    drop_manifest(best)
    assert load_bundle(best).files == {}
    assert load(best).precision == "int8"
    export(best, "fp32")
    assert_complete(best)
    assert load_bundle(best).files != whole.files


def test_a_file_that_the_manifest_does_not_know_is_taken_as_it_is(best):
    """As a variant that an older nmt exported into the bundle."""
    config = config_of(best)
    del config["files"]["int8/step.onnx"]
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load(best).precision == "int8"
    assert damage(best, "int8/step.onnx", manifest_of(config)) is None
    assert damage(best, "int8/none.onnx", manifest_of(config)) == (
        f"{best / 'int8' / 'none.onnx'} is missing or damaged (No such file or directory)"
    )


def test_what_a_newer_nmt_notes_of_a_file_is_ignored(best):
    config = config_of(best)
    for entry in config["files"].values():
        entry["blake3"] = "00"
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load(best).files == manifest_of(config)


@pytest.mark.parametrize(("key", "value"), [("bytes", "12"), ("bytes", True), ("bytes", None), ("sha256", 12)])
def test_a_manifest_of_another_kind_of_value_is_told(best, key, value):
    config = config_of(best)
    config["files"]["model.safetensors"][key] = value
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        BundleError, match=r"config\.json.*files: 'model\.safetensors' has no number of bytes and checksum"
    ):
        load_bundle(best)
