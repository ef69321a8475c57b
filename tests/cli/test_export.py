"""nmt-export as a command, and what it is for: translating where PyTorch is not installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.bundle.weights import load_bundle, save_bundle
from nmt.translation.translator import Translator

ROOT = Path(nmt.__file__).parent.parent
ABSENT = ("torch", "safetensors", "onnx", "sacrebleu", "hydra", "omegaconf", "yaml", "filelock", "platformdirs", "tqdm")


def without(modules, command, *arguments, text=""):
    """Run a command where these packages are not installed."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in modules)
    code = f"import sys; {blocked}from nmt.cli.{command} import main; sys.exit(main(sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, input=text, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def exported(bundle_path, tmp_path_factory):
    """A bundle with both variants, made by the command; its fp32 weights are in it too."""
    path = tmp_path_factory.mktemp("exported") / "a model"
    shutil.copytree(bundle_path, path)
    for precision in ("fp32", "int8"):
        finished = without(("torch",), "export", path, "--precision", precision)
        assert (finished.returncode, finished.stdout) == (0, ""), finished.stderr
        lines = finished.stderr.splitlines()
        assert all(re.search(r" \(\d+\.\d kB\)$", line) for line in lines)
        assert [line.partition(" (")[0] for line in lines] == [
            f"nmt-export: wrote {path / precision / name}"
            for name in ("encoder.onnx", "embedding.onnx", "step.onnx", "constants.zip")
        ]
    return path


@pytest.fixture
def bare(exported, tmp_path):
    """The same bundle without the weights that PyTorch reads."""
    path = tmp_path / "bare"
    shutil.copytree(exported, path)
    (path / "model.safetensors").unlink()
    return path


def test_it_translates_where_pytorch_is_not_installed(bare, bundle_path, make_sentences):
    lines = ["", *make_sentences(20), "漢字"]
    expected = [translation.text for translation in Translator(load_bundle(bundle_path)).translate(lines)]
    text = "\n".join(lines) + "\n"
    finished = without(ABSENT, "translate", bare, "--precision", "fp32", "--quiet", text=text)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.split("\n")[:-1] == expected
    fastest = without(ABSENT, "translate", bare, "--quiet", text=text)
    named = without(ABSENT, "translate", bare, "--precision", "int8", "--threads", 2, "--quiet", text=text)
    assert (fastest.returncode, fastest.stderr, fastest.stdout) == (0, "", named.stdout)
    assert fastest.stdout.count("\n") == len(lines)


def test_the_python_interface_works_where_pytorch_is_not_installed(bare):
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in ABSENT)
    code = (
        f"import sys; {blocked}from nmt.bundle.loading import load; from nmt.translation.translator import Translator; "
        "print(len(Translator(load(sys.argv[1])).translate(['A small red house.', ''])))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", code, str(bare)]
    finished = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert (finished.stdout, finished.stderr) == ("2\n", "")


def test_evaluating_says_what_it_ran_on(exported, tmp_path):
    (tmp_path / "test.en").write_text("A small red house.\nThe old river.\n", encoding="utf-8")
    arguments = (exported, "--source", tmp_path / "test.en", "--reference", tmp_path / "test.en", "--format", "json")
    for options, device in [((), "cpu, int8 by ONNX Runtime"), (("--precision", "fp32"), "cpu, fp32 by ONNX Runtime")]:
        finished = without(("torch",), "evaluate", *arguments, "--quiet", *options)
        assert finished.returncode == 0, finished.stderr
        speed = json.loads(finished.stdout)["speed"]
        assert (speed["device"], speed["threads"]) == (device, 1)


@pytest.mark.parametrize(
    ("command", "arguments", "missing", "package"),
    [
        ("hydra.train", ["experiment=demo"], ["hydra"], "hydra-core"),
        ("hydra.train", ["experiment=demo"], ["torch"], "torch"),
        ("evaluate", ["--hypotheses", "x", "--reference", "x"], ["sacrebleu"], "sacrebleu"),
        ("export", ["MODEL", "--precision", "int8"], ["onnx"], "onnx"),
    ],
)
def test_other_commands_say_what_to_install(command, arguments, missing, package):
    finished = without(missing, command, *arguments)
    everything = "'.[export]'" if package == "onnx" else "."
    assert finished.stderr == (
        f"nmt-{command.removeprefix('hydra.')}: error: {package} is not installed: pip install {package}, "
        f"or, in nmt's own directory, pip install {everything} for all this command needs\n"
    )
    assert finished.returncode == 2
    assert finished.stdout == ""


