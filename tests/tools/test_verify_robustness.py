import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nmt.cli.common import report, run
from nmt.errors import BundleError, ConfigError, RunError

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs processes as Linux has them")

NAME = "nmt-translate"
TEXT = b"one\ntwo\nthree"


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("verify_robustness")


@pytest.fixture
def judged(load_tool, tmp_path):
    """A function that lets a fake run as nmt-translate, and returns the first thing that is wrong with it."""
    running, watching, cases = (load_tool(f"robustness.{name}") for name in ("run", "watch", "cases"))

    def judge(fake, *, command=NAME, seconds=20, memory_bytes=64 << 30, **fields):
        limits = watching.Limits(seconds=seconds, memory_bytes=memory_bytes)
        runner = running.Runner(commands={command: fake}, scratch=tmp_path, limits=limits)
        case = cases.Case(kind="texts", number=0, command=command, **({"text": TEXT} | fields))
        result = runner.run(case)
        return result.complaints[0].rule if result.complaints else ""

    return judge


def translate(lines=None):
    """Translate as a sound command does; or only some lines."""
    read = sys.stdin.buffer.read().split(b"\n")
    for line in read[:lines]:
        sys.stdout.buffer.write(line.upper() + b"\n")
    return 0


def failing(error):
    def body():
        raise error

    return lambda: run(body, NAME)


def saying(*lines, code=2):
    def command():
        for line in lines:
            sys.stderr.write(f"{line}\n")
        return code

    return command


def raising():
    raise ValueError("who foresaw this?")


def leave(name):
    translate()
    Path(name).write_text("x")
    return 0


def leave_a_process():
    translate()
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["sleep", "60"], **nowhere)
    return 0


def wrong_order():
    for number, _ in reversed(list(enumerate(sys.stdin, start=1))):
        print(json.dumps({"line": number, "text": "x"}))
    return 0


def takes_memory():
    held = b"x" * (800 << 20)  # a fork has less than its parent at first: libraries are mapped when they are used
    time.sleep(30)
    return len(held)


SOUND = {
    "translates": translate,
    "tells what to do": failing(ConfigError("--beam-size 0 is not possible: it must be 1 or more")),
    "warns": lambda: report(NAME, "warning: line 1: was cut") or translate(),
    "cannot write": failing(RunError("cannot save x: No space left on device; free some space")),
    "prints help": lambda: print("usage: one\nof\nmany\nlines") or 0,
}
UNSOUND = {
    "a traceback": (raising, "traceback"),
    "a defect": (failing(ValueError("x")), "traceback"),
    "a signal": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "ended by a signal"),
    "an exit code as of a signal": (lambda: 134, "ended by a signal"),
    "an unknown exit code": (lambda: 3, "exit code 3"),
    "no message": (lambda: 2, "no error line"),
    "two messages": (saying(f"{NAME}: error: x; do y", f"{NAME}: error: z; do y"), "the error is not the last line"),
    "a message in two lines": (saying(f"{NAME}: error: x", "do y"), "a line on stderr that is not the command's"),
    "more after the message": (saying(f"{NAME}: error: x; y", f"{NAME}: bye"), "the error is not the last line"),
    "no advice": (saying(f"{NAME}: error: it went wrong"), "no advice"),
    "an exception's name": (failing(BundleError("x (JSONDecodeError); copy it")), "words of the program"),
    "a warning of Python": (saying("x.py:1: UserWarning: x", code=0), "words of the program"),
    "a place in C++": (saying(f"{NAME}: error: x/y.cc(12) failed; try again"), "words of the program"),
    "a number of the system": (saying(f"{NAME}: error: [Errno 20] x; do y"), "an error number of the system"),
    "1 for what can be mended": (saying(f"{NAME}: error: x=1 is wrong; do y", code=1), "exit code 1 without"),
    "an error, but exit code 0": (saying(f"{NAME}: error: x; do y", code=0), "an error line with exit code 0"),
    "a line less": (lambda: translate(2), "lines are lost"),
    "a line more": (lambda: translate() or print("done") or 0, "lines are lost"),
    "a line without end": (lambda: print("a\nb\nc", end="") or 0, "the last line has no end"),
    "bytes": (lambda: sys.stdout.buffer.write(b"\xff\n\n\n") and 0, "stdout is not UTF-8"),
    "a directory half swapped": (lambda: leave("best.new"), "left behind"),
    "a file of its own": (lambda: leave("notes"), "files are changed"),
    "a file of the user's": (lambda: leave("train.en"), "files are changed"),
    "a process": (leave_a_process, "a process is left running"),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_is_as_it_must_be_is_not_complained_of(judged, name):
    assert judged(SOUND[name], **({"words": ("--help",)} if "help" in name else {})) == ""


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_not_as_it_must_be_is_found(judged, name):
    fake, rule = UNSOUND[name]
    assert judged(fake).startswith(rule)


