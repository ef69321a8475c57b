"""A run and its directory: what it leaves, when it goes on, and what it refuses to go on with."""

import logging
import subprocess
import sys

import pytest
import torch

from nmt.bundle.weights import load_bundle
from nmt.config.choices import Schedule
from nmt.config.train import OptimizerConfig, TrainConfig
from nmt.training import start as start_module
from nmt.training.state import load_state

SUMMED_UP = "best validation chrF2 "


def test_a_run_leaves_what_its_help_promises(command, tmp_path):
    finished = command("name=toy")
    assert (finished.code, finished.out) == (0, "")
    run_dir = tmp_path / "run"
    names = {path.name for path in run_dir.iterdir()}
    assert names == {"best", "last", "state.pt", "config.yaml", "metrics.jsonl", "train.log", ".lock"}
    config = (run_dir / "config.yaml").read_text(encoding="utf-8")
    assert "name: toy\n" in config
    assert f"run_dir: {run_dir}\n" in config
    for part in ("best", "last"):
        assert (load_bundle(run_dir / part).source_language, load_bundle(run_dir / part).target_language) == (
            "en",
            "de",
        )
    log = (run_dir / "train.log").read_text(encoding="utf-8")
    plain = [line.split(" INFO ", 1)[1] for line in log.splitlines() if " INFO " in line]
    assert plain == finished.err.splitlines()
    assert "training ended: trainer.max_updates=4 reached" in plain
    assert f"nmt-translate {run_dir / 'best'} < input.txt" in plain[-1]


def test_a_finished_run_says_so_and_is_left_as_it_is(command, contents, tmp_path):
    command()
    before = contents(tmp_path / "run")
    again = command()
    assert again.code == 0
    assert f"the run in {tmp_path / 'run'} is finished: trainer.max_updates=4 reached" in again.err
    assert "its learning rate has come down to zero, so it cannot go further" in again.err
    assert "to start anew add trainer.overwrite=true" in again.err
    assert SUMMED_UP in again.err
    assert contents(tmp_path / "run") == before
    # Nothing is read or prepared for it.
    gone = command(corpus__train=tmp_path / "gone", corpus__cache_dir=tmp_path / "no cache")
    assert (gone.code, "is finished" in gone.err, "training pairs" in gone.err) == (0, True, False)
    assert not (tmp_path / "no cache").exists()


def test_a_changed_configuration_names_the_keys_and_stops(interrupted, command, contents, tmp_path):
    run_dir = interrupted()
    before = contents(run_dir)
    message = command("optimizer.lr=0.5", model__decoder_hidden_size=48, trainer__max_updates=5).mistake
    assert message == (
        f"{run_dir} holds a run with another configuration: model.decoder_hidden_size (32 → 48), "
        "optimizer.lr (0.002 → 0.5), trainer.max_updates (4 → 5); "
        "set them back to resume it, choose another run_dir, or add trainer.overwrite=true to start anew"
    )
    assert contents(run_dir) == before


def test_harmless_keys_may_change(interrupted, command, corpus, tmp_path):
    run_dir = interrupted()
    for side in ("en", "de"):
        (tmp_path / f"moved.{side}").write_bytes((corpus / f"train.{side}").read_bytes())
    finished = command(
        *("name=other", "trainer.max_epochs=7", "trainer.max_minutes=9", "trainer.patience=3", "search.beam_size=2"),
        *("trainer.log_every=1", "trainer.progress=false", "trainer.valid_batch_size=5", "trainer.device=cpu"),
        corpus__train=tmp_path / "moved",
        corpus__cache_dir=tmp_path / "another cache",
    )
    assert finished.code == 0
    assert f"resuming {run_dir} after update 3, epoch 0" in finished.err
    assert load_state(run_dir / "state.pt").position.update == 4


