"""Exporting into a bundle: what was there stays whole, whatever happens."""

import contextlib
import errno
import json
import os
import sys

import pytest
import torch

from nmt.bundle import replacement
from nmt.bundle.description import read_description
from nmt.bundle.loading import load
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.errors import BundleError, ConfigError, RunError
from nmt.export import variant as module
from nmt.export.variant import export

from .conftest import LINES, contents, refusal, texts

PARTS = {name: f"{name}.onnx" for name in ("encoder", "embedding", "step")} | {"constants": "constants.zip"}


def parts(precision):
    return {name: f"{precision}/{file}" for name, file in PARTS.items()}


def test_a_variant_is_added_and_all_else_stays(best, assert_same_bundle):
    before, bundle = contents(best), load_bundle(best)
    written = export(best, "int8")
    after = contents(best)
    assert set(after) - set(before) == set(parts("int8").values()) == set(written.files)
    assert written.files == {name: len(after[name]) for name in written.files}
    assert {name for name in before if before[name] != after[name]} == {"config.json"}
    config = json.loads(after["config.json"])
    variants = {
        "fp32": {"weights": "model.safetensors"},
        "int8": parts("int8"),
    }
    assert {name: entry["bytes"] for name, entry in config["files"].items()} == {
        name: len(content) for name, content in sorted(after.items()) if name != "config.json"
    }
    assert config == json.loads(before["config.json"]) | {"variants": variants, "files": config["files"]}
    assert_same_bundle(load_bundle(best), bundle)
    assert [file.name for file in best.parent.iterdir()] == ["best"]


def test_both_variants_live_together_and_exporting_again_changes_nothing(best):
    export(best, "int8")
    export(best, "fp32")
    once = contents(best)
    assert read_description(best).variants["fp32"] == {"weights": "model.safetensors"} | parts("fp32")
    for precision in ("int8", "fp32", "int8"):
        export(best, precision)
        assert contents(best) == once


def test_an_earlier_export_of_other_weights_is_replaced(best, make_bundle):
    export(best, "fp32")
    old = contents(best)
    save_bundle(make_bundle(2, encoder_layers=2), best)
    assert set(read_description(best).variants) == {"fp32"}
    assert not (best / "fp32").exists()
    export(best, "fp32")
    assert contents(best)["fp32/step.onnx"] != old["fp32/step.onnx"]


def test_the_fp32_variant_translates_as_pytorch_does(best):
    expected = texts(load_bundle(best))
    assert texts(load(best)) == expected
    assert load(best).device == "cpu"
    export(best, "fp32")
    loaded = load(best)
    assert loaded.device == "cpu, fp32 by ONNX Runtime"
    assert texts(loaded) == expected


def test_the_fastest_variant_is_taken_unless_another_is_asked_for(best):
    export(best, "fp32")
    export(best, "int8")
    assert (load(best).precision, load(best).threads) == ("int8", 1)
    assert load(best, precision="fp32").device == "cpu, fp32 by ONNX Runtime"
    assert load(best, precision="int8", device="cpu", threads=2).threads == 2
    for file in (best / "int8").iterdir():
        file.unlink()
        assert load(best).precision == "fp32"


def test_bf16_is_the_fp32_weights_rounded(best):
    export(best, "int8")
    loaded, exact = load(best, precision="bf16"), load_bundle(best)
    assert (loaded.precision, loaded.device) == ("bf16", "cpu")
    source = torch.tensor([[21, 30, 40, 3], [22, 3, 0, 0]])
    lengths, previous = torch.tensor([4, 2]), torch.tensor([[2], [2]])
    with torch.no_grad():
        found, expected = (each.model.step(previous, each.model.start(source, lengths)) for each in (loaded, exact))
    assert found.logits.dtype == torch.bfloat16
    assert not torch.equal(found.logits.float(), expected.logits)
    torch.testing.assert_close(found.logits.float(), expected.logits, rtol=0.05, atol=0.1)
    assert len(texts(loaded)) == len(LINES)


def test_a_bundle_without_its_fp32_weights_translates(best):
    expected = texts(load_bundle(best))
    export(best, "fp32")
    (best / "model.safetensors").unlink()
    assert texts(load(best)) == expected
    with pytest.raises(
        BundleError, match=r"model\.safetensors is missing or damaged .* the weights that training saved"
    ):
        export(best, "int8")


def test_an_unknown_variant_in_a_bundle_of_a_newer_nmt_is_ignored(best):
    export(best, "fp32")
    config = json.loads((best / "config.json").read_text(encoding="utf-8"))
    config["variants"]["int2"] = {"everything": "int2.bin"}
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    load_bundle(best)
    assert load(best).precision == "fp32"


def test_a_variant_that_is_not_there_is_told_with_the_command_that_makes_it(best):
    assert refusal(best, precision="int8") == (
        f"{best} has no variant int8; make it with: nmt-export {best} --precision int8"
    )


