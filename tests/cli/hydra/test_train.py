"""nmt-train as a process of its own: its errors, and what it answers before anything heavy is loaded."""

import dataclasses
import subprocess
import sys

import pytest
import yaml

import nmt
from nmt.cli.hydra.keys import choices, known_keys
from nmt.cli.hydra.train import main
from nmt.cli.hydra.train_help import defaults, help_text
from nmt.config.schema import describe, flatten, to_dict
from nmt.config.train import TrainConfig

TEXT = ["corpus.source=en", "corpus.target=de"]


@pytest.fixture
def nmt_train(new_command, tmp_path):
    """A function that runs the command in an empty directory: exit code, stdout, stderr."""
    command = new_command("hydra.train")

    def run(*words):
        finished = command(*words, cwd=tmp_path)
        return finished.code, finished.out.decode("utf-8"), finished.err

    return run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer.max_update=3"], "unknown key trainer.max_update; did you mean trainer.max_updates?"),
        (["model=huge"], "there is no model=huge; available are base, classifier, language_model, small, tagger, tiny"),
        (["optimizer.lr=fast"], "optimizer.lr=fast is not possible: it must be a number"),
        (["corpus.train=x", "seed=-1"], "seed=-1 is not possible: it must be between 0 and 9223372036854775807"),
        (["--fast"], "unknown option --fast; settings are written KEY=VALUE; see nmt-train --help"),
        ([], "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en"),
        (
            ["corpus.train=données/mes phrases=1"],
            "corpus.train=données/mes phrases=1: there is no file données/mes phrases=1.en "
            "(nor données/mes phrases=1.en.gz); check the path and the languages",
        ),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(nmt_train, words, message):
    assert nmt_train(*TEXT, *words) == (2, "", f"nmt-train: error: {message}\n")


@pytest.mark.parametrize("task", ["labelling", "classification", "generation"])
@pytest.mark.parametrize("objective", ["scheduled_sampling", "self_critical", "minimum_risk"])
def test_an_objective_without_meaning_for_a_task_asks_for_no_parent(capsys, task, objective):
    assert main([f"task={task}", f"objective={objective}", "corpus.train=x"]) == 2
    message = f"objective.kind={objective} has no meaning with task={task}; leave it out"
    assert capsys.readouterr() == ("", f"nmt-train: error: {message}\n")


def test_an_objective_of_a_translation_asks_for_its_parent(capsys):
    assert main([*TEXT, "objective=minimum_risk", "corpus.train=x"]) == 2
    assert "objective.kind=minimum_risk learns from the model's own outputs" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_help_and_version_answer_before_anything_heavy_is_loaded(word):
    code = (
        "import sys\nfrom nmt.cli.hydra.train import main\n"
        f"code = main(['seed=1', {word!r}])\n"
        "heavy = [name for name in ('torch', 'hydra', 'omegaconf', 'numpy', 'sentencepiece') if name in sys.modules]\n"
        "print(heavy, file=sys.stderr)\nsys.exit(code)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert finished.stderr == "[]\n"
    assert finished.returncode == 0
    assert finished.stdout.startswith(f"nmt-train {nmt.__version__}\n" if word == "--version" else "usage: nmt-train ")


def test_version_is_ours_and_nothing_else(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nmt-train {nmt.__version__}\n"


def test_help_names_what_can_be_trained():
    head = help_text().partition("options:")[0]
    assert "Train a translator, labeller, classifier or language model, or go on" in head
    assert "the bundles that nmt predict and nmt-translate take" in head


def test_help_lists_every_key_with_its_meaning():
    lines = help_text().splitlines()
    heads = {line.strip().partition("=")[0]: index for index, line in enumerate(lines)}
    assert set(heads) >= set(known_keys())
    for key, default in flatten(to_dict(defaults())).items():
        index = heads[key]
        shown = lines[index].strip().removeprefix(f"{key}=").partition("  (")[0]
        if isinstance(default, bool):
            assert shown == str(default).lower()
        else:
            assert shown == (str(default) or "''")
        group, _, name = key.rpartition(".")
        kind = type(getattr(TrainConfig(), group)) if group else TrainConfig
        described = describe(kind)[name]
        following = " ".join(line.strip() for line in lines[index + 1 : index + 4])
        assert following.startswith(described)
    assert max(map(len, lines)) <= 120


def test_help_shows_what_a_command_without_words_has(nmt_train):
    code, out, err = nmt_train("--cfg", "job")
    assert (code, err) == (0, "")
    assert flatten(yaml.safe_load(out)) == flatten(to_dict(defaults()))
    assert defaults().model.lexicon_size > 0  # which it has by model=small


def test_help_lists_every_choice():
    text = " ".join(help_text().split())
    groups = [item.name for item in dataclasses.fields(TrainConfig) if dataclasses.is_dataclass(item.default_factory)]
    for group in [*groups, "experiment"]:
        assert choices(group)
        assert f" {group}= {' '.join(choices(group))} " in " ".join(text.split())


def test_printing_the_configuration_trains_nothing(nmt_train, tmp_path):
    code, out, err = nmt_train("--cfg", "job", "experiment=demo", "model.dropout=0.25")
    assert (code, err) == (0, "")
    assert "  dropout: 0.25\n" in out
    assert list(tmp_path.iterdir()) == []
