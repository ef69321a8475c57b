"""tools/results.py: the page of recorded numbers, and the check of the README."""

import json
import shutil
import subprocess
from decimal import Decimal

import pytest

from ..conftest import ROOT
from .conftest import ENTRY, README, SPEED

START_PEAKS = {"first": ["314.0", "426.0", "40.7"], "second": ["294.5", "1,408.0", "29.9"]}


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


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_check_runs_the_check():
    command = ["make", "--dry-run", "check"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    assert "python tools/results.py check" in planned