def test_a_damaged_variant_is_told_with_the_command_that_makes_it(best, drop_manifest):
    export(best, "int8")
    step = best / "int8" / "step.onnx"
    size = step.stat().st_size
    step.write_bytes(step.read_bytes()[:100])
    cut_short = f"{step} is missing or damaged (it has 100 bytes, and had {size:,} when it was written)"
    for reason in (cut_short, f"{step} is damaged, or not for onnxruntime "):
        for options in ({}, {"precision": "int8"}):
            message = refusal(best, **options)
            assert message.startswith(reason)
            assert message.endswith(f"; make it again with: nmt-export {best} --precision int8")
        load(best, precision="fp32")
        if reason == cut_short:
            drop_manifest(best)
    step.unlink()
    assert refusal(best, precision="int8") == (
        f"{step} is missing or damaged (No such file or directory); "
        f"make it again with: nmt-export {best} --precision int8"
    )
    assert load(best).precision == "fp32"


def test_a_variant_of_an_earlier_layout_is_told_with_the_command_that_makes_it_anew(best):
    export(best, "int8")
    config = json.loads((best / "config.json").read_text(encoding="utf-8"))
    for part in ("embedding", "constants"):
        del config["variants"]["int8"][part]
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for options in ({}, {"precision": "int8"}):
        assert refusal(best, **options) == (
            f"{best}: the variant int8 lacks its embedding: another version of nmt exported it; "
            f"make it again with: nmt-export {best} --precision int8"
        )


def test_a_damaged_entry_is_told(best):
    config = json.loads((best / "config.json").read_text(encoding="utf-8"))
    config["variants"]["int8"] = {"step": 7, "encoder": None}
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert refusal(best).startswith(f"{best / 'config.json'}: an entry is missing or wrong (")


def test_onnx_runtime_that_is_not_installed_is_told_where_it_is_needed(best, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    export(best, "int8")
    assert refusal(best, precision="int8") == (
        f"the variant int8 of {best} needs ONNX Runtime, which is not installed: pip install onnxruntime"
    )
    assert load(best).device == "cpu"


def test_impossible_options_are_told(best):
    assert refusal(best, precision="int4") == "precision=int4 is unknown: choose one of int8, bf16, fp32"
    assert refusal(best, precision="int8", device="cuda") == (
        "precision=int8 runs on the CPU only: take bf16 or fp32 with device=cuda"
    )
    assert refusal(best, threads=-1) == "threads=-1 is not possible: it must be 0 (PyTorch's choice) or more"
    assert refusal(best, threads=1025) == "threads=1025 is not possible: it must be at most 1024"
    with pytest.raises(ConfigError, match=r"precision=int4 is unknown: choose one of int8, fp32"):
        export(best, "int4")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("at", [1, 4])
def test_a_failing_disk_leaves_the_bundle_as_it_was(best, monkeypatch, number, at):
    before, calls = contents(best), []
    really = replacement.write_flushed

    def fail(path, content):
        calls.append(path)
        if len(calls) == at:
            raise OSError(number, os.strerror(number))
        really(path, content)

    monkeypatch.setattr(replacement, "write_flushed", fail)
    with pytest.raises(RunError) as caught:
        export(best, "int8")
    advice = "free some space and run the same command again"
    if number == errno.EFBIG:
        advice = "raise the limit of a file's size (ulimit -f) and run the same command again"
    if number == errno.EROFS:
        advice = "make it writable or copy the bundle elsewhere"
    assert str(caught.value) == (
        f"cannot save {best}: {os.strerror(number)}; what was saved before is intact; {advice}"
    )
    assert caught.value.exit_code == 1
    assert contents(best) == before
    assert [file.name for file in best.parent.iterdir()] == ["best"]


@pytest.mark.parametrize("lives", range(9))
def test_killed_at_any_moment_the_old_or_the_new_bundle_is_whole(best, monkeypatch, lives):
    before, left = contents(best), [lives]

    class Killed(BaseException):
        pass

    def mortal(really):
        def operation(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return really(*arguments)

        return operation

    with monkeypatch.context() as patched:
        patched.setattr(replacement, "write_flushed", mortal(replacement.write_flushed))
        patched.setattr(replacement.os, "rename", mortal(os.rename))
        with contextlib.suppress(Killed):
            export(best, "int8")
    loaded = load(best)
    assert loaded.precision in ("int8", "fp32")
    if loaded.precision == "fp32":
        assert contents(best) == before
    export(best, "int8")
    assert load(best).precision == "int8"
    assert [file.name for file in best.parent.iterdir()] == ["best"]


def test_a_bundle_that_training_replaces_meanwhile_is_not_overwritten(best, make_bundle, monkeypatch):
    really = module.build_graphs

    def replacing(*arguments, **options):
        graphs = really(*arguments, **options)
        if not replaced:
            replaced.append(True)
            save_bundle(make_bundle(2, encoder_layers=2), best)
        return graphs

    replaced = []
    monkeypatch.setattr(module, "build_graphs", replacing)
    export(best, "fp32")  # read again, as every reader does
    assert read_description(best).metadata["updates"] == 2
    assert texts(load(best)) == texts(load_bundle(best))

    replace = module.replace_directory

    def too_late(*arguments, **options):
        save_bundle(make_bundle(3, encoder_layers=2), best)
        replace(*arguments, **options)

    monkeypatch.setattr(module, "replace_directory", too_late)
    with pytest.raises(BundleError, match="was replaced while it was exported; run the same command again"):
        export(best, "int8")
    assert read_description(best).metadata["updates"] == 3
    assert [file.name for file in best.parent.iterdir()] == ["best"]
