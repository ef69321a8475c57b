"""nmt lab gradients: its table and files, going on where it stopped, its picture, and what it says of wrong options."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nmt
from nmt.cli.lab import gradients
from nmt.cli.main import main
from nmt.lab.gradients import experiment

TINY = ["--task", "adding", "--cells", "rnn", "lstm", "--distances", "6", "4", "--seeds", "1", "2"]
TINY += ["--updates", "3", "--hidden-size", "4", "--batch-size", "4"]


@pytest.fixture(autouse=True)
def without_matplotlib(request, monkeypatch):
    if "with_matplotlib" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.fixture
def with_matplotlib():
    return pytest.importorskip("matplotlib")


def numbers(directory):
    """What the files of a directory have, but for the time that each trial took."""
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in directory.glob("*.json")}
    return {name: {key: value for key, value in values.items() if key != "seconds"} for name, values in files.items()}


def test_the_table_comes_without_matplotlib(tmp_path, capsys):
    assert gradients([str(tmp_path / "out"), *TINY]) == 0
    out, err = capsys.readouterr()
    head, *rows = out.split("\n\n")[0].splitlines()
    assert head.split()[:5] == ["task", "N", "cell", "clipping", "accuracy"]
    assert [row.split()[:4] for row in rows] == [
        ["adding", distance, cell, clipping]
        for distance in ("4", "6")
        for cell in ("rnn", "lstm")
        for clipping in ("none", "at")
    ]
    assert "seeds 1 2; 4 hidden units; batches of 4 sequences; at most 3 updates" in out
    assert "minutes in all, 1 thread; " in out
    assert "PyTorch" in out
    lines = err.splitlines()
    assert len(lines) == 17
    assert lines[0].startswith(
        "nmt lab gradients: 1 of 16: adding-rnn-4-seed-1-clip-0: not solved after 3 updates, accuracy "
    )
    assert lines[-1] == (
        "nmt lab gradients: no picture was drawn: the picture needs matplotlib: pip install matplotlib"
    )
    assert len(list((tmp_path / "out").iterdir())) == 16


def test_what_was_stopped_goes_on_and_gives_the_same_numbers(tmp_path, capsys, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert gradients([str(whole), *TINY, "--format", "json"]) == 0
    expected = json.loads(capsys.readouterr().out)

    run_trial, calls = experiment.run_trial, []

    def stopped(trial, options):
        calls.append(trial)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return run_trial(trial, options)

    monkeypatch.setattr(experiment, "run_trial", stopped)
    assert gradients([str(parts), *TINY, "--format", "json"]) == 130
    assert capsys.readouterr().out == ""
    assert len(list(parts.iterdir())) == 5
    assert gradients([str(parts), *TINY, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines()[0] == "nmt lab gradients: 5 of 16 trials were there"
    assert len(calls) == 6 + 11
    assert numbers(parts) == numbers(whole)
    found = json.loads(out)
    for group in (*found["groups"], *expected["groups"]):
        assert len(group.pop("seconds")) == 2
    assert found["groups"] == expected["groups"]

    before = numbers(parts)
    assert gradients([str(parts), *TINY, "--cells", "rnn", "lstm", "ssru"]) == 0  # more cells add to what is there
    assert len(calls) == 6 + 11 + 8
    assert before.items() <= numbers(parts).items()


def test_a_signal_loses_only_the_trial_that_goes_on(tmp_path):
    options = ["--task", "adding", "--cells", "rnn", "--distances", "4", "--hidden-size", "4", "--clip-norms", "0"]
    assert gradients([str(tmp_path / "out"), *options, "--seeds", "1", "--updates", "0"]) == 0
    for path in (tmp_path / "out").glob("*.json"):  # as if the long trial of the first seed had ended
        values = json.loads(path.read_text(encoding="utf-8"))
        values["options"]["updates"] = 100000
        path.write_text(json.dumps(values), encoding="utf-8")
    words = [sys.executable, "-m", "nmt", "lab", "gradients", str(tmp_path / "out"), *options, "--updates", "100000"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(nmt.__file__).parents[1],
    )
    assert process.stderr.readline() == "nmt lab gradients: 1 of 2 trials were there\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "", "")
    assert [path.name for path in (tmp_path / "out").glob("*.json")] == ["adding-rnn-4-seed-1-clip-0.json"]


def test_json_has_the_curves(tmp_path, capsys):
    assert gradients([str(tmp_path / "out"), *TINY, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["options"]["hidden_size"] == 4
    assert len(found["groups"]) == 8
    for group in found["groups"]:
        assert group["distances"] == list(range(group["distance"]))
        for curves in (group["initial"], group["trained"]):
            assert all(len(curve) == group["distance"] for curve in curves.values())
            assert all(value > 0 for value in curves["state"])
            if group["cell"] == "lstm":  # the last c is read by nobody but h
                assert curves["hidden"][0] == curves["state"][0]
                assert all(h < s for h, s in zip(curves["hidden"][1:], curves["state"][1:], strict=True))
            else:
                assert curves["hidden"] == curves["state"]


def test_without_updates_there_is_one_trial_for_all_clippings(tmp_path, capsys):
    assert gradients([str(tmp_path / "out"), *TINY, "--updates", "0"]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_matplotlib_draws_it(with_matplotlib, tmp_path, capsys):
    assert main(["lab", "gradients", str(tmp_path / "out"), *TINY]) == 0
    assert "picture" not in capsys.readouterr().err
    assert (tmp_path / "out" / "gradients.png").read_bytes().startswith(b"\x89PNG")
    other = tmp_path / "other.svg"
    assert gradients([str(tmp_path / "out"), *TINY, "--picture", str(other), "--curves-at", "4"]) == 0
    assert b"<svg" in other.read_bytes()


def test_a_picture_that_was_asked_for_needs_matplotlib_before_anything_runs(tmp_path, capsys):
    assert gradients([str(tmp_path / "out"), *TINY, "--picture", str(tmp_path / "a.png")]) == 2
    message = "nmt lab gradients: error: the picture needs matplotlib: pip install matplotlib\n"
    assert capsys.readouterr() == ("", message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--distances", "3"], "--distances=3 is not possible: it must be 4 to 10000, since adding marks two numbers "),
        (["--task", "copy", "--distances", "0"], "--distances=0 is not possible: it must be 1 to 10000"),
        (["--cells", "rnn", "lsmt"], "argument --cells: invalid choice: 'lsmt'"),
        (["--task", "multiply"], "argument --task: invalid choice: 'multiply'"),
        (["--seeds", "-1"], "--seeds=-1 is not possible: it must be 0 to 4294967295"),
        (["--clip-norms", "nan"], "--clip-norms=nan is not possible: it must be 0 (no clipping) or more"),
        (["--updates", "-1"], "--updates=-1 is not possible: it must be 0 to "),
        (["--updates", "many"], "argument --updates: invalid int value: 'many'"),
        (["--hidden-size", "0"], "--hidden-size=0 is not possible: it must be 1 to "),
        (["--batch-size", "0"], "--batch-size=0 is not possible: it must be 1 to "),
        (["--threads", "0"], "--threads=0 is not possible: it must be 1 to "),
        (["--learning-rate", "0"], "--learning-rate=0.0 is not possible: it must be above 0 and below 1000"),
        (["--init-scale", "inf"], "--init-scale=inf is not possible: it must be above 0 and below 1000"),
        (["--forget-bias", "nan"], "--forget-bias=nan is not possible: it must be above -1000 and below 1000"),
        (["--curves-at", "5"], "--curves-at 5 must be one of --distances"),
        (["--picture", "a.bmp"], "--picture a.bmp: its name must end in .png, .svg or .pdf"),
        (["--picture", "no/a.png"], "--picture no/a.png: there is no directory no; make it first"),
        (["--cell", "rnn"], "unrecognized arguments: --cell; did you mean --cells?"),
    ],
)
def test_a_wrong_option_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gradients(["out", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"nmt lab gradients: error: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit_are_named_before_anything_runs(tmp_path, capsys):
    out = tmp_path / "out"
    assert gradients([str(out), *TINY]) == 0
    capsys.readouterr()

    def error(*words):
        assert gradients([str(out), *TINY, *words]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        return told.err.removeprefix("nmt lab gradients: error: ").rstrip("\n")

    first = out / "adding-rnn-4-seed-1-clip-0.json"
    last = out / "adding-lstm-6-seed-2-clip-1.json"
    assert error("--updates", "4") == f"{first} was made with --updates 3, not 4; choose another directory, or 3"
    text = last.read_text(encoding="utf-8")
    for damaged in (text[:50], "[]", "{}", text.replace('"accuracy"', '"acuracy"'), text.replace('"state"', '"s"', 1)):
        if damaged == text:
            continue
        last.write_text(damaged, encoding="utf-8")
        assert error() == f"{last} is damaged; delete it, and run the same command again"
    last.write_bytes(first.read_bytes())
    assert error() == (
        f"{last} is of another trial, adding-rnn-4-seed-1-clip-0; delete it, or choose another directory"
    )


def test_a_file_where_the_directory_goes_is_named(tmp_path, capsys):
    (tmp_path / "out").write_text("", encoding="utf-8")
    assert gradients([str(tmp_path / "out"), *TINY]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"nmt lab gradients: error: cannot save {tmp_path / 'out'}: File exists; ")
    assert (out, err.count("\n")) == ("", 1)
