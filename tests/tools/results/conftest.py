"""tools/results.py, and checkouts with runs, a README and a page that it can work on."""

import json

import pytest

MACHINE = {"processor": "AMD EPYC 7003", "threads": 2, "bf16": False}
ENTRY = {
    "id": "small/bleu",
    "table": "quality/scores",
    "row": "a small model",
    "metric": "BLEU",
    "value": 40.10,
    "unit": "BLEU",
    "signature": "nrefs:1|case:mixed",
    "seeds": [1],
    "commit": "abc1234",
    "machine": MACHINE,
    "configuration": ["experiment=small"],
    "corpus": {"name": "text", "digest": None},
    "command": "echo 'BLEU 40.3'",
    "reads": r"BLEU ([\d.]+)",
    "tolerance": 0.01,
}
SPEED = ENTRY | {"id": "small/speed", "metric": "speed", "value": [1500, 1700], "unit": "tokens/s", "signature": None}
SPEED |= {"command": None, "reads": None, "tolerance": None}
TABLES = [{"table": "quality/scores", "title": "Scores", "note": "Test sets."}]
README = """# A project

Up to 10,000 pairs are little. That takes 3 minutes.

## What it reaches

<!-- runs: small -->

| text | BLEU |
| --- | ---: |
| text, `--beam-size 7` | 40.10 |

It makes 1,500 tokens a second with beam 5 on 2 threads (Kim & Rush 2016).
"""


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("results")


@pytest.fixture
def checkout(tmp_path, tool):
    """A function that writes a checkout with these runs and this README, its page made."""

    def write(*entries, readme=README, tables=TABLES):
        results = tmp_path / "docs" / "results"
        results.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(entry) + "\n" for entry in entries or (ENTRY, SPEED))
        (results / "runs.jsonl").write_text(lines.replace("40.1,", "40.10,"), encoding="utf-8")
        (results / "tables.json").write_text(json.dumps(tables), encoding="utf-8")
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        assert tool.main(["tables", "--root", str(tmp_path)]) == 0
        return tmp_path

    return write


@pytest.fixture
def error_of(tool, capsys):
    """A function that runs the tool, expects exit code 2 and one line, and returns the line."""

    def call(*words):
        capsys.readouterr()
        assert tool.main([str(word) for word in words]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert error.startswith("results.py: error: ")
        return error.strip().removeprefix("results.py: error: ")

    return call