def test_a_state_that_knew_fewer_keys_goes_on(interrupted, command):
    """An older nmt had fewer; what they do now is what it did then."""
    run_dir = interrupted()
    values = torch.load(run_dir / "state.pt", weights_only=True)
    del values["config"]["init_from"], values["config"]["optimizer"]["skip_norm"], values["config"]["corpus"]["weights"]
    torch.save(values, run_dir / "state.pt")
    before = (run_dir / "state.pt").read_bytes()
    message = command("optimizer.skip_norm=7", corpus__weights="[2]").mistake
    assert "another configuration: corpus.weights ([] → [2.0]), optimizer.skip_norm (100.0 → 7.0); " in message
    assert (run_dir / "state.pt").read_bytes() == before
    assert command().code == 0


def test_a_state_whose_best_weights_were_chosen_by_bleu_goes_on_only_by_it(interrupted, command):
    run_dir = interrupted()
    values = torch.load(run_dir / "state.pt", weights_only=True)
    del values["config"]["trainer"]["metric"], values["fit"]
    torch.save(values, run_dir / "state.pt")
    assert "another configuration: trainer.metric (bleu → auto); " in command().mistake
    assert command("trainer.metric=bleu").code == 0


def test_a_state_with_a_key_that_is_gone_goes_on_where_it_did_nothing(interrupted, command):
    run_dir = interrupted()
    values = torch.load(run_dir / "state.pt", weights_only=True)
    values["config"]["trainer"]["sampled_words"] = 1024
    torch.save(values, run_dir / "state.pt")
    assert command().mistake == (
        f"{run_dir} holds a run with trainer.sampled_words=1024, which this nmt cannot go on with: sampled softmax was "
        "given up, and the loss looks at all words; leave it out and choose another run_dir, or add "
        "trainer.overwrite=true to start anew"
    )
    values["config"]["trainer"]["sampled_words"] = 0
    torch.save(values, run_dir / "state.pt")
    assert command().code == 0


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt"])
def test_schedules_without_an_end_go_further(command, tmp_path, schedule):
    words = [f"optimizer.schedule={schedule}"]
    assert command(*words).code == 0
    assert command(*words, trainer__max_updates=6).code == 0
    assert load_state(tmp_path / "run" / "state.pt").position.update == 6


def test_threads_may_change_with_a_warning(interrupted, command, tmp_path):
    interrupted()
    try:
        finished = command(trainer__threads=2)
    finally:
        torch.set_num_threads(1)
    assert finished.code == 0
    assert "threads changed from 1 to 2: sums are rounded differently" in finished.err


def test_other_text_stops(write_lines, interrupted, command, corpus, tmp_path, contents):
    run_dir = interrupted()
    before = contents(run_dir)
    for side in ("en", "de"):
        lines = (corpus / f"train.{side}").read_text(encoding="utf-8").splitlines()
        write_lines(tmp_path / f"other.{side}", lines[1:])
    message = command(corpus__train=tmp_path / "other").mistake
    assert message == (
        f"{run_dir} holds a run on other text than corpus.train={tmp_path / 'other'} has now; "
        "choose another run_dir, or add trainer.overwrite=true to start anew"
    )
    assert contents(run_dir) == before


def test_other_validation_text_behind_the_same_name_stops(
    write_lines, interrupted, command, corpus, tmp_path, contents
):
    lines = {side: (corpus / f"valid.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")}
    valid = tmp_path / "valid"
    for side, text in lines.items():
        write_lines(valid.with_suffix(f".{side}"), text)
    interrupted(corpus__valid=valid)
    write_lines(valid.with_suffix(".de"), lines["de"][::-1])
    before = contents(tmp_path / "run")
    assert command(corpus__valid=valid).mistake == (
        f"{tmp_path / 'run'} holds a run whose best weights were chosen on other text than "
        f"corpus.valid={valid} has now; choose another run_dir, or add trainer.overwrite=true to start anew"
    )
    assert contents(tmp_path / "run") == before
    write_lines(valid.with_suffix(".de"), lines["de"])
    assert command(corpus__valid=valid).code == 0


