"""The one door to all commands: what it lists, what it calls, and what it says of a word that is none of them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.cli import main as door
from nmt.cli.main import COMMANDS, main
from nmt.config.choices import TaskName

ROOT = Path(nmt.__file__).parents[1]


def test_every_command_is_there_and_says_how_it_is_used(capsys):
    for command in COMMANDS:
        module, _, function = command.place.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert main([*command.name.split(), "--help"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.lower().startswith("usage: nmt")
        assert "exit codes" in out


def test_help_answers_before_anything_heavy_is_loaded():
    words = [[], *(command.name.split() for command in COMMANDS)]
    code = f"""
import contextlib, io, sys
from nmt.cli.main import main
with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
    codes = [main([*words, "--help"]) for words in {words!r}]
heavy = "torch hydra omegaconf numpy sentencepiece sacrebleu onnxruntime matplotlib".split()
print(codes == [0] * {len(words)}, [name for name in heavy if name in sys.modules])"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (finished.stdout, finished.stderr) == ("True []\n", "")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_it_lists_all_commands(words, capsys):
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = [line.split("  ")[1] for line in out.splitlines() if line.startswith("  nmt ")]
    assert lines == [f"nmt {command.name}" for command in COMMANDS]


@pytest.mark.parametrize("words", [["corpus"], ["corpus", "--help"]])
def test_a_group_lists_its_own(words, capsys):
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == ("usage: nmt corpus COMMAND [options]", "")
    assert [line.split("  ")[1] for line in out.splitlines() if line.startswith("  nmt ")] == [
        "nmt corpus fetch",
        "nmt corpus split",
    ]
    assert "nmt corpus COMMAND --help" in out


def test_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"nmt {nmt.__version__}\n", "")


def test_a_command_gets_the_words_after_its_name_and_its_exit_code_is_passed_on(monkeypatch):
    given = []
    monkeypatch.setattr(importlib.import_module("nmt.cli.translate"), "main", lambda words: given.append(words) or 7)
    assert main(["translate", "a model", "--n-best", "2"]) == 7
    assert given == [["a model", "--n-best", "2"]]


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["translate", "nowhere"], "nmt-translate: error: nowhere does not exist; "),
        (["train", "trainer.max_update=3"], "nmt-train: error: "),
    ],
)
def test_the_four_commands_keep_their_names_in_messages(words, start, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(start)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tranlate"], "nmt: error: there is no command tranlate; did you mean nmt translate?"),
        (["nmt-train"], "nmt: error: there is no command nmt-train; did you mean nmt train?"),
        (["fetch"], "nmt: error: there is no command fetch; did you mean nmt corpus fetch?"),
        (["corpsu"], "nmt: error: there is no command corpsu; did you mean nmt corpus?"),
        (["corpus", "spilt"], "nmt corpus: error: there is no command spilt; did you mean nmt corpus split?"),
        (["corpus", "train"], "nmt corpus: error: there is no command train; did you mean nmt train?"),
        (["corpus", "xyz"], "nmt corpus: error: there is no command xyz; nmt corpus --help lists them"),
        (["xyz"], "nmt: error: there is no command xyz; nmt --help lists them"),
        (["--beam-size"], "nmt: error: there is no command --beam-size; nmt --help lists them"),
    ],
)
def test_an_unknown_command_is_one_line_that_names_the_nearest(words, message, capsys):
    assert main(words) == 2
    assert capsys.readouterr() == ("", f"{message}\n")


def test_training_is_of_every_task():
    (summary,) = (command.summary for command in door.COMMANDS if command.name == "train")
    for task in TaskName:
        assert task.does.split()[0] in summary


def test_the_package_is_the_command_too():
    finished = subprocess.run([sys.executable, "-m", "nmt"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == f"{door.overview()}\n"
