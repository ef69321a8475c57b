"""Output formats: what each writes of a translation, with scores and alignments where they are asked for."""

import json

from nmt.translation.formats import FORMATS, Line
from nmt.translation.request import TextHypothesis, Translation

FIRST, SECOND = (
    TextHypothesis("ein | Haus", -0.5, -1.25, True, [20, 21], [(1, 0), (0, 1), (1, 2)]),
    TextHypothesis("a|||b", -2.0, -4.0, False, [], []),
)
BOTH, ONE = Translation([FIRST, SECOND]), Translation([FIRST])


def written(style, translation, **options):
    return list(FORMATS[style](Line(translation, 7, **options)))


def test_text():
    assert written("text", BOTH) == ["ein | Haus"]
    assert written("text", BOTH, scores=True) == ["-0.5000\tein | Haus"]
    assert written("text", BOTH, alignments=True) == ["ein | Haus\t1-0 0-1 1-2"]
    assert written("text", BOTH, scores=True, alignments=True) == ["-0.5000\tein | Haus\t1-0 0-1 1-2"]
    assert written("text", Translation(), alignments=True) == ["\t"]  # a blank line


def test_moses():
    lines = [
        "6 ||| ein | Haus ||| log_prob= -1.2500 ||| -0.5000",
        "6 ||| a&#124;&#124;&#124;b ||| log_prob= -4.0000 ||| -2.0000",
    ]
    assert written("moses", BOTH) == lines
    assert written("moses", BOTH, alignments=True) == [f"{lines[0]} ||| 1-0 0-1 1-2", f"{lines[1]} ||| "]


def test_jsonl():
    value = {"text": "ein | Haus", "score": -0.5, "log_prob": -1.25, "finished": True}
    assert [json.loads(line) for line in written("jsonl", ONE)] == [{"line": 7, **value}]
    assert json.loads(*written("jsonl", BOTH))["hypotheses"][0] == value
    assert len(json.loads(*written("jsonl", ONE, several=True))["hypotheses"]) == 1
    aligned = json.loads(*written("jsonl", BOTH, alignments=True))
    assert aligned["alignment"] == aligned["hypotheses"][0]["alignment"] == [[1, 0], [0, 1], [1, 2]]
    assert aligned["hypotheses"][1]["alignment"] == []


def test_text_stays_readable_in_jsonl():
    [line] = written("jsonl", Translation([TextHypothesis("漢字\u2028é", 0.0, 0.0, True, [])]))
    assert "漢字" in line
    assert json.loads(line)["text"] == "漢字\u2028é"
