import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "corpora" / "demo"
SETTINGS = [
    *("corpus.source=en", "corpus.target=de", "corpus.cache_dir=cache", "run_dir=run", "subwords.vocabulary_size=160"),
    *("model=tiny", "model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"),
    *("trainer.batch_tokens=400", "trainer.precision=fp32", "trainer.validate_every=40", "trainer.max_updates=80"),
    *("optimizer.lr=1e-2", "optimizer.warmup_updates=10", "trainer.ema_decay=0.9", "search.beam_size=1"),
]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("diversify")


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A directory with a small corpus in it, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    for side in ("en", "de"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines()
        for name, part in (("train", lines[:240]), ("valid", lines[240:260])):
            write(tmp_path / f"{name}.{side}", part)
    return tmp_path


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def read(path):
    return path.read_text(encoding="utf-8").splitlines()


def config(run_dir):
    return yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8"))


def test_three_models_are_trained_and_the_last_has_all_the_text(text, run_tool):
    words = ["diversify", "--teacher", "model.dropout=0.5", *SETTINGS, "corpus.train=train", "corpus.valid=valid"]
    words += ["corpus.test=valid", "trainer.threads=2"]
    finished = run_tool(*words)
    run, told = text / "run", finished.stderr
    assert (finished.returncode, finished.stdout) == (0, ""), told
    for name, languages in (("forward", ("en", "de")), ("backward", ("de", "en"))):
        taught = config(run / name)
        assert (taught["corpus"]["source"], taught["corpus"]["target"]) == languages
        assert (taught["model"]["dropout"], taught["trainer"]["threads"], taught["corpus"]["test"]) == (0.5, 1, "")
        assert f"diversify.py: {name}: training ended: trainer.max_updates=80 reached" in told
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
    finished = run_tool(*words)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("there is nothing left to train") == 3
    assert [(path.stat().st_mtime_ns, path.read_bytes()) for path in kept] == before


@pytest.fixture
def commands(tool, text, monkeypatch):
    """A function that runs the tool without its commands: the exit code, and the words of every command by name."""

    def run(*words, taken=None):
        found = {}

        def note(group, *, at_once):
            assert at_once in (True, False)
            for name, command in group.items():
                found.setdefault(name, []).append(command)

        monkeypatch.setattr(tool, "_run_all", note)
        if taken is not None:
            (text / "run").mkdir(exist_ok=True)
            (text / "run" / "translating.json").write_text(json.dumps({"minutes": taken}))
        return tool.main([*SETTINGS, "trainer.device=cpu", *words]), found

    return run


def last_value(command, key):
    return [word.partition("=")[2] for word in command if word.startswith(f"{key}=")][-1]


@pytest.mark.parametrize(("threads", "teachers", "each"), [(4, "12.0000", "2"), (1, "6.0000", "1")])
def test_the_minutes_are_those_of_all_together(commands, threads, teachers, each):
    words = ("corpus.train=train", "corpus.valid=valid", f"trainer.threads={threads}", "trainer.max_minutes=40")
    code, found = commands(*words, taken=1.5)
    assert code == 0
    for name in ("forward", "backward"):
        assert last_value(found[name][0], "trainer.max_minutes") == teachers
        assert last_value(found[name][0], "trainer.threads") == each
    assert last_value(found[""][0], "trainer.max_minutes") == "26.5000"
    assert last_value(found[""][0], "trainer.threads") == str(threads)


def test_without_minutes_each_training_has_the_limits_of_the_settings(commands):
    _, found = commands("corpus.train=train", "corpus.valid=valid", taken=0.1)
    assert not any(word.startswith("trainer.max_minutes") for group in found.values() for word in group[0])


def test_no_time_left_for_the_last_training(commands, capfd):
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.max_minutes=10")
    assert commands(*words, taken=7.5)[0] == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "diversify.py: error: trainer.max_minutes=10 leaves no time for the last training: translating took 7.5 "
        "minutes; raise it"
    )


def test_a_translation_weighs_as_much_as_its_text(commands, text):
    for side in ("en", "de"):
        write(text / f"more.{side}", ["x"])
    words = ("corpus.train=train", "corpus.valid=valid", "corpus.extra=[more]", "corpus.weights=[3,0.5]")
    _, found = commands(*words, "corpus.tags=[2,-1]", taken=0.1)
    assert last_value(found[""][0], "corpus.extra") == "[run/text/extra1,run/text/forward,run/text/backward]"
    assert last_value(found[""][0], "corpus.weights") == "[3.0,0.5,3.0,3.0]"
    assert last_value(found[""][0], "corpus.tags") == "[2,-1,2,2]"
    assert last_value(found["forward"][0], "corpus.extra") == "[run/text/extra1]"


