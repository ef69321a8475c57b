import pytest

from nmt.cli.runs import show
from nmt.config.choices import TaskName
from nmt.runs.results import record_failure

TEST = "BLEU 34.18 (nrefs:1|tok:13a); chrF2 57.20 (nrefs:1|nc:6), beam 5, data/test"


def test_a_finished_run_with_what_it_came_to_and_the_settings_that_differ(make_run, capsys):
    corpus = {"corpus__source": "en", "corpus__target": "de", "corpus__test": "data/test"}
    directory = make_run("one", test=TEST, model__dropout=0.35, **corpus)
    assert show([str(directory)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert lines[:8] == [
        f"{directory}: finished",
        "  languages        en → de",
        "  training         200 updates, 1 epochs, 2.0 minutes",
        "  validation BLEU  12.50 (greedy, nrefs:1|tok:13a)",
        "  test BLEU        34.18 (beam 5, nrefs:1|tok:13a)",
        "  test chrF2       57.20 (beam 5, nrefs:1|nc:6)",
        f"  bundle           {directory / 'best'}",
        "  settings that differ from the defaults of nmt-train:",
    ]
    assert {"    name=one", "    corpus.test=data/test", "    model.dropout=0.35", "    trainer.max_updates=200"} <= {
        *lines[8:]
    }
    # The defaults are those of a command without words, presets included, not those of the dataclasses.
    assert "    model.lexicon_size=0" in lines
    assert not any(line.lstrip().startswith(("run_dir", "seed", "search.beam_size")) for line in lines)


def test_an_unfinished_run_without_a_bundle(make_run, capsys):
    directory = make_run("going", trainer__max_updates=900)
    (directory / "best" / "config.json").unlink()
    assert show([str(directory)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{directory}: unfinished: update 200 of 900"
    assert "  test BLEU        none" in lines
    assert "  bundle           none" in lines


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        (TaskName.translation, "chrF2"),
        (TaskName.labelling, "F1"),
        (TaskName.classification, "macro F1"),
        (TaskName.generation, "bits per character"),
    ],
)
def test_a_run_that_has_not_validated_names_the_metric_of_its_task(make_run, capsys, task, metric):
    directory = make_run("going", (), task=task, trainer__max_updates=900)
    assert show([str(directory)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["training", "0", "updates,", "0", "epochs,", "0.0", "minutes"],
        ["validation", *metric.split(), "none"],
        ["test", *metric.split(), "none"],
    ]


def test_one_language_is_shown_alone(make_run, capsys):
    assert show([str(make_run("one", task=TaskName.generation, corpus__target="en"))]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "  languages        en"


def test_several_runs_one_of_which_failed(make_run, tmp_path, capsys):
    directory = make_run("one")
    record_failure(tmp_path / "runs" / "two", "disk full")
    assert show([str(directory), str(tmp_path / "runs" / "two")]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{directory}: finished\n")
    assert out.endswith(f"\n\n{tmp_path / 'runs' / 'two'}: failed: disk full\n")


def test_a_damaged_line_is_a_warning(make_run, capsys):
    path = make_run("one") / "metrics.jsonl"
    path.write_text("oops\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert show([str(path.parent)]) == 0
    assert capsys.readouterr().err == f"nmt runs show: warning: {path}: line 1 is damaged and left out\n"


def test_wrong_use_is_one_line(make_run, monkeypatch, tmp_path, capsys):
    make_run("one")
    make_run("two")
    monkeypatch.chdir(tmp_path)
    for word, message in {
        "nowhere": "there is no directory nowhere; name a run directory, or one that holds several",
        "runs": "runs is no run but has 2 below it; name one, such as runs/one, or compare them: nmt runs table runs",
    }.items():
        assert show([word]) == 2
        assert capsys.readouterr() == ("", f"nmt runs show: error: {message}\n")
