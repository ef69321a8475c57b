"""tools/benchmark_pairs.py: its text, its table, and that nothing is measured twice."""

import json
import sys
from collections import Counter

import pytest

from nmt.errors import RunError


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("benchmark_pairs")


@pytest.fixture(scope="module")
def zipf(load_tool):
    return load_tool("benchmarking.zipf")


@pytest.fixture(scope="module")
def report(load_tool):
    return load_tool("benchmarking.pairs_report")


def row(pairs, stages, **changes):
    """What was measured, of seconds and MiB."""
    found = {"pairs": pairs, "updates": 10, "threads": 1, "settings": []} | changes
    found["stages"] = {
        name: {"seconds": 99.0, "processor": seconds, "peak_mib": peak} for name, (seconds, peak) in stages.items()
    }
    if "updates" in stages:
        found["stages"]["updates"] |= {"target_tokens": 8000, "target_positions": 9000}
    return found


def test_words_are_as_frequent_as_in_real_text(zipf):
    pairs = list(zipf.sentences(10_000))
    counts = Counter(word for source, _ in pairs for word in source.split())
    frequent = [count for _, count in counts.most_common(10)]
    assert 1.7 < frequent[0] / frequent[1] < 2.3
    assert 8 < frequent[0] / frequent[9] < 12
    # English has some 44 √N different words in N: 15,600 in 126,000.
    assert 10_000 < len(counts) < 20_000
    assert 11 < counts.total() / len(pairs) < 15
    short = [sum(map(len, words)) / len(words) for words in (list(counts)[:50], [w for w in counts if counts[w] == 1])]
    assert short[0] < short[1]
    assert 0.03 < 1 - len(set(pairs)) / len(pairs) < 0.06


def test_texts_of_two_seeds_have_the_same_languages(zipf):
    texts = [list(zipf.sentences(500, seed=seed)) for seed in (1, 2)]
    assert texts[0] != texts[1]
    for side in (0, 1):
        words = [Counter(word for pair in text for word in pair[side].split()) for text in texts]
        first, second = ({word for word, _ in each.most_common(20)} for each in words)
        assert len(first & second) > 15
    assert all(len(source.split()) == len(target.split()) >= 3 for source, target in texts[0])


def test_a_text_is_the_beginning_of_a_longer_one_and_made_once(zipf, tmp_path):
    prefix = zipf.write_text(tmp_path / "new", 30)
    texts = [
        prefix.with_name(f"{prefix.name}.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")
    ]
    assert list(zip(*texts, strict=True)) == list(zipf.sentences(10_050))[:30]
    file = prefix.with_name(f"{prefix.name}.en")
    file.write_text("kept")
    assert zipf.write_text(tmp_path / "new", 30) == prefix
    assert file.read_text() == "kept"
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_what_is_not_straight_is_told(report):
    rows = [
        row(
            1000,
            {"start": (5.0, 100), "read": (0.5, 100), "encode": (1.0, 120), "align": (2.0, 150), "updates": (1.0, 150)},
        ),
        row(
            10_000,
            {
                "start": (9.0, 100),
                "read": (0.9, 100),
                "encode": (11.0, 120),
                "align": (30.0, 300),
                "updates": (2.0, 200),
            },
        ),
    ]
    lines = report.table(rows)
    assert lines[0] == "| stage | 1,000 pairs | 10,000 pairs |"
    assert "| encode | 1.00 s, 1,000.0 µs a pair, 120 MiB | 11.00 s, 1,100.0 µs a pair, 120 MiB |" in lines
    # Reading is a part of encoding, and counts once.
    assert "| all before the first update | 3.00 s, 3,000.0 µs a pair | 41.00 s, 4,100.0 µs a pair |" in lines
    assert "| an update | 100.0 ms, 800 target tokens | 200.0 ms, 800 target tokens |" in lines
    assert lines[lines.index("") + 1 :] == [
        "- align: 1.50 times the cost a pair from 1,000 to 10,000 pairs",
        "- updates: 2.00 times the time a target token from 1,000 to 10,000 pairs",
        "- memory: the peak grows by 17,476 bytes a pair from 1,000 to 10,000 pairs; it is in the stage align",
    ]
    assert report.table(rows[:1])[-1] == "No stage costs more a pair as the text grows."


def test_a_small_size_is_measured_whole_and_kept(tool, load_tool, tmp_path, capsys, monkeypatch):
    kept = tmp_path / "pairs.jsonl"
    words = [str(tmp_path / "text"), "--sizes", "300", "--updates", "2", "--kept", str(kept)]
    small = ["model.embedding_size=16", "model.encoder_hidden_size=16", "model.decoder_hidden_size=32"]
    small += ["model.attentional_size=32", "subwords.vocabulary_size=200", "trainer.precision=fp32"]
    assert tool.main([*words, "--settings", *small]) == 0
    out, err = capsys.readouterr()
    assert "benchmark_pairs.py: measuring 300 pairs\n" in err
    (found,) = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    stages = load_tool("benchmarking.preparing").STAGES
    assert list(found["stages"]) == list(stages)
    assert (found["pairs"], found["updates"], found["threads"]) == (300, 2, 1)
    assert found["settings"][-1] == "trainer.precision=fp32"
    assert all(stage["peak_mib"] > 50 for stage in found["stages"].values())
    assert found["stages"]["encode"]["processor"] > 0
    updates = found["stages"]["updates"]
    assert 0 < updates["target_tokens"] <= updates["target_positions"] <= 2 * 1200
    # The text is kept, and the cache is not.
    assert sorted(path.suffix for path in (tmp_path / "text").iterdir()) == [".de", ".de", ".en", ".en"]
    monkeypatch.setattr(tool, "measure", None)
    assert tool.main([*words, "--settings", *small]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (out, "")


def test_a_picture_has_a_curve_for_each_stage(report, tmp_path):
    pytest.importorskip("matplotlib")
    stages = {"start": (5.0, 100), "encode": (1.0, 120), "align": (2.0, 150), "updates": (1.0, 150)}
    report.draw([row(1000, stages), row(10_000, stages)], tmp_path / "pairs.svg")
    picture = (tmp_path / "pairs.svg").read_text(encoding="utf-8")
    # matplotlib draws letters, and says in a comment what they spell.
    assert [name for name in stages if f"<!-- {name} -->" in picture] == ["encode", "align", "updates"]


TOLD = 'print(\'{"stage": "a", "seconds": 1.5, "processor": 1, "memory": 1048576000}\', flush=True)'


def test_a_process_that_ended_before_it_was_looked_at_has_the_memory_that_it_told(tool):
    found = tool.watch([sys.executable, "-c", TOLD], threads=1)
    assert found == {"a": {"seconds": 1.5, "processor": 1, "peak_mib": 1000.0}}


def test_a_process_that_fails_is_told(tool):
    with pytest.raises(RunError, match="the measuring process failed"):
        tool.watch([sys.executable, "-c", f"{TOLD}; exit(3)"], threads=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sizes", "10", "0"], "--sizes 0 is not possible: it must be 1 or more"),
        (["--updates", "0"], "--updates 0 is not possible: it must be 1 or more"),
        (["--plot", "x.txt"], "--plot x.txt: name a .png, .svg or .pdf file"),
    ],
)
def test_wrong_use_is_one_line(tool, tmp_path, capsys, words, message):
    assert tool.main([str(tmp_path), *words]) == 2
    assert capsys.readouterr().err == f"benchmark_pairs.py: error: {message}\n"
