"""tools/results.py: the page of recorded numbers, the check of the README, and running a number again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from nmt.errors import ConfigError, RunError

from .conftest import ROOT, TOOLS

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
START_PEAKS = {"first": ["314.0", "426.0", "40.7"], "second": ["294.5", "1,408.0", "29.9"]}
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


def test_what_this_repository_shows_was_recorded(tool):
    assert tool.main(["check"]) == 0


def test_every_recorded_command_is_one_that_bash_reads_and_its_pattern_has_one_group(load_tool):
    entries = load_tool("recorded.runs").read_entries(ROOT / "docs/results/runs.jsonl")
    commands = {entry.command for entry in entries if entry.command}
    assert len(commands) > 20
    script = "\n".join(f"({command})" for command in commands)
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    tools = {word for command in commands for word in command.split() if word.startswith("$NMT_ROOT/tools/")}
    assert all((ROOT / word.removeprefix("$NMT_ROOT/")).is_file() for word in tools)
    assert {entry.reads.count("(") - entry.reads.count("(?:") for entry in entries if entry.reads} == {1}


def test_the_recorded_patterns_read_what_the_benchmarks_print(load_tool):
    entries = load_tool("recorded.runs").read_entries(ROOT / "docs/results/runs.jsonl")
    again = load_tool("recorded.again")

    def read(run, printed):
        return {one.entry.metric: one.now for one in again.compare(again.entries_to_run(entries, run), printed)}

    table = load_tool("benchmark_processes").table({1: [1000.0, 1200.0], 2: [2000.0, 2400.0]})
    assert read("processes-4096", table) == {"1 process": 1100, "2 processes": 2200, "ratio": Decimal("2.00")}
    decoding = load_tool("benchmark_decoding")
    cells = ["int8, shortlist", "5", "64", "1", "1,000", "168.2", "2,311", "0.78", "1,176", "69%", "37.47"]
    printed = decoding.table_row(decoding.COLUMNS) + "\n" + decoding.table_row(cells)
    found = {"sentences/s": Decimal("168.2"), "target tokens/s": 2311, "ready after": Decimal("0.78"), "peak": 1176}
    assert read("decoding-avx2-all-int8-shortlist-beam-5-batch-64-threads-1", printed) == found
    both = {"nmt": 2311, "nmt, sentences/s": Decimal("168.2")}
    assert read("decoding-vnni-bulk-beam-5-one-layer-shortlist-50", printed) == both
    memory = load_tool("benchmark_memory")
    printed = "\n".join(memory._row(["29,000", start, *peaks]) for start, peaks in START_PEAKS.items())
    found = {"peak while starting": Decimal("294.5"), "peak while training": Decimal("1408.0")}
    assert read("memory-29000-second", printed) == found


def test_a_table_has_a_row_a_run_and_keeps_the_digits_that_were_measured(checkout):
    page = (checkout() / "docs/results/README.md").read_text(encoding="utf-8")
    assert "## Quality\n\n### Scores\n\nTest sets.\n" in page
    assert "| run | what | BLEU | speed, tokens/s |" in page
    assert "| `small` | a small model | 40.10 | 1,500, 1,700 |" in page
    assert "Machine: AMD EPYC 7003, no native bf16, 2 threads." in page
    assert "Signatures: `nrefs:1|case:mixed`." in page


def test_runs_of_several_machines_tell_theirs_in_a_column(checkout):
    other = ENTRY | {"id": "other/bleu", "machine": {"processor": "AMD EPYC 9005", "threads": 1, "bf16": True}}
    page = (checkout(ENTRY, other) / "docs/results/README.md").read_text(encoding="utf-8")
    assert "| run | what | machine | BLEU |" in page
    assert "| `other` | a small model | AMD EPYC 9005, native bf16, 1 thread | 40.10 |" in page


def test_the_check_is_silent_where_all_is_well_and_finds_a_stale_page(tool, checkout, error_of, capsys):
    root = checkout()
    capsys.readouterr()
    assert tool.main(["check", "--root", str(root)]) == 0
    assert capsys.readouterr() == ("", "")
    page = root / "docs/results/README.md"
    page.write_text(page.read_text(encoding="utf-8").replace("40.10", "40.20"), encoding="utf-8")
    stale = "docs/results/README.md is stale: run python tools/results.py tables, and commit the page"
    assert error_of("check", "--root", root) == stale
    page.unlink()
    assert error_of("check", "--root", root) == stale


@pytest.mark.parametrize(
    ("old", "new", "line", "number"),
    [
        ("| 40.10 |", "| 41.10 |", 11, "41.10"),
        ("1,500 tokens", "1,600 tokens", 13, "1,600"),
        ("takes 3 minutes", "takes 3 minutes and 180 MB", 3, "3"),
        ("pairs are little", "pairs have 39.5 BLEU", 3, "39.5"),
        ("pairs are little", "pairs make 800 sentences/s", 3, "800"),
    ],
)
def test_a_number_that_is_in_no_run_is_found(checkout, error_of, old, new, line, number):
    assert old in README
    error = error_of("check", "--root", checkout(readme=README.replace(old, new)))
    assert error.startswith(f"README.md:{line}: {number} is no recorded number")
    assert error.endswith("correct it, or record its run in docs/results/runs.jsonl")


def test_only_the_first_is_named_and_the_others_are_counted(checkout, error_of):
    readme = README.replace("40.10 |", "41.10 |").replace("1,500 tokens", "1,600 tokens")
    error = error_of("check", "--root", checkout(readme=readme))
    assert error.startswith("README.md:11: 41.10 is no recorded number of the runs small (1 more like it): correct it")


@pytest.mark.parametrize(
    "text",
    [
        "It has 40.1 BLEU, some 40, with beam 9 on 30,000 pairs.",
        "It makes 1,700 tokens/s.",
        "`BLEU 99.9` is code.\n\n    and this is BLEU 99.8\n\n```\nBLEU 99.7\n```",
        "<!-- BLEU 99.9 -->",
        "[A link](https://example.org/99.9) to BLEU, which Papineni et al. 2002 made (Papineni et al. 2002).",
        "<!-- runs: none -->\nA BLEU of 30 is good.",
        "Training takes 77 minutes, or 12,345 updates.",
    ],
)
def test_what_is_recorded_rounded_or_no_measurement_passes(tool, checkout, text):
    assert tool.main(["check", "--root", str(checkout(readme=README.replace("## What", f"{text}\n\n## What")))]) == 0


def test_a_comment_narrows_down_which_runs_may_be_shown(tool, checkout, error_of):
    other = ENTRY | {"id": "other/bleu", "value": 55.5}
    text = "It has 55.5 BLEU.\n\n## What"
    readme = README.replace("## What", text)
    assert tool.main(["check", "--root", str(checkout(ENTRY, SPEED, other, readme=readme))]) == 0
    readme = README.replace("## What", f"<!-- runs: small/bleu -->\n\n{text}")
    error = error_of("check", "--root", checkout(ENTRY, SPEED, other, readme=readme))
    assert error.startswith("README.md:7: 55.5 is no recorded number of the runs small/bleu: ")
    readme = README.replace("## What", f"<!-- runs: smal -->\n{text}")
    error = error_of("check", "--root", checkout(ENTRY, SPEED, other, readme=readme))
    assert error == "README.md:5: the comment names the run smal, which is not recorded"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "40.1"}, "the value of small/bleu is no number, nor a list of numbers; correct this line"),
        ({"id": "small"}, "the id small is not RUN/METRIC; correct this line"),
        ({"reads": None}, "small/bleu needs command, reads and tolerance together, or none of them; correct this line"),
        ({"speed": 1}, "an entry has the unknown field speed; correct this line"),
    ],
)
def test_a_damaged_line_is_told_with_its_number(checkout, error_of, change, message):
    root = checkout()
    path = root / "docs/results/runs.jsonl"
    path.write_text(json.dumps(SPEED) + "\n" + json.dumps(ENTRY | change) + "\n", encoding="utf-8")
    assert error_of("list", "--root", root) == f"{path}:2: {message}"


def test_missing_fields_ids_that_are_there_twice_and_no_runs_at_all(checkout, error_of, tmp_path):
    root = checkout()
    path = root / "docs/results/runs.jsonl"
    path.write_text(json.dumps({name: value for name, value in ENTRY.items() if name != "unit"}), encoding="utf-8")
    assert error_of("list", "--root", root) == f"{path}:1: an entry lacks unit; correct this line"
    path.write_text(2 * (json.dumps(ENTRY) + "\n"), encoding="utf-8")
    assert error_of("list", "--root", root).startswith(f"{path}:2: the id small/bleu is there twice; ")
    path.unlink()
    assert error_of("check", "--root", root).startswith(f"{path} is not there: ")


def test_a_table_that_is_not_in_the_list_is_refused(checkout, error_of):
    root = checkout()
    (root / "docs/results/tables.json").write_text("[]", encoding="utf-8")
    expected = "small/bleu belongs to the table quality/scores, which docs/results/tables.json lacks"
    assert error_of("check", "--root", root) == expected
    (root / "docs/results/tables.json").write_text("{", encoding="utf-8")
    assert "tables.json is no list of table, title and note" in error_of("check", "--root", root)


def test_the_list_has_every_number_with_its_command(tool, checkout, capsys):
    root = checkout()
    assert tool.main(["list", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["small/bleu\t40.10 BLEU\techo 'BLEU 40.3'", "small/speed\t1,500, 1,700 tokens/s\t-"]


@pytest.mark.parametrize(("printed", "code", "verdict"), [("40.3", 0, "agrees"), ("44.1", 1, "differs")])
@pytest.mark.parametrize("name", ["small", "small/bleu"])
def test_a_run_is_run_again_and_compared(tool, checkout, capsys, monkeypatch, name, printed, code, verdict):
    monkeypatch.setattr(tool, "this_machine", lambda: {"processor": "mine", "threads": 4, "bf16": True})
    root = checkout(ENTRY | {"command": f"echo BLEU {printed}"}, SPEED)
    assert tool.main(["reproduce", name, "--root", str(root)]) == code
    out = capsys.readouterr().out.splitlines()
    ratio = float(printed) / 40.1
    assert out == [
        f"small/bleu: 40.10 then, {printed} now (BLEU), ratio {ratio:.3f}, tolerance 1%: {verdict}",
        "machine then: AMD EPYC 7003, 2 threads, no native bf16",
        "machine now: mine, 4 threads, native bf16",
    ]


def test_several_numbers_of_one_command_take_one_run_and_turns_count_by_their_median(tool, checkout, tmp_path, capsys):
    counted = tmp_path / "counted"
    command = f"echo x >> '{counted}'; echo 'BLEU 40.1'; echo 'speed 1,650'; pwd; echo $NMT_ROOT $NMT_CORPORA"
    speed = SPEED | {"command": command, "reads": r"speed ([\d,]+)", "tolerance": 0.05}
    root = checkout(ENTRY | {"command": command}, speed)
    assert tool.main(["reproduce", "small", "--root", str(root)]) == 0
    assert counted.read_text() == "x\n"
    assert "small/speed: 1,500, 1,700 then, 1,650 now (tokens/s), ratio 1.031" in capsys.readouterr().out


def test_a_command_runs_in_an_empty_directory_that_is_gone_afterwards(load_tool, tmp_path, monkeypatch):
    monkeypatch.delenv("NMT_CORPORA", raising=False)
    again = load_tool("recorded.again")
    printed = again.run_again(
        "ls -A; pwd; echo $NMT_ROOT; echo $NMT_CORPORA; which python", root=tmp_path, configuration=()
    )
    directory, root, corpora, python = printed.splitlines()
    assert not os.path.exists(directory)
    assert (root, corpora) == (str(tmp_path), str(tmp_path / "corpora"))
    assert os.path.dirname(python) == os.path.dirname(sys.executable)


def test_what_cannot_be_run_again_is_told(load_tool, tool, checkout, error_of, monkeypatch, capsys):
    monkeypatch.delenv("BUNDLE", raising=False)
    root = checkout(ENTRY | {"command": "cat $BUNDLE/x"}, SPEED)
    needs = "the command needs $BUNDLE, which is not set (experiment=small): BUNDLE=... in front of it"
    again = load_tool("recorded.again")
    with pytest.raises(ConfigError) as raised:
        again.run_again("cat $BUNDLE/x", root=root, configuration=["experiment=small"])
    assert str(raised.value) == needs
    error = error_of("reproduce", "small/speed", "--root", root)
    assert error == "small/speed cannot be run again: no command is recorded for it; docs/log/RESULTS.md tells more"
    assert error_of("reproduce", "smal", "--root", root) == "there is no run smal: did you mean small?"
    assert error_of("reproduce", "--root", root) == "reproduce needs the ID of a run; see results.py --help"
    assert error_of("check", "small", "--root", root) == "check takes no small; see results.py --help"
    with pytest.raises(RunError, match=r"the command ended with exit code 3; its message is above: exit 3"):
        again.run_again("exit 3", root=root, configuration=())
    (entry,) = load_tool("recorded.runs").read_entries(checkout(ENTRY) / "docs/results/runs.jsonl")
    with pytest.raises(RunError, match=r"the command did not print small/bleu: nothing in its output is like BLEU"):
        again.compare([entry], "nothing")
    assert again.compare([entry], "BLEU 1 BLEU 2")[0].now == Decimal(2)


def test_all_that_a_command_started_ends_with_the_tool(checkout, tmp_path):
    alive = tmp_path / "alive"
    root = checkout(ENTRY | {"command": f"bash -c 'echo $$ > {alive}; sleep 60'; true"})
    words = [sys.executable, TOOLS / "results.py", "reproduce", "small", "--root", root]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        deadline = time.monotonic() + 60
        while not (alive.exists() and alive.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    deadline = time.monotonic() + 30
    while os.path.exists(f"/proc/{alive.read_text().strip()}"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_this_machine_is_described_as_the_recorded_ones_are(load_tool):
    found = load_tool("recorded.again").this_machine()
    assert set(found) == set(MACHINE)
    assert found["threads"] >= 1
    assert isinstance(found["bf16"], bool)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_check_runs_the_check():
    command = ["make", "--dry-run", "check"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    assert "python tools/results.py check" in planned
