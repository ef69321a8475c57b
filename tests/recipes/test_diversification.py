"""Diversification: three models, what each is trained on and how long, and what stops it."""

import json
import signal
import time
from pathlib import Path

import pytest
import yaml

from nmt.bundle.weights import save_bundle
from nmt.cli import augment
from nmt.recipes import diversification
from nmt.recipes.teacher import Teacher
from nmt.recipes.translated_text import Files

from .conftest import SETTINGS, read, write


@pytest.fixture
def diversify(new_command):
    """The command, with one thread."""
    command = new_command("nmt", encoding="utf-8")
    command.words += ["augment", "diversify"]
    return command


def config(run_dir):
    return yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))


def test_three_models_are_trained_and_the_last_has_all_the_text(diversify, text):
    words = ["--teacher", "model.dropout=0.5", *SETTINGS, "corpus.train=train", "corpus.valid=valid"]
    words += ["corpus.test=valid", "trainer.threads=2"]
    finished = diversify(*words)
    run, told = text / "run", finished.err
    assert (finished.code, finished.out) == (0, ""), told
    for name, languages in (("forward", ("en", "de")), ("backward", ("de", "en"))):
        taught = config(run / name)
        assert (taught["corpus"]["source"], taught["corpus"]["target"]) == languages
        assert (taught["model"]["dropout"], taught["trainer"]["threads"], taught["corpus"]["test"]) == (0.5, 1, "")
        assert f"\n{name}: training ended: trainer.max_updates=12 reached" in told
        assert (run / name / "best").is_dir()
    last = config(run)
    assert (last["model"]["dropout"], last["trainer"]["threads"], last["corpus"]["test"]) == (0.1, 2, "valid")
    assert last["corpus"]["extra"] == ["run/text/forward", "run/text/backward"]
    assert (last["corpus"]["source"], last["corpus"]["target"]) == ("en", "de")
    assert "test (beam" in told
    # Each translated its own side of the text, whose other side is the text itself.
    for made, given in (("forward", "en"), ("backward", "de")):
        assert (run / "text" / f"{made}.{given}").read_bytes() == (text / f"train.{given}").read_bytes()
        other = {"en": "de", "de": "en"}[given]
        assert len(read(run / "text" / f"{made}.{other}")) == 240
    # The same command finds nothing left to do.
    kept = [path for path in run.rglob("*") if path.name in ("model.safetensors", "forward.de", "backward.en")]
    before = [(path.stat().st_mtime_ns, path.read_bytes()) for path in kept]
    finished = diversify(*words)
    assert finished.code == 0, finished.err
    assert finished.err.count("there is nothing left to train") == 3
    assert [(path.stat().st_mtime_ns, path.read_bytes()) for path in kept] == before


def interrupted(words):
    """Run the command where it is stopped by Ctrl-C, which it ignores from then on."""
    handler = signal.getsignal(signal.SIGINT)
    code = augment.diversify(words)
    signal.signal(signal.SIGINT, handler)
    return code


@pytest.mark.parametrize(("threads", "teachers", "each"), [(4, 12.0, 2), (1, 6.0, 1)])
def test_the_minutes_are_those_of_all_together(configs, threads, teachers, each):
    words = ("corpus.train=train", "corpus.valid=valid", f"trainer.threads={threads}", "trainer.max_minutes=40")
    code, found = configs(*words, taken=1.5)
    assert code == 0
    for name in ("forward", "backward"):
        trainer = found[name][0][0].trainer
        assert (trainer.max_minutes, trainer.threads) == (teachers, each)
    last = found[""][0][0].trainer
    assert (last.max_minutes, last.threads) == (26.5, threads)


def test_without_minutes_each_training_has_the_limits_of_the_settings(configs):
    _, found = configs("corpus.train=train", "corpus.valid=valid", taken=0.1)
    limits = [(each[0][0].trainer.max_minutes, each[0][0].trainer.max_updates) for each in found.values()]
    assert limits == [(0, 12)] * 3


def test_no_time_left_for_the_last_training(configs, capfd):
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.max_minutes=10")
    assert configs(*words, taken=7.5)[0] == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "nmt augment diversify: error: trainer.max_minutes=10 leaves no time for the last training: translating took "
        "7.5 minutes; raise it"
    )


def test_a_translation_weighs_as_much_as_its_text(configs, text):
    for side in ("en", "de"):
        write(text / f"more.{side}", ["x"])
    words = ("corpus.train=train", "corpus.valid=valid", "corpus.extra=[more]", "corpus.weights=[3,0.5]")
    _, found = configs(*words, "corpus.tags=[2,-1]", taken=0.1)
    last, first = found[""][0][0].corpus, found["forward"][0][0].corpus
    assert last.extra == ["run/text/extra1", "run/text/forward", "run/text/backward"]
    assert (last.weights, last.tags) == ([3.0, 0.5, 3.0, 3.0], [2, -1, 2, 2])
    assert (first.extra, first.weights, first.tags) == (["run/text/extra1"], [3.0, 0.5], [2, -1])


def test_only_what_was_not_translated_is_translated(configs, text):
    (text / "run" / "text").mkdir(parents=True)
    (text / "run" / "text" / "forward.de").touch()
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.threads=4")
    _, found = configs(*words)
    assert len(found["forward"]) == 1  # its training
    _, (teacher, given, files) = found["backward"]
    assert (teacher.path, teacher.threads) == (Path("run/backward/best"), 2)
    assert (given, files[:2]) == (
        Path("run/text/train.de"),
        (Path("run/text/backward.de"), Path("run/text/backward.en")),
    )
    # The minutes that it took are known from then on.
    assert json.loads((text / "run" / "translating.json").read_text())["minutes"] >= 0
    assert len(configs(*words)[1]["backward"]) == 1