def test_only_what_was_not_translated_is_translated(commands, text):
    (text / "run" / "text").mkdir(parents=True)
    (text / "run" / "text" / "forward.de").touch()
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.threads=4")
    _, found = commands(*words)
    assert len(found["forward"]) == 1  # its training
    _, export, translation = found["backward"]
    assert export[1:] == ["-m", "nmt.cli.export", "run/backward/best", "--precision", "int8", "--quiet"]
    assert translation[2:5] == ["run/backward/best", "--input", "run/text/train.de"]
    assert translation[5:] == ["--output", "run/text/backward", "--source", "en", "--target", "de", "--threads", "2"]
    # The minutes that it took are known from then on.
    assert json.loads((text / "run" / "translating.json").read_text())["minutes"] >= 0
    assert len(commands(*words)[1]["backward"]) == 1


def test_without_onnx_it_is_translated_by_the_models_as_they_are(commands, tool, monkeypatch):
    monkeypatch.setattr(tool.importlib.util, "find_spec", lambda package: None)
    _, found = commands("corpus.train=train", "corpus.valid=valid")
    for name in ("forward", "backward"):
        assert [command[1].endswith("back_translate.py") for command in found[name]] == [False, True]


def test_the_opposite_direction_has_the_sides_exchanged(commands):
    words = ("corpus.train=train", "corpus.valid=valid", "corpus.max_source_tokens=50", "corpus.max_target_tokens=60")
    models = ("subwords.source_model=s.model", "subwords.target_model=t.model", "model.tying=target")
    _, found = commands(*words, *models, taken=0.1)
    backward = found["backward"][0]
    assert [last_value(backward, f"corpus.max_{side}_tokens") for side in ("source", "target")] == ["60", "50"]
    assert [last_value(backward, f"subwords.{side}_model") for side in ("source", "target")] == ["t.model", "s.model"]


def parts_of(run):
    """The pairs of the training and of the validation text."""
    return [
        list(zip(*(read(run / "text" / f"{name}.{side}") for side in ("en", "de")), strict=True))
        for name in ("train", "valid")
    ]


