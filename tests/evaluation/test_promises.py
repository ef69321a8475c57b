"""The promises of a bundle: kept by a sound one, and each broken one is found, with its first counterexample."""

import json
import shutil
import sys
from dataclasses import replace

import pytest
import torch

from nmt.bundle.weights import load_bundle, save_bundle
from nmt.corpus.reader import resolve
from nmt.errors import BundleError, ConfigError, RunError
from nmt.evaluation import promises
from nmt.evaluation.promises import PYTORCH, verify
from nmt.evaluation.subject import random_lines, shown
from nmt.export.variant import export, learn_shortlist
from nmt.runtime.model import OnnxModel
from nmt.translation.translator import Translator

LINES = ["a small red house", "", "the old river stands near the small house", "river", "a house near a river"]
EACH_BEAM = ("does not depend on the batch", "log-probabilities are those of rescoring")


@pytest.fixture
def best(make_bundle, tmp_path):
    """A bundle with both variants, of which int8 has a shortlist."""
    path = tmp_path / "best"
    save_bundle(make_bundle(), path)
    for language in ("en", "zh"):
        (tmp_path / f"train.{language}").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    text = resolve(str(tmp_path / "train"), source="en", target="zh", key="--train")
    export(path, "fp32")
    export(path, "int8", shortlist=lambda description: learn_shortlist(description, [text], size=20))
    return path


def command_of(path, change=lambda rows, options: rows):
    """What nmt-translate would write, by this process; `change` alters its lines of output."""
    from nmt.bundle.loading import load

    def command(options, text):
        precision = options[options.index("--precision") + 1]
        lines = text.decode("utf-8", errors="replace").split("\n")[:-1]
        bundle = load(path, precision=precision)
        cut = int(options[-1]) if "--max-source-tokens" in options else 512
        found = Translator(bundle, search=replace(bundle.search, max_source_tokens=cut)).translate(lines)
        rows = [each.text for each in found]
        if "jsonl" in options:
            best = [each.hypotheses[0] for each in found]
            rows = [
                json.dumps({"line": i, "text": each.text, "log_prob": each.log_prob}) for i, each in enumerate(best, 1)
            ]
        return "".join(f"{row}\n" for row in change(rows, options)).encode()

    return command


def check(path, *names, lines=LINES, command=None):
    return list(verify(path, lines=lines, names=names, command=command or command_of(path)))


def broken(checks):
    return {(each.subject, each.promise): each.detail for each in checks if each.kept is False}


def test_a_sound_bundle_keeps_them_all(best):
    checks = check(best)
    assert broken(checks) == {}
    assert all(each.kept for each in checks)
    promises = {name: [each.promise for each in checks if each.subject == name] for name in (PYTORCH, "fp32", "int8")}
    for name, found in promises.items():
        for promise in EACH_BEAM:
            assert {f"{promise} (greedy)", f"{promise} (beam 3)"} <= set(found), name
        assert "beam 1 is greedy" in found
    assert {"translates as pytorch (greedy)", "translates as pytorch (beam 3)"} <= set(promises["fp32"])
    assert {"is close to pytorch", "shortlist"} <= set(promises["int8"])
    for name in ("fp32", "int8"):
        assert "many positions at once are single steps (greedy)" in promises[name]
        assert "one line of output for each of input" in promises[name]
        assert "two workers translate as one" in promises[name]
    details = {(each.subject, each.promise): each.detail for each in checks}
    assert details["bundle", "files are as they were written"] == "size and SHA-256 of 11"
    assert details["int8", "does not depend on the batch (beam 3)"] == (
        "5 lines alone, in batches of 7, 64, and 64 shuffled"
    )


def test_lines_are_made_of_the_subwords_where_none_are_given(best, monkeypatch):
    subwords = load_bundle(best).source_subwords
    lines = random_lines(subwords, 50)
    assert lines == random_lines(subwords, 50)
    assert lines != random_lines(subwords, 50, seed=2)
    assert sum(bool(line.strip()) for line in lines) > 40
    assert {subwords.unk_id, *subwords.control_ids}.isdisjoint(i for line in lines for i in subwords.encode(line))
    monkeypatch.setattr(promises, "SAMPLES", 9)
    checks = check(best, "fp32", lines=())
    assert broken(checks) == {}
    assert any(each.detail.startswith("9 lines alone") for each in checks)