def test_a_bundle_that_was_not_exported_says_what_to_do_without_pytorch(bundle_path, tmp_path):
    path = tmp_path / "as trained"
    save_bundle(load_bundle(bundle_path), path)
    finished = without(ABSENT, "translate", path)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"nmt-translate: error: {path} needs PyTorch, which is not installed: pip install torch, or run "
        f"nmt-export {path} --precision int8 where it is, and copy the bundle again\n"
    )


def test_bf16_without_pytorch_is_told(exported):
    finished = without(ABSENT, "translate", exported, "--precision", "bf16")
    assert finished.returncode == 2
    assert finished.stderr == (
        "nmt-translate: error: precision=bf16 needs PyTorch, which is not installed: pip install torch\n"
    )


def test_an_exported_bundle_says_what_to_do_without_any_engine(exported):
    finished = without((*ABSENT, "onnxruntime"), "translate", exported)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"nmt-translate: error: {exported} needs ONNX Runtime for what was exported (pip install onnxruntime), "
        "or PyTorch\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: MODEL; see nmt-export --help"),
        (["MODEL", "--precision", "int4"], "argument --precision: invalid choice: 'int4' (choose from"),
        (["nowhere", "--precision", "int8"], "nowhere does not exist; name a directory that nmt-train made, such as"),
    ],
)
def test_wrong_use_is_told_in_one_line(arguments, message):
    finished = without((), "export", *arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"nmt-export: error: {message}")
    assert finished.stderr.count("\n") == 1


def test_help_and_version_answer_without_any_package():
    for option, start in [("--help", "usage: nmt-export MODEL --precision"), ("--version", "nmt-export ")]:
        finished = without((*ABSENT, "onnxruntime", "numpy", "sentencepiece"), "export", option)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith(start)


def test_a_shortlist_is_learnt_from_the_text_of_the_run_or_from_what_is_named(bundle_path, make_sentences, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(bundle_path, run / "best")
    finished = without((), "export", run / "best", "--precision", "int8", "--shortlist", 5)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"nmt-export: error: --shortlist needs the training text, and {run} has no config.yaml that names it: "
        "give it with --train PREFIX\n"
    )
    text = "\n".join(make_sentences(30)) + "\n"
    for language in ("en", "de"):
        (tmp_path / f"train.{language}").write_text(text, encoding="utf-8")
    written = []
    for settings, options in [(None, ["--train", tmp_path / "train"]), (f"train: {tmp_path / 'train'}", [])]:
        if settings:
            (run / "config.yaml").write_text(f"corpus:\n  {settings}\n", encoding="utf-8")
        finished = without(("torch",), "export", run / "best", "--precision", "int8", "--shortlist", 5, *options)
        assert finished.returncode == 0, finished.stderr
        assert f"train={tmp_path / 'train'}" in finished.stderr.splitlines()[0]
        written.append((run / "best" / "int8" / "shortlist.npz").read_bytes())
    assert written[0] == written[1]
    translated = without(ABSENT, "translate", run / "best", "--quiet", text=text)
    assert (translated.returncode, translated.stderr) == (0, "")
    assert translated.stdout.count("\n") == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shortlist", "0"], "--shortlist 0 is not possible: it must be between 1 and 1000000, or left out"),
        (["--train", "x"], "--train is the text of a shortlist: give --shortlist N too"),
        (
            ["--shortlist", "5", "--train", "no/such"],
            "--train=no/such: there is no file no/such.en (nor no/such.en.gz)",
        ),
    ],
)
def test_impossible_shortlists_are_told(bundle_path, options, message):
    finished = without((), "export", bundle_path, "--precision", "int8", *options)
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"nmt-export: error: {message}")
    assert finished.stderr.count("\n") == 1
