"""Loading bundles: everything that can be wrong with one, each told in one line."""

import json
import os
import sys

import pytest
import safetensors.torch
import torch

import nmt
from nmt import files
from nmt.bundle import description, replacement
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.config.choices import Cell
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.errors import BundleError, ConfigError


def edit(path, change):
    """Change the parsed config.json of a bundle."""
    file = path / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    change(config)
    file.write_text(json.dumps(config), encoding="utf-8")


def refusal(path):
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def best(make_bundle, tmp_path):
    path = tmp_path / "best"
    save_bundle(make_bundle(), path)
    return path


def test_no_such_directory(tmp_path):
    path = tmp_path / "best"
    assert refusal(path) == (f"{path} does not exist; name a directory that nmt-train made, such as runs/demo/best")


def test_a_directory_that_is_no_bundle(tmp_path):
    assert refusal(tmp_path) == (
        f"{tmp_path} is not a bundle: it has no config.json; "
        "name a directory that nmt-train made, such as runs/demo/best"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("model.txt", "is a file, not a bundle; name a directory that nmt-train made, such as runs/demo/best"),
        ("model.zip", "is an archive, not a bundle; unpack it and name the directory that comes out"),
        ("model.tar.gz", "is an archive, not a bundle; unpack it and name the directory that comes out"),
        ("best/config.json", "is a file of a bundle; name its directory: {0}/best"),
        ("best/model.safetensors", "is a file of a bundle; name its directory: {0}/best"),
    ],
)
def test_a_file_instead_of_a_directory(best, name, advice):
    path = best.parent / name
    path.touch()
    assert refusal(path) == f"{path} {advice.format(best.parent)}"


SPECIAL = {
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    "pipe": (os.mkfifo if hasattr(os, "mkfifo") else None, "it is a pipe, not a file"),
    "directory": (os.mkdir, "it is a directory, not a file"),
    "loop": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "nowhere": (lambda path: path.symlink_to("/no/where"), "No such file or directory"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="needs pipes and devices")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("name", ["config.json", "subwords.model", "model.safetensors"])
def test_what_is_no_file_is_not_read(best, name, kind):
    """A device is read until memory is out, and a pipe waited for, for ever."""
    make, reason = SPECIAL[kind]
    (best / name).unlink()
    make(best / name)
    message = refusal(best)
    if name == "config.json" and kind == "nowhere":  # as where there is none
        assert message.startswith(f"{best} is not a bundle: it has no config.json")
    else:
        assert str(best / name) in message
        assert reason in message
        assert "Errno" not in message


def test_a_newer_format_names_both_numbers(best):
    edit(best, lambda config: config.update(format=description.FORMAT + 1))
    assert refusal(best) == (
        f"{best} has bundle format {description.FORMAT + 1}, and nmt {nmt.__version__} reads formats up to "
        f"{description.FORMAT}; install a newer nmt"
    )


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"format": 1', b"\xff\xfe", b"[]", b"3", b'{"model": {}}', b"[" * 100_000]
)
def test_config_json_that_is_no_json_or_says_no_format(best, content):
    (best / "config.json").write_bytes(content)
    message = refusal(best)
    assert message.startswith(f"{best / 'config.json'} cannot be read (")
    assert message.endswith("); copy the bundle again")