def test_what_does_not_end_is_ended(judged):
    began = time.monotonic()
    assert judged(lambda: time.sleep(60), seconds=0.3) == "does not end"
    assert time.monotonic() - began < 20


def test_what_takes_too_much_memory_is_ended(judged):
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    allowed = pages * os.sysconf("SC_PAGESIZE") + (100 << 20)
    assert judged(takes_memory, memory_bytes=allowed) == "takes too much memory"


def test_lines_in_another_order_are_found(judged):
    assert judged(wrong_order, words=("--format", "jsonl")) == "lines are out of order"


def test_a_translation_that_depends_on_its_neighbours_is_found(judged):
    def longest():
        lines = sys.stdin.read().split("\n")[:-1]
        print(*(line + "!" * max(map(len, lines)) for line in lines), sep="\n")
        return 0

    assert judged(longest, text=b"a\nb\nccc\n", alone=(0,)) == "a translation depends on the other lines"
    assert judged(longest, text=b"a\nb\nccc\n", alone=(2,)) == ""


@pytest.mark.parametrize(("difference", "rule"), [(9e-6, ""), (2e-5, "a translation depends on the other lines")])
def test_translations_that_score_alike_are_a_tie(judged, difference, rule):
    def tied():
        lines = sys.stdin.read().split("\n")[:-1]
        for line in lines:
            plain = {"text": line, "score": -1 - difference * (len(lines) > 1)}
            print(json.dumps(plain) if "jsonl" in sys.argv else f"{line} {len(lines)}")
        return 0

    assert judged(tied, text=b"a\nb\n", alone=(1,)) == rule


def test_an_export_that_fails_may_change_nothing(judged):
    words = f"nmt-export: error: {'x'}; do y"
    assert judged(saying(words), command="nmt-export") == ""

    def half():
        Path("test.en").unlink()
        return saying(words)()

    assert judged(half, command="nmt-export") == "files are changed that are none of its own"


def test_a_training_that_succeeds_must_leave_a_bundle(judged):
    assert judged(lambda: 0, command="nmt-train") == "no bundle with exit code 0"


def test_a_case_follows_from_seed_kind_and_number(tool, load_tool):
    model = load_tool("robustness.models").Model("usual", Path("run"), ("config.json", "model.safetensors"))
    for kind, make in tool.KINDS.items():
        first, again, other = ([make(seed, number, [model]) for number in range(20)] for seed in (1, 1, 2))
        assert [(case.shell(), case.text, case.streams) for case in first] == [
            (case.shell(), case.text, case.streams) for case in again
        ]
        assert [(case.shell(), case.text) for case in first] != [(case.shell(), case.text) for case in other], kind


def test_what_a_complaint_does_not_need_is_left_out(load_tool, tmp_path):
    cases = load_tool("robustness.cases")
    runner = load_tool("robustness.run").Runner(
        commands={NAME: lambda: raising() if "bad" in sys.argv else translate()}, scratch=tmp_path
    )
    parts = tuple(cases.Part(word, words=(word,)) for word in ("good", "bad", "better"))
    result = runner.smaller(runner.run(cases.Case(kind="texts", number=0, command=NAME, parts=parts, text=TEXT)))
    assert result.complaints[0].rule == "traceback"
    assert result.case.arguments() == ["bad"]
    assert result.case.text.count(b"\n") <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kinds", "x"], "there is no kind 'x': choose from bundles, settings, texts, commands"),
        (["--only", "texts"], "--only texts is not possible: write KIND:NUMBER, as in bundles:17"),
        (["--cases", "0"], "--cases 0 is not possible: it must be above 0"),
    ],
)
def test_a_wrong_option_is_refused(tool, capsys, words, message):
    assert tool.main(words) == 2
    assert capsys.readouterr().err == f"verify_robustness.py: error: {message}\n"


def test_the_commands_do_it_or_say_why_not(run_tool):
    finished = run_tool("verify_robustness", "--cases", 24, "--seed", 1)
    assert finished.code == 0, finished.out + finished.err
    assert "24 cases of seed 1" in finished.out
