import gzip
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nmt.checkpoint import load_bundle
from nmt.subwords import SubwordModel
from nmt.training import run as run_module
from nmt.training.state import load_state
from nmt.training.trainer import Trainer

SUMMED_UP = "best validation BLEU "


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def one_error(finished):
    """The message of a command that the user can mend."""
    assert finished.code == 2
    assert "Traceback" not in finished.err
    (line,) = finished.errors
    return line.removeprefix("nmt-train: error: ")


@pytest.fixture
def interrupted(command, monkeypatch):
    """A run that was stopped after its third update of four; its directory."""

    def work(**changes):
        update = Trainer._update

        def patched(self, gradient_norm):
            update(self, gradient_norm)
            if self.position.update == 3:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_update", patched)
            finished = command(**changes)
        assert finished.code == 130
        return Path("run").absolute()

    return work


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
    assert "to go further raise that limit; to start anew add trainer.overwrite=true" in again.err
    assert SUMMED_UP in again.err
    assert contents(tmp_path / "run") == before


def test_a_changed_configuration_names_the_keys_and_stops(interrupted, command, contents, tmp_path):
    run_dir = interrupted()
    before = contents(run_dir)
    message = one_error(command("optimizer.lr=0.5", model__decoder_hidden_size=48, trainer__max_updates=5))
    assert message == (
        f"{run_dir} holds a run with another configuration: model.decoder_hidden_size (32 → 48), "
        "optimizer.lr (0.001 → 0.5), trainer.max_updates (4 → 5); "
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


def test_other_text_stops(interrupted, command, corpus, tmp_path, contents):
    run_dir = interrupted()
    before = contents(run_dir)
    for side in ("en", "de"):
        lines = (corpus / f"train.{side}").read_text(encoding="utf-8").splitlines()
        write_lines(tmp_path / f"other.{side}", lines[1:])
    message = one_error(command(corpus__train=tmp_path / "other"))
    assert message == (
        f"{run_dir} holds a run on other text than corpus.train={tmp_path / 'other'} has now; "
        "choose another run_dir, or add trainer.overwrite=true to start anew"
    )
    assert contents(run_dir) == before


def test_a_bundle_without_a_state_is_not_overwritten_unasked(command, tmp_path, contents):
    command()
    run_dir = tmp_path / "run"
    (run_dir / "state.pt").unlink()
    before = contents(run_dir)
    assert one_error(command()) == (
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
    message = one_error(command("trainer.overwrite=true", corpus__train=tmp_path / "missing"))
    assert message.startswith(f"corpus.train={tmp_path / 'missing'}: there is no file {tmp_path / 'missing'}.en")
    assert contents(tmp_path / "run") == before


def test_a_run_directory_in_use_is_refused(command, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    hold = "import sys, filelock; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    words = [sys.executable, "-c", hold, str(run_dir / ".lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        message = one_error(command())
        holder.communicate(b"\n")
    assert message == f"run_dir={run_dir} is in use by another nmt-train; wait for it or choose another run_dir"
    assert command().code == 0  # and free again


@pytest.mark.parametrize(("inside", "reason"), [("", "File exists"), ("/run", "Not a directory")])
def test_a_run_directory_that_cannot_be_made(command, tmp_path, inside, reason):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    run_dir = f"{tmp_path / 'file'}{inside}"
    message = one_error(command(run_dir=run_dir))
    assert message == f"run_dir={run_dir} cannot be written ({reason}); choose another run_dir"


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "newer", "other"])
def test_a_damaged_state_is_told_and_the_bundles_stay(interrupted, command, damage):
    run_dir = interrupted()
    path = run_dir / "state.pt"
    data = path.read_bytes()
    if damage in ("newer", "other"):
        torch.save({"format": 99} if damage == "newer" else {"format": 1, "weights": 1}, path)
    else:
        path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "text": b"hello\n" * 100}[damage])
    message = one_error(command())
    if damage == "newer":
        assert message == f"{path} has state format 99, this nmt reads 1; use trainer.overwrite=true"
    else:
        assert message.startswith(f"{path} cannot be read (")
        assert message.endswith(
            "so the run cannot be resumed; add trainer.overwrite=true to start anew, "
            "or choose another run_dir (its bundles still translate)"
        )
    assert load_bundle(run_dir / "best").metadata["updates"] == 2


