"""tools/results.py: the list of numbers, and running a number again."""

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from nmt.errors import ConfigError, RunError

from ..conftest import ROOT, TOOLS
from .conftest import ENTRY, MACHINE, SPEED


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