@pytest.mark.parametrize(("installed", "precision"), [(True, "int8"), (False, "fp32")])
def test_it_is_translated_in_int8_where_that_can_be_made(make_bundle, tmp_path, monkeypatch, installed, precision):
    pytest.importorskip("onnxruntime")
    if not installed:
        monkeypatch.setattr(diversification.importlib.util, "find_spec", lambda package: None)
    save_bundle(make_bundle(), tmp_path / "bundle")
    write(tmp_path / "text.en", ["a small red house", "", "the old river"])
    files, teacher = Files.of(str(tmp_path / "made"), given="en", made="zh"), Teacher(tmp_path / "bundle", threads=1)
    for _ in range(2):  # the second finds the variant
        diversification._translate_side(teacher, tmp_path / "text.en", files)
        assert len(read(files.made)) == 3
        assert teacher.load().precision == precision
        files.made.unlink()


def test_the_opposite_direction_has_the_sides_exchanged(configs):
    words = ("corpus.train=train", "corpus.valid=valid", "corpus.max_source_tokens=50", "corpus.max_target_tokens=60")
    models = ("subwords.source_model=s.model", "subwords.target_model=t.model", "model.tying=target")
    _, found = configs(*words, *models, taken=0.1)
    backward = found["backward"][0][0]
    assert (backward.corpus.source, backward.corpus.target) == ("de", "en")
    assert (backward.corpus.max_source_tokens, backward.corpus.max_target_tokens) == (60, 50)
    assert (backward.subwords.source_model, backward.subwords.target_model) == ("t.model", "s.model")


def test_the_minutes_of_translating_are_counted_over_a_stop(configs, text, monkeypatch):
    def stopped(calls, *, at_once):
        clock.append(clock[-1] + 120)
        if len(clock) == 3:  # training the two took the first
            raise KeyboardInterrupt

    clock = [0.0]
    monkeypatch.setattr(diversification.time, "monotonic", lambda: clock[-1])
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.threads=4")
    note = configs(*words, taken=None)  # which makes the text
    assert note[0] == 0
    (text / "run" / "translating.json").unlink()
    monkeypatch.setattr(diversification, "call_each", stopped)
    arguments = [*SETTINGS, "trainer.device=cpu", *words]
    assert interrupted(arguments) == 130
    record = text / "run" / "translating.json"
    assert json.loads(record.read_text(encoding="utf-8")) == {"minutes": 2.0, "done": False}
    assert augment.diversify(arguments) == 0
    assert json.loads(record.read_text(encoding="utf-8")) == {"minutes": 4.0, "done": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--share", "1"], "--share 1 is not possible: it must lie between 0 and 1"),
        (["--", "-m"], "one configuration is wanted here, nothing that is printed and no sweep; leave off -m"),
        (
            ["--", "--cfg", "job"],
            "one configuration is wanted here, nothing that is printed and no sweep; leave off --cfg",
        ),
        (["trainer.overwrite=true"], "trainer.overwrite=true would begin again at every start; remove run instead"),
        (["init_from=x"], "init_from is not possible here: the models of the two directions begin anew"),
        (
            ["corpus.extra=[nowhere]"],
            "corpus.extra=nowhere: there is no file nowhere.en (nor nowhere.en.gz); check the path and the languages",
        ),
        (
            ["corpus.train="],
            "corpus.train is not set: name the training text, as in corpus.train=data/train for data/train.en",
        ),
        (
            ["corpus.train=nowhere"],
            "corpus.train=nowhere: there is no file nowhere.en (nor nowhere.en.gz); check the path and the languages",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(text, capfd, words, message):
    options = words if words[0].startswith("--") else []
    settings = [] if options else words
    code = augment.diversify([*SETTINGS, "corpus.train=train", "corpus.valid=valid", *settings, *options])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines() == [f"nmt augment diversify: error: {message}"]
    assert not (text / "run" / "forward").exists()


def test_a_run_of_the_text_alone_is_not_taken_for_one_of_these(text, capfd):
    (text / "run").mkdir()
    (text / "run" / "state.pt").write_bytes(b"theirs")
    assert augment.diversify([*SETTINGS, "corpus.train=train", "corpus.valid=valid"]) == 2
    message = "run holds a training on the text alone; choose another name or run_dir"
    assert capfd.readouterr().err.splitlines() == [f"nmt augment diversify: error: {message}"]
    assert [path.name for path in (text / "run").iterdir()] == ["state.pt"]


@pytest.mark.parametrize("words", [["trainer.max_update=3"], ["--teacher", "trainer.max_update=3"]])
def test_a_setting_that_nobody_knows_is_told_before_anything_is_trained(text, capfd, words):
    assert augment.diversify([*SETTINGS, "corpus.train=train", "corpus.valid=valid", *words]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line == "nmt augment diversify: error: unknown key trainer.max_update; did you mean trainer.max_updates?"
    assert not (text / "run").exists()


def test_a_stopped_command_goes_on(diversify, text):
    words = [*SETTINGS, "corpus.train=train", "corpus.valid=valid", "trainer.threads=1", "trainer.log_every=1"]
    words.append("trainer.max_updates=100000")
    process = diversify.start(*words)
    metrics = text / "run" / "forward" / "metrics.jsonl"
    while not (metrics.exists() and read(metrics)):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert not (text / "run" / "backward").exists()
    finished = diversify(*words, "trainer.max_epochs=2")
    assert finished.code == 0, finished.err
    assert "resuming run/forward after update" in finished.err
    assert (text / "run" / "best").is_dir()
