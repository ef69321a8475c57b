import json
import math
import sys
from types import SimpleNamespace

import pytest

from nmt.cli.runs import plot


class Panel:
    """Stands in for matplotlib's Axes and remembers what is drawn."""

    def __init__(self):
        self.title, self.label, self.curves, self.legends = "", "", [], 0

    def set_title(self, title, **_):
        self.title = title

    def set_xlabel(self, label):
        self.label = label

    def set_yscale(self, scale):
        self.scale = scale

    def grid(self, **_):
        pass

    def plot(self, x, y, *, label, **_):
        self.curves.append((label, list(zip(x, y, strict=True))))

    def legend(self, **_):
        self.legends += 1


@pytest.fixture
def panels(monkeypatch):
    """The four panels of the picture that is drawn next, by a stand-in for matplotlib."""
    drawn = [Panel() for _ in range(4)]

    def savefig(path, **_):
        path.write_bytes(b"a picture")

    figure = SimpleNamespace(add_subplot=lambda _, __, number: drawn[number - 1], savefig=savefig)
    for name, module in {
        "matplotlib": SimpleNamespace(),
        "matplotlib.figure": SimpleNamespace(Figure=lambda **_: figure),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return drawn


def test_one_run_in_four_panels(panels, make_run, tmp_path, capsys):
    directory, output = make_run("one", (10.0, 12.5)), tmp_path / "curves.png"
    assert plot([str(directory), "--output", str(output)]) == 0
    assert capsys.readouterr() == ("", "")
    assert output.read_bytes() == b"a picture"
    loss, perplexity, bleu, rate = panels
    assert loss.curves == [("one", [(100, 5.0), (200, 2.5)])]
    assert perplexity.curves == [(None, [(100, 64.0), (200, 32.0)]), ("one", [(100, 32.0), (200, 16.0)])]
    assert bleu.curves == [("one", [(100, 10.0), (200, 12.5)])]
    assert rate.curves == [("one", [(100, 0.1), (200, 0.05)])]
    assert [panel.scale for panel in panels] == ["linear", "log", "linear", "linear"]
    assert {panel.label for panel in panels} == {"updates"}
    assert sum(panel.legends for panel in panels) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["curves.png", "runs"]


def test_the_norm_of_the_gradient_is_drawn_where_it_is_asked_for(panels, make_run, tmp_path):
    directory = make_run("one")
    lines = [{"kind": "train", "update": update, "gradient_norm": norm} for update, norm in ((1, 9.5), (2, 0.5))]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    words = [str(directory), "--panels", "gradient", "loss", "--output", str(tmp_path / "x.png")]
    assert plot(words) == 0
    assert panels[0].curves == [("one", [(1, 9.5), (2, 0.5)])]
    assert (panels[0].scale, panels[1].scale) == ("log", "linear")


@pytest.mark.parametrize(
    ("against", "label", "places"),
    [("minutes", "minutes of training", [1.0, 2.0]), ("tokens", "target tokens", [5000, 10000])],
)
def test_several_runs_with_a_legend_against_time_or_tokens(panels, make_run, tmp_path, against, label, places):
    runs = [str(make_run(name)) for name in ("a/seed=1", "b/seed=1")]
    assert plot([*runs, "--against", against, "--output", str(tmp_path / "x.svg")]) == 0
    bleu = panels[2]
    assert bleu.label == label
    # Their own names are the same, so the legend has their paths.
    assert [name for name, _ in bleu.curves] == runs
    assert [[x for x, _ in points] for _, points in bleu.curves] == [places] * 2
    assert all(panel.legends == 1 for panel in panels)


def test_a_damaged_line_is_named_and_a_loss_that_was_no_number_is_a_gap(panels, make_run, tmp_path, capsys):
    path = make_run("one") / "metrics.jsonl"
    gap = '{"kind": "train", "update": 250, "loss": null}\n'
    path.write_text(path.read_text(encoding="utf-8") + "{}\n" + gap, encoding="utf-8")
    assert plot([str(path.parent), "--output", str(tmp_path / "x.png")]) == 0
    assert capsys.readouterr().err == f"nmt runs plot: warning: {path}: line 5 is damaged and left out\n"
    ((_, points),) = panels[0].curves
    assert points[-1][0] == 250
    assert math.isnan(points[-1][1])


@pytest.mark.parametrize("made", [False, True])
def test_without_metrics_there_is_nothing_to_draw(panels, make_run, tmp_path, capsys, made):
    path = make_run("one") / "metrics.jsonl"
    path.unlink()
    if made:
        path.touch()
    assert plot([str(path.parent), "--output", str(tmp_path / "x.png")]) == 2
    reason = "has no metrics yet; wait for" if made else "has no metrics.jsonl; name the directory of a run"
    assert capsys.readouterr().err.startswith(f"nmt runs plot: error: {path.parent} {reason}")


def test_without_matplotlib_it_is_asked_for(make_run, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert plot([str(make_run("one")), "--output", str(tmp_path / "x.png")]) == 2
    message = "nmt runs plot: error: plotting needs matplotlib: pip install matplotlib\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/x.png", "--output nowhere/x.png: there is no directory nowhere; make it first"),
        ("x.txt", "--output x.txt: its name must end in .png, .svg or .pdf"),
    ],
)
def test_a_picture_that_could_not_be_written_is_refused_at_once(monkeypatch, tmp_path, capsys, output, message):
    monkeypatch.chdir(tmp_path)
    assert plot(["run", "--output", output]) == 2
    assert capsys.readouterr().err == f"nmt runs plot: error: {message}\n"