DAMAGES = {
    "a group is gone": lambda config: config.pop("model"),
    "a group is a list": lambda config: config.update(model=[]),
    "a group is null": lambda config: config.update(search=None),
    "languages are gone": lambda config: config.pop("languages"),
    "languages are text": lambda config: config.update(languages="en"),
    "variants are gone": lambda config: config.pop("variants"),
    "subwords are a number": lambda config: config.update(subwords=7),
    "a size is text": lambda config: config["model"].update(embedding_size="8"),
    "a size is negative": lambda config: config["model"].update(embedding_size=-8),
    "a size is zero": lambda config: config["model"].update(decoder_layers=0),
    "a size is a fraction": lambda config: config["model"].update(encoder_hidden_size=6.5),
    "sizes exclude each other": lambda config: config["model"].update(attention="dot", decoder_hidden_size=6),
    "a word is unknown": lambda config: config["model"].update(cell="cnn"),
    "a key is unknown": lambda config: config["model"].update(colour="red"),
    "the search is impossible": lambda config: config["search"].update(beam_size=0),
    "tags are a list": lambda config: config.update(tags=["formal"]),
    "a tag is no number": lambda config: config.update(tags={"formal": "0"}),
    "there is no such tag": lambda config: config.update(tags={"formal": 16}),
    "weights are no name": lambda config: config["variants"]["fp32"].update(weights=None),
    "the manifest is a list": lambda config: config.update(files=["README.md"]),
    "the manifest lacks a checksum": lambda config: config["files"]["README.md"].pop("sha256"),
    "the manifest has a number for a file": lambda config: config["files"].update({"README.md": 3}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_config_json_with_a_damaged_entry(best, damage):
    edit(best, damage)
    assert refusal(best).startswith(str(best))


def test_damaged_entries_are_named(best):
    edit(best, lambda config: config["model"].update(cell="cnn"))
    assert refusal(best) == f"{best}: cell=cnn is not possible: it must be one of {', '.join(Cell)}"
    edit(best, lambda config: config.pop("model"))
    assert refusal(best) == (f"{best / 'config.json'}: an entry is missing or wrong ('model'); copy the bundle again")


def test_keys_that_an_older_nmt_did_not_write_take_their_defaults(best):
    edit(best, lambda config: (config["search"].pop("no_repeat_ngram"), config["model"].pop("input_feeding")))
    bundle = load_bundle(best)
    assert bundle.search.no_repeat_ngram == SearchConfig().no_repeat_ngram
    assert bundle.config.input_feeding == ModelConfig().input_feeding


@pytest.mark.parametrize("has_manifest", [True, False])
def test_weights_that_are_truncated_or_gone(best, drop_manifest, has_manifest):
    if not has_manifest:
        drop_manifest(best)
    file = best / "model.safetensors"
    content = file.read_bytes()
    for damaged in (content[: len(content) // 2], content[:5], b""):
        file.write_bytes(damaged)
        message = refusal(best)
        assert message.startswith(f"{file} is missing or damaged (")
        assert message.endswith("); copy the bundle again")
    file.unlink()
    assert refusal(best).startswith(f"{file} is missing or damaged (")


def test_weights_of_another_shape(best):
    edit(best, lambda config: config["model"].update(embedding_size=10))
    assert refusal(best) == (
        f"{best / 'model.safetensors'}: decoder.combine.weight has shape (8, 24) but config.json asks for (10, 24); "
        "copy the bundle again"
    )


def test_weights_that_are_too_few_or_too_many(best, drop_manifest):
    drop_manifest(best)
    edit(best, lambda config: config["model"].update(encoder_layers=2))
    assert "encoder.layers.1.bias_hh_l0 has shape missing but config.json asks for (24,)" in refusal(best)
    edit(best, lambda config: config["model"].update(encoder_layers=1, tying="target"))
    assert "source_embedding.weight has shape missing but config.json asks for" in refusal(best)
    weights = safetensors.torch.load_file(best / "model.safetensors")
    safetensors.torch.save_file(weights | {"surplus": torch.zeros(3)}, best / "model.safetensors")
    edit(best, lambda config: config["model"].update(tying="all"))
    assert "surplus has shape (3,) but config.json asks for no such tensor" in refusal(best)


def test_subwords_that_are_gone_damaged_or_of_another_bundle(best, two_subword_models, drop_manifest):
    drop_manifest(best)
    file = best / "subwords.model"
    content = file.read_bytes()
    file.write_bytes(two_subword_models[1].to_bytes())
    sizes = [model.vocabulary_size for model in two_subword_models]
    assert refusal(best) == (
        f"{best}: the subword models have {sizes[1]} and {sizes[1]} subwords but config.json says "
        f"{sizes[0]} and {sizes[0]}; the files do not belong together, copy the bundle again"
    )
    file.write_bytes(content[: len(content) // 2])
    assert str(file) in refusal(best)
    file.unlink()
    assert refusal(best) == f"{file} is missing or damaged (No such file or directory); copy the bundle again"


def test_writing_atomically_leaves_the_old_file_when_it_fails(tmp_path):
    file = tmp_path / "state.pt"
    files.write_atomically(file, lambda path: path.write_text("old", encoding="utf-8"))

    def fail(path):
        path.write_text("ne", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(file, fail)
    assert file.read_text(encoding="utf-8") == "old"
    files.write_atomically(file, lambda path: path.write_text("new", encoding="utf-8"))
    assert file.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_the_directory_of_a_run_points_at_its_best_bundle(make_bundle, tmp_path):
    save_bundle(make_bundle(), tmp_path / "mine" / "best")
    with pytest.raises(BundleError, match=r"mine is a run, not a bundle; did you mean .*mine.best\?$"):
        load_bundle(tmp_path / "mine")


@pytest.mark.skipif(sys.platform != "linux", reason="needs files with holes")
@pytest.mark.parametrize("name", ["config.json", "subwords.model"])
def test_a_file_larger_than_any_of_its_kind_is_not_read(best, name, drop_manifest):
    drop_manifest(best)
    os.truncate(best / name, 2**31)
    message = refusal(best)
    assert str(best / name) in message
    assert message.endswith(
        "(it is larger than 2 GiB, as no file of its kind is); copy the bundle again"
        if name == "config.json"
        else "(it is larger than 2 GiB, as no file of its kind is); check the path"
    )


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_that_leads_to_itself(tmp_path):
    path = tmp_path / "best"
    path.symlink_to(path)
    assert refusal(path) == f"{path} cannot be read (Too many levels of symbolic links); check the path"
    with pytest.raises(ConfigError, match="Too many levels of symbolic links"):
        replacement.finish_saving(path)
