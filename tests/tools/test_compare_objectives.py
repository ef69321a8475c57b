"""The tool that compares objectives: what it trains and in which order, that it resumes, and its table."""

import json
from types import SimpleNamespace

import pytest


@pytest.fixture
def tool(load_tool, monkeypatch):
    """The tool, with trainings that take no time; those that were asked for, as their words."""
    module = load_tool("compare_objectives")
    trained = []

    def train(words, threads):
        settings = dict(word.split("=", 1) for word in words)
        trained.append(settings)
        rate = {"cross_entropy": 0.25, "self_critical": 1.0}[settings.get("objective", "cross_entropy")]
        lines = [{"kind": "train", "update": n, "seconds": rate * n} for n in range(1, 11)]
        lines.append({"kind": "validation", "bleu": 30.0})
        module.Path(settings["run_dir"]).mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (module.Path(settings["run_dir"]) / "metrics.jsonl").write_text(text, encoding="utf-8")

    def score(bundle, arguments):
        value = 30.0 + len(str(bundle.parent.name))
        return {"scores": {f"{text} {name}": value for text in ("valid", "test") for name in ("BLEU", "chrF2")}}

    monkeypatch.setattr(module, "_train", train)
    monkeypatch.setattr(module, "score", score)
    return SimpleNamespace(module=module, trained=trained)


def words(directory, *options):
    chosen = ["--objectives", "cross_entropy", "self_critical objective.samples=2", "--seeds", "1", "2", *options]
    return [str(directory), *chosen, "--", "experiment=demo", "trainer.batch_tokens=500"]


def test_each_objective_gets_the_updates_of_its_minutes_and_none_is_trained_twice(tool, tmp_path, capsys):
    assert tool.module.main(words(tmp_path, "--minutes", "2")) == 0
    rates = json.loads((tmp_path / "rates.json").read_text(encoding="utf-8"))
    assert rates == {"cross_entropy": pytest.approx(240), "self_critical objective.samples=2": pytest.approx(60)}
    base, *others = tool.trained
    assert "init_from" not in base
    measured, continued = others[:2], others[2:]
    assert all(float(each["trainer.max_minutes"]) == 1 for each in measured)
    made = [(each["objective"], each["seed"], int(each["trainer.max_updates"])) for each in continued]
    assert made == [
        ("cross_entropy", "1", 480),
        ("self_critical", "1", 120),
        ("cross_entropy", "2", 480),
        ("self_critical", "2", 120),
    ]
    for each in continued:
        assert each["init_from"] == f"{tmp_path}/base/best"
        assert each["trainer.batch_tokens"] == "500"
    assert continued[1]["objective.samples"] == "2"
    first = capsys.readouterr().out
    tool.trained.clear()
    (tmp_path / "results.jsonl").write_text(
        "".join((tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:-1]),
        encoding="utf-8",
    )
    assert tool.module.main(words(tmp_path, "--minutes", "2")) == 0
    assert [each.get("seed") for each in tool.trained] == [None, "2"]  # the base, which resumes, and what is missing
    assert capsys.readouterr().out == first


def test_the_table_has_means_deviations_gains_and_the_time_of_an_update(tool):
    def line(objective, seed, value):
        scores = {f"{text} {name}": value for text in ("valid", "test") for name in ("BLEU", "chrF2")}
        return {"objective": objective, "seed": seed, "updates": 1000, "scores": scores}

    lines = [line("base", 0, 30.0), line("cross_entropy", 1, 31.0), line("cross_entropy", 2, 33.0)]
    lines += [line("self_critical", 1, 32.0), line("self_critical", 2, 33.0)]
    rows = tool.module.table(lines, {"cross_entropy": 300.0, "self_critical": 120.0}).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[2][:5] == ["base", "", "1,000", "", "30.00"]
    assert cells[3][:5] == ["cross_entropy", "2", "1,000", "1.00×", "32.00 ± 1.41"]
    assert cells[4][:5] == ["self_critical", "2", "1,000", "2.50×", "32.50 ± 0.71 (+0.50)"]


def test_rates_are_one_for_each_objective(tool, tmp_path, capsys):
    assert tool.module.main(words(tmp_path, "--updates-per-minute", "10")) == 2
    assert "--updates-per-minute has 1 numbers for 2 objectives; give one for each" in capsys.readouterr().err
