"""Fine-tuning by the command: where a child begins and goes on, and what its command line may say."""

import json
import shutil
from pathlib import Path

import pytest

from nmt.bundle.weights import load_bundle


@pytest.fixture
def parent_run(command, tmp_path):
    """A finished run, made by the command."""
    assert command(run_dir=tmp_path / "parent", trainer__max_updates=6, trainer__validate_every=3).code == 0
    return tmp_path / "parent"


SIZES = ("embedding_size", "encoder_hidden_size", "decoder_hidden_size", "attentional_size")
UNSAID = dict.fromkeys(("model", *(f"model__{key}" for key in SIZES), "subwords__vocabulary_size"))


def test_a_child_begins_where_its_parent_ended(command, parent_run, metrics, tmp_path):
    tiny_steps = ["optimizer.lr=1e-12", "optimizer.warmup_updates=0", "trainer.validate_every=1"]
    finished = command(f"init_from={parent_run / 'best'}", *tiny_steps, trainer__max_updates=1, **UNSAID)
    assert finished.code == 0, finished.err
    best = load_bundle(parent_run / "best").metadata["updates"]
    (ended,) = (line for line in metrics(parent_run, "validation") if line["update"] == best)
    (began,) = metrics(tmp_path / "run", "validation")
    for key in ("bleu", "chrf", "perplexity", "chrf_signature"):
        assert began[key] == ended[key]
    values = json.loads((tmp_path / "run" / "best" / "config.json").read_text(encoding="utf-8"))
    assert values["model"] == json.loads((parent_run / "best" / "config.json").read_text(encoding="utf-8"))["model"]
    text = (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")
    assert "embedding_size: 16\n" in text
    assert "vocabulary_size: 160\n" in text


def test_a_child_outlives_its_parent(command, interrupted, parent_run, same, saved, metrics, tmp_path):
    init_from = {"init_from": str(parent_run / "best"), **UNSAID}
    assert command(run_dir=tmp_path / "whole", **init_from).code == 0
    run_dir = interrupted(**init_from)
    shutil.rmtree(parent_run)
    finished = command(**init_from)
    assert finished.code == 0, finished.err
    assert f"resuming {run_dir} after update 3" in finished.err
    assert same(saved(run_dir), saved(tmp_path / "whole"))
    assert metrics(run_dir) == metrics(tmp_path / "whole")
    assert load_bundle(run_dir / "best").config.embedding_size == 16
    assert command(run_dir=tmp_path / "third", **init_from).mistake == (
        f"init_from={parent_run / 'best'}: {parent_run / 'best'} does not exist; "
        "name a directory that nmt-train made, such as runs/demo/best"
    )


@pytest.mark.parametrize(
    ("words", "setting", "has"),
    [
        (["model.embedding_size=512"], "model.embedding_size=512 conflicts", "16"),
        (["subwords=bpe"], "subwords.kind=bpe conflicts", "unigram"),
        (["subwords.joint=true", "model.cell=gru"], "model.cell=gru conflicts", "lstm"),
        # The default choice is chosen where it was said.
        (
            ["model=small"],
            "model.embedding_size=256, model.encoder_layers=2, model.encoder_hidden_size=256, "
            "model.decoder_hidden_size=512, model.attentional_size=512 conflict",
            "16, 1, 16, 32, 32",
        ),
    ],
)
def test_what_the_command_line_says_against_the_parent_is_refused(command, parent_run, tmp_path, words, setting, has):
    init_from = parent_run / "best"
    message = command(f"init_from={init_from}", *words, **UNSAID).mistake
    what = "it" if "conflicts" in setting else "them"
    assert message == f"{setting} with init_from={init_from}, whose model has {has}; leave {what} out"
    assert not (tmp_path / "run" / "best").exists()


def test_an_experiment_says_what_it_changes(command, parent_run, tmp_path):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    header = "# @package _global_\n"
    (folder / "fits.yaml").write_text(f"{header}model:\n  embedding_size: 16\n  dropout: 0.5\n", encoding="utf-8")
    (folder / "not.yaml").write_text(f"{header}model:\n  decoder_layers: 3\n", encoding="utf-8")
    words = ["-cd", tmp_path / "conf", f"init_from={parent_run / 'best'}"]
    assert command(*map(str, words), "experiment=fits", **UNSAID).code == 0
    assert load_bundle(tmp_path / "run" / "best").config.dropout == 0.5
    message = command(*map(str, words), "experiment=not", "trainer.overwrite=true", **UNSAID).mistake
    assert message.startswith("model.decoder_layers=3 conflicts with init_from=")
    assert load_bundle(tmp_path / "run" / "best").config.dropout == 0.5


def test_the_parents_own_command_makes_a_child(command, parent_run, tmp_path):
    """All its settings are chosen again, and are what the parent has."""
    assert command(init_from=parent_run / "best").code == 0
    assert load_bundle(tmp_path / "run" / "best").config == load_bundle(parent_run / "best").config


def test_a_run_from_scratch_does_not_become_a_child(interrupted, command, parent_run):
    run_dir = interrupted()
    message = command(init_from=parent_run / "best").mistake
    assert message.startswith(
        f"{run_dir} holds a run with another configuration: init_from ( → {parent_run / 'best'}); "
    )


def test_a_child_may_find_its_parent_elsewhere_but_keeps_its_settings(interrupted, command, parent_run, tmp_path):
    run_dir = interrupted(init_from=parent_run / "best", **UNSAID)
    moved = shutil.move(parent_run, tmp_path / "moved")
    message = command("model.cell=gru", init_from=Path(moved) / "best", **UNSAID).mistake
    assert message.startswith(f"{run_dir} holds a run with another configuration: model.cell (lstm → gru); ")
    assert command(init_from=Path(moved) / "best", **UNSAID).code == 0