def test_a_bundle_without_a_state_is_not_overwritten_unasked(command, tmp_path, contents):
    command()
    run_dir = tmp_path / "run"
    (run_dir / "state.pt").unlink()
    before = contents(run_dir)
    assert command().mistake == (
        f"{run_dir} holds a bundle but no state.pt, so its run cannot be resumed; "
        "choose another run_dir, or add trainer.overwrite=true to replace it"
    )
    assert contents(run_dir) == before
    assert command("trainer.overwrite=true").code == 0
    assert load_state(run_dir / "state.pt").position.update == 4


def test_overwrite_starts_anew(interrupted, command, metrics):
    run_dir = interrupted()
    finished = command("trainer.overwrite=true", "optimizer.lr=0.5")
    assert finished.code == 0
    assert "resuming" not in finished.err
    assert [line["update"] for line in metrics(run_dir, "validation")] == [2, 4]
    assert load_state(run_dir / "state.pt").config["optimizer"]["lr"] == 0.5


def test_overwriting_with_a_corpus_that_is_not_there_costs_nothing(command, tmp_path, contents):
    command()
    before = contents(tmp_path / "run")
    message = command("trainer.overwrite=true", corpus__train=tmp_path / "missing").mistake
    assert message.startswith(f"corpus.train={tmp_path / 'missing'}: there is no file {tmp_path / 'missing'}.en")
    assert contents(tmp_path / "run") == before


def test_a_run_directory_in_use_is_refused(command, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    hold = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    words = [sys.executable, "-c", hold, str(run_dir / ".lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        message = command().mistake
        holder.communicate(b"\n")
    assert message == f"run_dir={run_dir} is in use by another nmt-train; wait for it or choose another run_dir"
    assert command().code == 0  # and free again


@pytest.mark.parametrize(("inside", "reason"), [("", "File exists"), ("/run", "Not a directory")])
def test_a_run_directory_that_cannot_be_made(command, tmp_path, inside, reason):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    run_dir = f"{tmp_path / 'file'}{inside}"
    message = command(run_dir=run_dir).mistake
    assert message == f"run_dir={run_dir} cannot be written ({reason}); choose another run_dir"


def test_a_run_stopped_at_its_last_update_still_gets_its_bundles(interrupted, command):
    run_dir = interrupted(trainer__max_updates=3, trainer__validate_every=10)
    assert not (run_dir / "best").exists()
    assert command(trainer__max_updates=3, trainer__validate_every=10).code == 0
    assert load_bundle(run_dir / "best").metadata["updates"] == 3
    assert load_state(run_dir / "state.pt").position.finished == "trainer.max_updates=3 reached"


def test_the_log_lets_go_of_its_file(command):
    command()
    assert logging.getLogger("nmt").handlers == []


@pytest.mark.parametrize(
    ("schedule", "reason", "words"),
    [
        (
            Schedule.linear,
            "trainer.max_updates=4 reached",
            "cannot go further (with optimizer=adamw_open_end it could)",
        ),
        (
            Schedule.linear,
            "trainer.max_minutes=4 reached",
            "to go further raise that limit: its learning rate will rise again and fall until then",
        ),
        (
            Schedule.linear,
            "trainer.max_epochs=4 reached",
            "to go further raise that limit: its learning rate will rise again and fall until then",
        ),
        (Schedule.inverse_sqrt, "trainer.max_updates=4 reached", "to go further raise that limit"),
    ],
)
def test_a_finished_run_says_how_it_could_go_on(schedule, reason, words):
    config = TrainConfig(optimizer=OptimizerConfig(schedule=schedule))
    assert start_module.way_further(config, reason).endswith(words)


def test_deterministic_kernels_change_nothing_on_a_cpu(make_config, train, saved, same):
    plain = saved(train(make_config("plain")))
    try:
        chosen = saved(train(make_config("chosen", trainer__deterministic=True)))
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert same(plain, chosen)
