"""Damaged files of an exported variant: one line that says which, whenever it shows."""

import os
import random
import sys
from collections import Counter

import pytest
import torch

from nmt.bundle.loading import load
from nmt.bundle.weights import save_bundle
from nmt.config.choices import Cell
from nmt.corpus.reader import resolve
from nmt.errors import BundleError, RunError
from nmt.export.variant import export, learn_shortlist
from nmt.translation.translator import Translator

LINES = ["a small red house", "the old river"]


def texts(bundle):
    return [translation.text for translation in Translator(bundle).translate(LINES)]


@pytest.fixture
def best(make_bundle, tmp_path):
    path = tmp_path / "best"
    save_bundle(make_bundle(), path)
    return path


@pytest.fixture
def text(tmp_path):
    """The lines as parallel text in the languages of the bundle."""
    for language in ("en", "zh"):
        (tmp_path / f"train.{language}").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    return resolve(str(tmp_path / "train"), source="en", target="zh", key="--train")


def flipped(path, place, bit):
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    return bytes(content)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_flipped_bit_in_a_graph_is_told_in_one_line_or_does_not_show(best, precision, capfd, drop_manifest):
    """Without checksums some show when the graph is loaded, some when it runs; none writes to standard output."""
    export(best, precision)
    drop_manifest(best)
    draw, runs, messages = random.Random(7), Counter(), []
    for name in ("encoder", "step", "embedding"):
        path = best / precision / f"{name}.onnx"
        whole = path.read_bytes()
        for _ in range(24):
            path.write_bytes(flipped(path, draw.randrange(len(whole)), 1 << draw.randrange(8)))
            try:
                runs[len(texts(load(best, precision=precision))) == len(LINES)] += 1
            except (BundleError, RunError) as error:
                runs[type(error)] += 1
                messages.append(str(error))
            path.write_bytes(whole)
    assert not [message for message in messages if "\n" in message or "ONNXRuntimeError" in message]
    assert runs[BundleError] > 40
    assert runs[True] > 2
    assert runs[False] == 0
    assert capfd.readouterr().out == ""


def test_a_graph_that_fails_when_it_runs_is_told(best):
    export(best, "fp32")
    session = load(best, precision="fp32").model._step
    with pytest.raises(
        BundleError, match=r"step\.onnx is damaged, or not for onnxruntime .*; export the bundle again$"
    ):
        session.run(["log_probs"], {})


def test_want_of_memory_is_no_damage(best, monkeypatch):
    export(best, "fp32")
    session = load(best, precision="fp32").model._step
    Fail = type("Fail", (Exception,), {"__module__": "onnxruntime.capi"})

    class Starved:
        def run(self, names, inputs):
            raise Fail("Failed to allocate memory for requested buffer of size 99")

    monkeypatch.setattr(session, "_session", Starved())
    with pytest.raises(Fail):
        session.run(["log_probs"], {})


@pytest.mark.skipif(sys.platform != "linux", reason="needs pipes and devices")
@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx", "constants.zip", "shortlist.npz"])
def test_what_is_no_file_is_not_read(best, text, name):
    export(best, "int8", shortlist=lambda said: learn_shortlist(said, [text], size=5))
    path = best / "int8" / name
    for make, kind in ((lambda: path.symlink_to("/dev/zero"), "device"), (lambda: os.mkfifo(path), "pipe")):
        path.unlink()
        make()
        with pytest.raises(BundleError, match=rf"{name} is missing or .*it is a {kind}, not a file"):
            load(best, precision="int8")
    (best / "model.safetensors").unlink()
    os.mkfifo(best / "model.safetensors")
    with pytest.raises(BundleError, match=r"model\.safetensors is missing or damaged \(it is a pipe, not a file\)"):
        export(best, "fp32")


def test_weights_of_another_model_are_told(best, make_bundle, tmp_path, drop_manifest):
    save_bundle(make_bundle(cell=Cell.gru), tmp_path / "other")
    drop_manifest(best)
    (best / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(BundleError) as caught:
        export(best, "fp32")
    assert str(caught.value).startswith(f"{best}: the weights ")
    assert str(caught.value).endswith("; copy the bundle again")


@pytest.mark.skipif(sys.platform != "linux", reason="needs files with holes")
@pytest.mark.parametrize("name", ["step.onnx", "embedding.onnx"])
def test_a_graph_larger_than_any_is_neither_read_nor_copied(best, name, drop_manifest):
    export(best, "int8")
    path = best / "int8" / name
    os.truncate(path, 2**31)
    for use in (lambda: load(best, precision="int8"), lambda: export(best, "fp32")):
        with pytest.raises(BundleError, match=rf"{name} is missing or damaged \(it has 2,147,483,648 bytes, and had "):
            use()
    drop_manifest(best)
    with pytest.raises(BundleError, match=rf"{name} is missing or cannot be read \(it is larger than 2 GiB"):
        load(best, precision="int8")
    export(best, "int8")
    assert texts(load(best, precision="int8"))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_not_exported(best, make_bundle, value):
    broken = make_bundle()
    with torch.no_grad():
        broken.model.bridge.layers[0][0].bias[1] = value
    save_bundle(broken, best)
    with pytest.raises(BundleError) as caught:
        export(best, "int8")
    assert str(caught.value) == (
        f"{best / 'model.safetensors'}: bridge.layers.0.0.bias has values that are not finite numbers; "
        "copy the bundle again"
    )