def test_only_what_is_named_is_checked(best):
    assert {each.subject for each in check(best, "int8")} == {"bundle", "int8"}
    shutil.rmtree(best / "fp32")
    config = json.loads((best / "config.json").read_text(encoding="utf-8"))
    config["variants"]["fp32"] = {"weights": "model.safetensors"}
    (best / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check(best, "fp32")
    assert str(caught.value) == f"{best} has no variant fp32; make it with: nmt-export {best} --precision fp32"
    with pytest.raises(BundleError, match="does not exist"):
        check(best.parent / "none")


def test_damaged_files_are_found_and_the_rest_is_checked_all_the_same(best):
    step, card = best / "int8" / "step.onnx", best / "README.md"
    step.write_bytes(step.read_bytes()[:-1] + b"?")
    card.write_text("# mine\n", encoding="utf-8")
    checks = check(best)
    reason = f"{step} is missing or damaged (its content is not what was written)"
    assert broken(checks) == {
        ("bundle", "files are as they were written"): reason,
        ("int8", "loads"): f"{reason}; make it again with: nmt-export {best} --precision int8 --shortlist N",
    }
    assert ("fp32", "beam 1 is greedy", True) in [each[:3] for each in checks]


def test_a_file_that_is_gone_is_found(best):
    (best / "int8" / "constants.zip").unlink()
    found = broken(check(best))
    assert found["bundle", "files are as they were written"] == (
        f"{best / 'int8' / 'constants.zip'} is missing or damaged (No such file or directory)"
    )
    assert ("int8", "loads") in found


def test_a_copy_without_the_weights_judges_itself(best):
    (best / "model.safetensors").unlink()
    checks = check(best)
    assert broken(checks) == {}
    assert [each.detail for each in checks if each.kept is None] == [
        f"{best / 'model.safetensors'} is not there, and only PyTorch needs it"
    ]
    assert "is close to fp32" in {each.promise for each in checks}


def test_what_is_not_installed_is_told(best, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    checks = check(best)
    assert [each[::3] for each in checks if each.kept is None] == [
        ("fp32", "ONNX Runtime is not installed: pip install onnxruntime"),
        ("int8", "ONNX Runtime is not installed: pip install onnxruntime"),
    ]
    assert broken(checks) == {}


def test_a_bundle_of_before_has_no_checksums(best, drop_manifest):
    drop_manifest(best)
    assert check(best, "int8")[0].detail == "10 are there; an earlier nmt saved them without checksums"


def test_a_model_that_looks_at_its_neighbours_is_found(make_bundle, tmp_path, monkeypatch):
    path, bundle = tmp_path / "best", make_bundle()
    save_bundle(bundle, path)
    step = type(bundle.model).step

    def leaky(self, previous, state, **options):
        found = step(self, previous, state, **options)
        # What a forgotten mask does: the logits depend on how many sentences share the batch.
        shift = torch.linspace(0, 3, found.logits.size(-1), dtype=found.logits.dtype) * (previous.size(0) > 1)
        return found._replace(logits=found.logits + shift)

    monkeypatch.setattr(type(bundle.model), "step", leaky)
    found = broken(check(path))
    assert {("pytorch", f"does not depend on the batch ({way})") for way in ("greedy", "beam 3")} <= set(found)
    detail = found["pytorch", "does not depend on the batch (greedy)"]
    assert detail.startswith(f"line 1, {LINES[0]!r}: alone and in batches of 7 it is ")
    assert detail.endswith(" apart")


def test_an_exported_model_that_reads_its_neighbours_padding_is_found(best, monkeypatch):
    start = OnnxModel.start

    def of_the_longest(self, source, lengths, constraints=None):
        return start(self, source, lengths * 0 + lengths.max(), constraints)

    monkeypatch.setattr(OnnxModel, "start", of_the_longest)
    found = broken(check(best))
    assert {name for name, promise in found if promise.startswith("does not depend on the batch")} == {"fp32", "int8"}


def test_many_positions_that_are_other_steps_are_found(best, monkeypatch):
    take = OnnxModel.take_steps

    def worse(self, previous, state, *, log_probs, **options):
        taken = take(self, previous, state, log_probs=log_probs, **options)
        return taken and taken._replace(tokens=taken.tokens * 0 + 25, log_probs=taken.log_probs - 1)

    monkeypatch.setattr(OnnxModel, "take_steps", worse)
    found = broken(check(best, "fp32"))
    assert ("fp32", "many positions at once are single steps (greedy)") in found
    assert "the search says " in found["fp32", "log-probabilities are those of rescoring (greedy)"]
    assert ("fp32", "translates as pytorch (greedy)") in found


def test_variants_of_other_weights_are_found(best, make_bundle, tmp_path, drop_manifest):
    """As after a copy of single files; nothing but the translations can tell."""
    other = tmp_path / "other"
    save_bundle(make_bundle(2), other)
    export(best, "int8")
    drop_manifest(best)
    for precision in ("fp32", "int8"):
        export(other, precision)
        shutil.copytree(other / precision, best / precision, dirs_exist_ok=True)
    found = broken(check(best))
    assert found["fp32", "translates as pytorch (greedy)"].startswith(f"line 1, {LINES[0]!r}: pytorch and fp32 it is ")
    assert found["int8", "is close to pytorch"].endswith(" (root mean square), which is more than 0.5")


@pytest.mark.parametrize(
    ("change", "promise", "detail"),
    [
        (
            lambda rows, options: rows if "jsonl" in options else rows[:-1],
            "one line of output for each of input",
            " lines of input had ",
        ),
        (
            lambda rows, options: [*rows[1:], rows[0]] if "jsonl" not in options else rows,
            "one line of output for each of input",
            "from nmt-translate, ",
        ),
        (
            lambda rows, options: rows[1:] if "2" in options else rows,
            "two workers translate as one",
            "5 lines of input had 5 of output by one, 4 by two",
        ),
        (
            lambda rows, options: (
                [rows[0].replace('"text": "', '"text": "x').replace("-", "-9"), *rows[1:]] if "2" in options else rows
            ),
            "two workers translate as one",
            f"line 1, {LINES[0]!r}: ",
        ),
    ],
)
def test_a_command_that_loses_or_changes_lines_is_found(best, change, promise, detail):
    found = broken(check(best, "int8", lines=LINES[:5], command=command_of(best, change)))
    assert set(found) == {("int8", promise)}
    assert detail in found["int8", promise]


def test_a_command_that_fails_is_found(best):
    def command(options, text):
        raise RunError("nmt-translate ended with 1")

    found = broken(check(best, "fp32", command=command))
    assert found == {
        ("fp32", "one line of output for each of input"): "nmt-translate ended with 1",
        ("fp32", "two workers translate as one"): "nmt-translate ended with 1",
    }


def test_texts_in_messages_are_short_and_have_no_control_characters():
    assert shown("a\u2028b\n\0") == r"'a\u2028b\n\x00'"
    assert shown("x" * 70) == f"'{'x' * 60}…'"