def test_what_is_held_out_is_held_out_from_all_three(commands, text):
    assert commands("corpus.train=train", "corpus.valid_pairs=20", taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    pairs = list(zip(read(text / "train.en"), read(text / "train.de"), strict=True))
    assert 0 < len(valid) <= 20
    sources, targets = ({pair[side] for pair in valid} for side in (0, 1))
    assert train == [pair for pair in pairs if pair[0] not in sources and pair[1] not in targets]


def test_what_is_validation_text_on_either_side_is_not_trained_on(commands, text):
    for side, more in (("en", ["a source ", "other"]), ("de", ["anders", "ein Ziel"])):
        write(text / f"train.{side}", [*read(text / f"train.{side}"), *more])
    write(text / "valid.en", [*read(text / "valid.en"), "a source", "x"])
    write(text / "valid.de", [*read(text / "valid.de"), "y", "ein Ziel"])
    before = read(text / "train.en")
    assert commands("corpus.train=train", "corpus.valid=valid", taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    assert [source for source, _ in train] == [line for line in before[:-2] if line not in read(text / "valid.en")]
    assert valid[-2:] == [("a source", "y"), ("x", "ein Ziel")]


def test_further_texts_lack_what_is_held_out_too(commands, text):
    pairs = list(zip(read(text / "train.en"), read(text / "train.de"), strict=True))
    for name, chosen in (("more", pairs[::2]), ("yet", pairs[1::2])):
        write(text / f"{name}.en", [source for source, _ in chosen])
        write(text / f"{name}.de", [target for _, target in chosen])
    write(text / "yet.tsv", ["a\tb", *(f"{source}\t{target}" for source, target in pairs)])
    words = ("corpus.train=train", "corpus.valid_pairs=20", "corpus.extra=[more,yet.tsv]")
    assert commands(*words, taken=0.1)[0] == 0
    train, valid = parts_of(text / "run")
    assert valid
    further = [
        list(zip(*(read(text / "run" / "text" / f"extra{number}.{side}") for side in ("en", "de")), strict=True))
        for number in (1, 2)
    ]
    assert further == [[pair for pair in pairs[::2] if pair in train], [("a", "b"), *train]]


def test_the_minutes_of_translating_are_counted_over_a_stop(commands, tool, text, monkeypatch):
    def stopped(group, *, at_once):
        if at_once:
            clock.append(clock[-1] + 120)
        if len(clock) == 3:  # training the two took the first
            raise SystemExit(143)

    clock = [0.0]
    monkeypatch.setattr(tool.time, "monotonic", lambda: clock[-1])
    words = ("corpus.train=train", "corpus.valid=valid", "trainer.threads=4")
    note = commands(*words, taken=None)  # which makes the text
    assert note[0] == 0
    (text / "run" / "translating.json").unlink()
    monkeypatch.setattr(tool, "_run_all", stopped)
    arguments = [*SETTINGS, "trainer.device=cpu", *words]
    assert tool.main(arguments) == 143
    record = text / "run" / "translating.json"
    assert json.loads(record.read_text(encoding="utf-8")) == {"minutes": 2.0, "done": False}
    assert tool.main(arguments) == 0
    assert json.loads(record.read_text(encoding="utf-8")) == {"minutes": 4.0, "done": True}


def test_columns_of_one_file_become_two(commands, text):
    pairs = [
        f"{source}\t{target}" for source, target in zip(read(text / "train.en"), read(text / "train.de"), strict=True)
    ]
    write(text / "both.tsv", pairs)
    code, found = commands("corpus.train=both.tsv", "corpus.valid=valid", taken=0.1)
    assert code == 0
    assert last_value(found["backward"][0], "corpus.train") == "run/text/train"
    for side in ("en", "de"):
        assert (text / "run" / "text" / f"train.{side}").read_bytes() == (text / f"train.{side}").read_bytes()


def test_other_text_is_not_mixed_with_what_was_made(commands, text, capfd):
    words = ("corpus.train=train", "corpus.valid=valid")
    assert commands(*words, taken=0.1)[0] == 0
    before = (text / "run" / "text" / "train.en").read_bytes()
    write(text / "train.en", ["one more", *read(text / "train.en")[1:]])
    assert commands(*words)[0] == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "diversify.py: error: run/text/train.en was made of another text than corpus.train is now; choose another "
        "run_dir, or remove run"
    )
    assert (text / "run" / "text" / "train.en").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--share", "1"], "--share 1 is not possible: it must lie between 0 and 1"),
        (["--", "-m"], "diversify.py trains for one configuration, not for a sweep; leave off -m"),
        (["trainer.overwrite=true"], "trainer.overwrite=true would begin again at every start; remove run instead"),
        (["init_from=x"], "init_from is not possible here: the models of the two directions begin anew"),
        (
            ["corpus.extra=[nowhere]"],
            "corpus.extra=nowhere: there is no file nowhere.en (nor nowhere.en.gz); check the path and the languages",
        ),
        (["corpus.train="], "corpus.train is not set; see nmt-train --help"),
        (
            ["corpus.train=nowhere"],
            "corpus.train=nowhere: there is no file nowhere.en (nor nowhere.en.gz); check the path and the languages",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(tool, text, capfd, words, message):
    options = words if words[0].startswith("--") else []
    settings = [] if options else words
    code = tool.main([*SETTINGS, "corpus.train=train", "corpus.valid=valid", *settings, *options])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    assert err.splitlines() == [f"diversify.py: error: {message}"]
    assert not (text / "run" / "forward").exists()


def test_a_run_of_the_text_alone_is_not_taken_for_one_of_these(tool, text, capfd):
    (text / "run").mkdir()
    (text / "run" / "state.pt").write_bytes(b"theirs")
    assert tool.main([*SETTINGS, "corpus.train=train", "corpus.valid=valid"]) == 2
    message = "run holds a training on the text alone; choose another name or run_dir"
    assert capfd.readouterr().err.splitlines() == [f"diversify.py: error: {message}"]
    assert [path.name for path in (text / "run").iterdir()] == ["state.pt"]


@pytest.mark.parametrize("words", [["trainer.max_update=3"], ["--teacher", "trainer.max_update=3"]])
def test_a_setting_that_nobody_knows_is_told_before_anything_is_trained(tool, text, capfd, words):
    assert tool.main([*SETTINGS, "corpus.train=train", "corpus.valid=valid", *words]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("nmt-train: error: ")
    assert "trainer.max_updates" in line
    assert not (text / "run").exists()


def test_where_one_training_fails_the_other_is_stopped(tool, capfd):
    waits = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: exit(143)); "
    waits += "print('on', file=sys.stderr); print('unread'); "
    commands = {
        "forward": [sys.executable, "-c", waits + "time.sleep(60)"],
        "backward": [sys.executable, "-c", "import time; time.sleep(2); exit('cannot')"],
    }
    began = time.monotonic()
    with pytest.raises(SystemExit) as stop:
        tool._run_all(commands, at_once=True)
    assert stop.value.code == 1
    assert time.monotonic() - began < 30
    assert capfd.readouterr().err.splitlines() == ["diversify.py: forward: on", "diversify.py: backward: cannot"]


def test_a_stopped_command_goes_on(text, run_tool):
    words = [*SETTINGS, "corpus.train=train", "corpus.valid=valid", "trainer.threads=1", "trainer.log_every=1"]
    words.append("trainer.max_updates=100000")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "tools" / "diversify.py"), *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    metrics = text / "run" / "forward" / "metrics.jsonl"
    while not (metrics.exists() and read(metrics)):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert not (text / "run" / "backward").exists()
    finished = run_tool("diversify", *words, "trainer.max_epochs=2")
    assert finished.returncode == 0, finished.stderr
    assert "resuming run/forward after update" in finished.stderr
    assert (text / "run" / "best").is_dir()