CSV = "name,minutes,bleu\nOpenNMT-py,7.3,12.94\nJoeyNMT,6,0.42\nOpenNMT-py,3.6,4\n"
JSON = '{"OpenNMT-py": [[7.3, 12.94], [3.6, 4.0]], "JoeyNMT": [[6, 0.42]]}'


@pytest.mark.parametrize(("name", "text"), [("peers.csv", CSV), ("peers.json", JSON), ("peers.csv", "\ufeff" + CSV)])
def test_others_are_drawn_beside_the_runs_bleu(panels, make_run, tmp_path, name, text):
    points = tmp_path / name
    points.write_text(text, encoding="utf-8")
    words = ["--against", "minutes", "--panels", "bleu", "--points", str(points), "--output", str(tmp_path / "x.png")]
    assert plot([str(make_run("one")), *words]) == 0
    assert panels[0].title == "validation BLEU (greedy)"
    assert panels[0].curves == [
        ("one", [(1.0, 10.0), (2.0, 12.5)]),
        ("OpenNMT-py", [(3.6, 4.0), (7.3, 12.94)]),
        ("JoeyNMT", [(6.0, 0.42)]),
    ]
    assert [panel.legends for panel in panels] == [1, 0, 0, 0]


def test_others_have_no_other_curves(panels, make_run, tmp_path):
    points = tmp_path / "peers.csv"
    points.write_text(CSV, encoding="utf-8")
    words = ["--against", "minutes", "--points", str(points), "--output", str(tmp_path / "x.png")]
    assert plot([str(make_run("one")), *words]) == 0
    assert [len(panel.curves) for panel in panels] == [1, 2, 3, 1]
    assert [panel.legends for panel in panels] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("peers.csv", "minutes,bleu\n1,2\n", "'name'"),
        ("peers.csv", "name,minutes,bleu\na,b,c\n", "could not convert string to float: 'b'"),
        ("peers.csv", "name,minutes,bleu\na,1\n", "float() argument must be a string or a real number"),
        ("peers.json", "[1]", "'list' object has no attribute 'items'"),
        ("peers.json", '{"a": [[1]]}', "not enough values to unpack"),
    ],
)
def test_points_that_are_none_are_refused_in_one_line(make_run, tmp_path, capsys, name, text, reason):
    points = tmp_path / name
    points.write_text(text, encoding="utf-8")
    assert plot([str(make_run("one")), "--against", "minutes", "--points", str(points)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"nmt runs plot: error: --points {points}: {reason}")
    assert error.endswith('; write CSV with the head name,minutes,bleu, or JSON such as {"name": [[1.5, 20.0]]}\n')
    assert error.count("\n") == 1


def test_points_need_minutes_and_a_file(tmp_path, capsys):
    assert plot(["run", "--points", "peers.csv"]) == 2
    message = "--points are BLEU against minutes: they need --against minutes, and bleu among --panels"
    assert capsys.readouterr().err.startswith(f"nmt runs plot: error: {message}")
    assert plot(["run", "--against", "minutes", "--points", str(tmp_path / "peers.csv")]) == 2
    assert "cannot be read (No such file or directory); check the file" in capsys.readouterr().err


def test_matplotlib_itself_draws_it(make_run, tmp_path):
    pytest.importorskip("matplotlib")
    runs = [str(make_run(name)) for name in ("one", "two")]
    assert plot([*runs, "--output", str(tmp_path / "x.svg")]) == 0
    assert plot([*runs, "--output", str(tmp_path / "x.png"), "--against", "minutes"]) == 0
    assert "<svg" in (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    points = tmp_path / "peers.csv"
    points.write_text(CSV, encoding="utf-8")
    words = ["--against", "minutes", "--panels", "bleu", "--points", str(points), "--output", str(tmp_path / "y.png")]
    assert plot([*runs, *words]) == 0
    assert (tmp_path / "y.png").read_bytes().startswith(b"\x89PNG")
