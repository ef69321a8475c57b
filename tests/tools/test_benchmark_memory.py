"""The benchmark's corpus is the same everywhere, and its table has a row for each start."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from nmt.errors import ConfigError, RunError


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("benchmark_memory")


def test_sentences_are_the_same_every_time_and_follow_zipfs_law(tool):
    pairs = list(tool.sentences(3000))
    assert pairs == list(tool.sentences(3000))
    assert len(pairs) == 3000
    assert all(len(source.split()) == len(target.split()) for source, target in pairs)
    counts = Counter(word for source, _ in pairs for word in source.split())
    frequent = [count for _, count in counts.most_common(10)]
    assert 1.7 < frequent[0] / frequent[1] < 2.3
    assert 8 < frequent[0] / frequent[9] < 12
    translations = {}
    for source, target in pairs:
        for one, other in zip(source.split(), target.split(), strict=True):
            assert translations.setdefault(one, other) == other


def test_a_corpus_is_made_once(tool, tmp_path):
    prefix = tool.make_corpus(tmp_path / "new", 20)
    assert [len(prefix.with_suffix(f".{side}").read_text().splitlines()) for side in ("en", "de")] == [20, 20]
    prefix.with_suffix(".en").write_text("kept")
    assert tool.make_corpus(tmp_path / "new", 20) == prefix
    assert prefix.with_suffix(".en").read_text() == "kept"
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_memory_is_that_of_the_whole_tree_of_processes(tool):
    hold = "import subprocess, sys; data = bytearray(b'x' * (40 << 20)); print('up', flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", parent], **pipes) as process:
        assert process.stdout.readline() == b"up\n"
        memory = tool.anonymous_memory(process.pid)
        process.stdin.close()
    assert 40 << 20 < memory < 120 << 20
    assert tool.anonymous_memory(process.pid) == 0


@pytest.mark.usefixtures("forks_commands")
def test_a_table_has_a_row_for_each_start(tool, tmp_path, capfdbinary):
    settings = ["subwords.vocabulary_size=200", "trainer.patience=0"]
    assert tool.main([str(tmp_path), "--sizes", "200", "--updates", "3", "--settings", *settings]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0].startswith("Processor: ")
    assert len(lines) == 6
    for line, start in zip(lines[4:], ("first", "second"), strict=True):
        row = re.fullmatch(rf"\| 200 \| {start} \| ([\d.,]+) \| ([\d.,]+) \| ([\d.]+) \|", line)
        assert row
        assert all(float(number.replace(",", "")) > 1 for number in row.groups()[:2])
        assert float(row[3]) > 0


def test_a_training_that_fails_says_where_to_look(tool, tmp_path):
    words = [sys.executable, "-c", "import sys; sys.exit('nmt-train: error: no')"]
    with pytest.raises(RunError) as caught:
        tool.measure(words, tmp_path / "run")
    assert str(caught.value) == (
        f"a training failed with exit code 1: nmt-train: error: no (see {tmp_path / 'run.log'})"
    )


def test_impossible_sizes_are_refused(tool, tmp_path):
    with pytest.raises(ConfigError, match="--sizes 0 is not possible: it must be 1 or more"):
        tool.parse([str(tmp_path), "--sizes", "10", "0"])