def test_a_state_runs_no_code(command, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()

    class Trap:
        def __reduce__(self):
            return (Path.touch, (run_dir / "trapped",))

    torch.save({"format": 1, "config": Trap()}, run_dir / "state.pt")
    assert "cannot be read" in one_error(command())
    assert not (run_dir / "trapped").exists()


@pytest.fixture
def full_disk():
    """Refuse every file above a size, as a full disk does, until called with None."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))

    yield limit
    limit(None)


@pytest.mark.parametrize("size", [50_000, 150_000])  # too small for the weights; for the state
def test_a_full_disk_costs_nothing_that_was_saved(
    interrupted, command, full_disk, same, saved, metrics, tmp_path, size
):
    whole = command(run_dir=tmp_path / "whole")
    run_dir = interrupted()
    assert whole.code == 0
    assert 50_000 < (run_dir / "last" / "model.safetensors").stat().st_size < 150_000
    assert (run_dir / "state.pt").stat().st_size > 150_000
    full_disk(size)
    finished = command()
    full_disk(None)
    assert finished.code == 1
    assert "Traceback" not in finished.err
    name = run_dir / ("last" if size == 50_000 else "state.pt")
    assert finished.errors == [
        f"nmt-train: error: cannot save {name}: File too large; what was saved before is intact; "
        "free some space and run the same command again"
    ]
    assert saved(run_dir)["position"]["update"] == 3
    load_bundle(run_dir / "best")
    assert load_bundle(run_dir / "last").metadata["updates"] == (2 if size == 50_000 else 4)
    assert not list(run_dir.glob("*partial*"))
    assert command().code == 0
    assert same(saved(run_dir), saved(tmp_path / "whole"))
    assert metrics(run_dir) == metrics(tmp_path / "whole")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_under_the_log(command, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "train.log").symlink_to("/dev/full")
    finished = command()
    assert finished.code == 1
    assert "Traceback" not in finished.err
    assert finished.errors == [
        f"nmt-train: error: cannot save {tmp_path / 'run' / 'train.log'}: No space left on device; "
        "what was saved before is intact; free some space and run the same command again"
    ]


def test_validation_text_is_held_out_where_none_is_named(command, tmp_path):
    finished = command(corpus__valid=None)
    assert finished.code == 0
    bundle = load_bundle(tmp_path / "run" / "best")
    held_out = 240 - bundle.metadata["pairs"]
    assert 1 <= held_out <= 24
    assert f"corpus.valid is empty: {held_out} pairs are held out by hash of the source" in finished.err
    assert f"{bundle.metadata['pairs']} training pairs, {held_out} validation pairs" in finished.err
    again = command("trainer.overwrite=true", corpus__valid=None)
    assert f"corpus.valid is empty: {held_out} pairs" in again.err


def test_the_second_start_reads_the_cache(command, tmp_path):
    first = command(corpus__cache_dir=tmp_path / "cache")
    assert "training unigram subwords on the training text" in first.err
    assert "training text (encoded): 240 pairs kept" in first.err
    second = command(corpus__cache_dir=tmp_path / "cache", run_dir=tmp_path / "second")
    assert "training unigram" not in second.err
    assert "training text (from the cache): 240 pairs kept" in second.err
    weights = [(tmp_path / run / "best" / "model.safetensors").read_bytes() for run in ("run", "second")]
    assert weights[0] == weights[1]


def test_subwords_of_another_script_are_refused(command, tmp_path, corpus):
    model = SubwordModel.train(["αβγ δεζ ηθι κλμ", "νξο πρσ τυφ χψω"] * 20, kind="char", vocabulary_size=60)
    (tmp_path / "greek.model").write_bytes(model.to_bytes())
    message = one_error(command(f"subwords.model={tmp_path / 'greek.model'}", subwords__vocabulary_size=None))
    assert message.startswith(f"corpus.train={corpus / 'train'}: ")
    assert "of the source subwords are unknown to the subword model (trainer.max_unknown_rate=0.05)" in message
    assert message.endswith(
        "it was trained on other text: leave subwords.model empty, or set subwords.byte_fallback=true"
    )
    assert not (tmp_path / "run" / "best").exists()


def make_broken(folder, kind):
    """Write a corpus that cannot be read; return what the message must say."""
    source, target = folder / "text.en", folder / "text.de"
    write_lines(source, ["A dog.", "A cat.", "A cow."])
    write_lines(target, ["Ein Hund.", "Eine Katze.", "Eine Kuh."])
    if kind == "missing":
        target.unlink()
        return f"there is no file {target} (nor {target}.gz); check the path and the languages"
    if kind == "unequal":
        write_lines(target, ["Ein Hund."])
        return f"{source} has 3 lines, {target} has 1 lines; each line needs its translation on the same line"
    if kind == "not UTF-8":
        target.write_bytes("Ein Hund.\nEine Kätzin.\n".encode("latin-1"))
        return f"{target}: line 2 is not UTF-8 (byte 0xe4 at column 7); convert the file, for example with iconv"
    for path in (source, target):
        path.write_bytes(b"")
    return "subwords cannot be trained: the training text has no words; check the corpus files"


@pytest.mark.parametrize("kind", ["missing", "unequal", "not UTF-8", "empty"])
@pytest.mark.parametrize("key", ["train", "valid", "test"])
def test_a_corpus_that_cannot_be_read(command, tmp_path, key, kind):
    expected = make_broken(tmp_path, kind)
    if kind == "empty" and key != "train":
        expected = f"corpus.{key}={tmp_path / 'text'}: {tmp_path / 'text.en'} is empty; name a corpus with text"
    message = one_error(command(**{f"corpus__{key}": tmp_path / "text"}))
    assert expected in message
    if kind in ("missing", "unequal"):
        assert message.startswith(f"corpus.{key}={tmp_path / 'text'}: ")
    assert not (tmp_path / "run" / "best").exists()


def test_the_test_text_is_scored_with_the_best_bundle(command, tmp_path, corpus):
    finished = command("search.beam_size=3", corpus__test=corpus / "test")
    assert finished.code == 0
    values = json.loads((tmp_path / "run" / "best" / "config.json").read_text(encoding="utf-8"))["metadata"]["test"]
    assert values.startswith("BLEU ")
    assert "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in values
    assert "; chrF2 " in values
    assert values.endswith(f", beam 3, {corpus / 'test'}")
    assert f"test (beam 3, {corpus / 'test'}): BLEU " in finished.err
    assert f"- test: {values}" in (tmp_path / "run" / "best" / "README.md").read_text(encoding="utf-8")


def test_a_run_stopped_while_its_test_is_scored_is_scored_next_time(command, tmp_path, corpus, monkeypatch, contents):
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "score_test", lambda *_: signal.raise_signal(signal.SIGINT))
        assert command(corpus__test=corpus / "test").code == 130
    assert "test" not in load_bundle(tmp_path / "run" / "best").metadata
    assert command(corpus__test=corpus / "test").code == 0
    assert load_bundle(tmp_path / "run" / "best").metadata["test"].endswith(f"beam 5, {corpus / 'test'}")
    before = contents(tmp_path / "run")
    third = command(corpus__test=corpus / "test")
    assert "test (" not in third.err
    assert contents(tmp_path / "run") == before


def test_a_run_stopped_at_its_last_update_still_gets_its_bundles(interrupted, command):
    run_dir = interrupted(trainer__max_updates=3, trainer__validate_every=10)
    assert not (run_dir / "best").exists()
    assert command(trainer__max_updates=3, trainer__validate_every=10).code == 0
    assert load_bundle(run_dir / "best").metadata["updates"] == 3
    assert load_state(run_dir / "state.pt").position.finished == "trainer.max_updates=3 reached"


def test_tsv_and_gzip_train_as_plain_files_do(command, tmp_path, corpus):
    text = {
        (part, side): (corpus / f"{part}.{side}").read_text(encoding="utf-8").splitlines()
        for part in ("train", "valid")
        for side in ("en", "de")
    }
    for part in ("train", "valid"):
        write_lines(tmp_path / f"{part}.tsv", map("\t".join, zip(text[part, "en"], text[part, "de"], strict=True)))
        for side in ("en", "de"):
            with gzip.open(tmp_path / f"{part}.{side}.gz", "wt", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in text[part, side])
    weights = []
    for run, suffix in (("plain", None), ("tsv", ".tsv"), ("gzip", "")):
        paths = {f"corpus__{part}": tmp_path / f"{part}{suffix}" for part in ("train", "valid")}
        assert command(run_dir=tmp_path / run, **(paths if suffix is not None else {})).code == 0
        weights.append((tmp_path / run / "last" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] == weights[2]


def test_the_log_lets_go_of_its_file(command):
    command()
    assert logging.getLogger("nmt").handlers == []
