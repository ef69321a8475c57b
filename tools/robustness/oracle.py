"""What every case must fulfil, and what is said of one that does not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from robustness.cases import BUNDLE, Case
from robustness.watch import Outcome

_WITHOUT_DIGEST = 64 << 20
_REASONS = re.compile(
    r"No space left|File too large|Permission denied|Read-only|Input/output error|quota|diverged|"
    r"scores at target position|than a file may be|Device or resource busy|Broken pipe|file size limit"
)
_ADVICE = re.compile(
    r";|did you mean|\b(must|use|give|needs?|choose|see|name|write|install|copy|make|set|lower|raise|free|take|keep|"
    r"available|one of|exclude|send|lower)\b"
)
_EXCEPTION = re.compile(r"\b[A-Z]\w+(Error|Exception|Warning)\b|Traceback \(most recent")
_NATIVE = re.compile(
    r"\w+\.(cc|cpp|h)[(:]\d+|\[[WEF]:|^\[(WARN|ERR)|terminate called|\b(at|c10|std)::|0x[0-9a-f]{6,}|"
    r"bad_alloc",
    re.MULTILINE,
)
_LEFT_BEHIND = (".partial", ".new", ".old", ".tmp")
_INFORMATION = ("-h", "--help", "--version")

Snapshot = Mapping[str, str]
"""Path relative to a directory → what is there."""


class Complaint(NamedTuple):
    """What a case does not fulfil."""

    rule: str
    evidence: str


def snapshot(directory: Path) -> Snapshot:
    """Describe all that lies in a directory, what files hold as a digest."""
    found = {}
    for folder, folders, files in os.walk(os.fsencode(directory)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            what = stat.filemode(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                what += os.fsdecode(os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                what += str(status.st_size)
                if status.st_size <= _WITHOUT_DIGEST:
                    with open(path, "rb") as file:
                        what += hashlib.blake2b(file.read(), digest_size=8).hexdigest()
            found[os.fsdecode(os.path.relpath(path, os.fsencode(directory)))] = what
    return found


def judge(case: Case, outcome: Outcome, before: Snapshot, after: Snapshot) -> list[Complaint]:
    """Compare what a command did with what it may do.

    Args:
        case: what was run.
        outcome: what became of it.
        before: the directory of the case as it was.
        after: the same as it is.
    """
    ended = _ending(outcome)
    if ended:
        return [ended]
    found = [*_messages(case, outcome), *_output(case, outcome), *_files(case, outcome, before, after)]
    if outcome.left_running:
        found.append(Complaint("a process is left running", ""))
    return found


def _ending(outcome: Outcome) -> Complaint | None:
    said = last_lines(outcome)
    if outcome.too_large:
        return Complaint(
            "takes too much memory", f"{outcome.peak_bytes >> 20} MiB after {outcome.seconds:.1f} s; {said}"
        )
    if outcome.too_long:
        return Complaint("does not end", f"{outcome.seconds:.0f} s; {said}")
    if outcome.code < 0 or outcome.code > 128:
        return Complaint("ended by a signal", f"exit code {outcome.code}; {said}")
    return None


def last_lines(outcome: Outcome, count: int = 2) -> str:
    """Return the end of what a command wrote to stderr."""
    lines = [line for line in outcome.err.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return " / ".join(line[-600:] for line in lines[-count:])


def _messages(case: Case, outcome: Outcome) -> Iterator[Complaint]:
    """Check exit code and stderr; one complaint at most, the gravest."""
    text = outcome.err.decode("utf-8", "backslashreplace")
    lines = text.splitlines()
    start = f"{case.command}: error: "
    errors = [line for line in lines if line.startswith(start)]
    closed = case.streams.stderr == "closed"
    if "this is a defect" in text or "Traceback (most" in text:
        yield Complaint("traceback", _innermost(lines))
    elif outcome.code not in (0, 1, 2):
        yield Complaint(f"exit code {outcome.code}", last_lines(outcome))
    elif foreign := _EXCEPTION.search(text) or _NATIVE.search(text):
        line = next((line for line in lines if foreign[0] in line), foreign[0])
        yield Complaint("words of the program", line[:600])
    elif case.streams.stdout == "closed" and outcome.code == 0 and asks_for_information(case):
        return  # argparse takes stderr then
    elif strange := [
        line for line in lines if case.command != "nmt-train" and not line.startswith(f"{case.command}: ")
    ]:
        yield Complaint("a line on stderr that is not the command's", strange[0][:600])
    elif outcome.code and not closed:
        sweeps = any("the sweep goes on" in line for line in errors)
        if not errors:
            yield Complaint("no error line", f"exit code {outcome.code}; {last_lines(outcome)}")
        elif not sweeps and (len(errors) > 1 or lines[-1] != errors[-1]):
            yield Complaint("the error is not the last line", last_lines(outcome))
        elif len(errors[-1]) > 20_000:
            yield Complaint("an endless error line", f"{len(errors[-1])} characters: {errors[-1][:300]}")
        elif outcome.code == 1 and not _REASONS.search(errors[-1]):
            yield Complaint("exit code 1 without a reason outside the configuration", errors[-1][:600])
        elif re.search(r"\[?Errno -?\d+", errors[-1]):
            yield Complaint("an error number of the system", errors[-1][:600])
        elif not _ADVICE.search(errors[-1].removeprefix(start)):
            yield Complaint("no advice", errors[-1][:600])
    elif not outcome.code and errors:
        yield Complaint("an error line with exit code 0", errors[-1][:600])


def asks_for_information(case: Case) -> bool:
    """Whether the command line has an option that prints something and ends the command."""
    return not {*_INFORMATION}.isdisjoint(case.arguments())


def _innermost(lines: list[str]) -> str:
    """Find the last line of our own in a traceback, and the exception."""
    frames = [line.strip() for line in lines if re.search(r'File "[^"]*/nmt/', line)]
    raised = [line for line in lines if re.match(r"[\w.]*\w(Error|Exception|Warning|Exit|Interrupt|Fail)\b", line)]
    raised = raised or [line for line in lines if re.match(r"[a-z]\w*(\.\w+)+: ", line)]
    frame = re.sub(r'File ".*/(nmt/[^"]+)", line (\d+), in', r"\1:\2", frames[-1]) if frames else ""
    return f"{frame}: {(raised or lines or [''])[-1][:300]}"


def _output(case: Case, outcome: Outcome) -> Iterator[Complaint]:
    """Check the translations of nmt-translate."""
    try:
        text = outcome.out.decode("utf-8")
    except UnicodeDecodeError as error:
        if case.streams.file_limit is None:
            yield Complaint("stdout is not UTF-8", str(error))
        return
    words = case.arguments()
    if case.command != "nmt-translate" or case.streams.stdout != "file" or asks_for_information(case):
        return
    expected = count_lines(case.text) if case.streams.stdin == "text" else 0
    if outcome.code == 0 and text and not text.endswith("\n"):
        yield Complaint("the last line has no end", text[-100:])
        return
    lines = text.split("\n")[:-1]
    style = _value(words, "--format") or "text"
    if outcome.code:
        if style != "moses" and len(lines) > expected:
            yield Complaint("more lines than the input", f"{len(lines)} for {expected}")
        return
    numbers = [str(number) for number in range(expected)]
    if style == "moses":
        if list(dict.fromkeys(line.partition(" ||| ")[0] for line in lines)) != numbers:
            yield Complaint("lines are lost", f"{len(lines)} for {expected}")
    elif len(lines) != expected:
        yield Complaint("lines are lost", f"{len(lines)} for {expected}")
    elif style == "jsonl":
        try:
            if [json.loads(line)["line"] for line in lines] != list(range(1, expected + 1)):
                yield Complaint("lines are out of order", "")
        except (ValueError, KeyError) as error:
            yield Complaint("a line is no JSON", str(error))
    elif "--scores" in words and not all(re.match(r"-?[\d.]+\t|-?0\t", line) for line in lines):
        yield Complaint(
            "a line without its score", next(line for line in lines if not re.match(r"-?[\d.]+\t", line))[:200]
        )


def count_lines(text: bytes) -> int:
    """Count lines as nmt-translate does: only a line feed ends one, and the last may lack it."""
    return text.count(b"\n") + (text != b"" and not text.endswith(b"\n"))


def _value(words: list[str], option: str) -> str:
    found = ""
    for number, word in enumerate(words):
        if word == option and number + 1 < len(words):
            found = words[number + 1]
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


def _files(case: Case, outcome: Outcome, before: Snapshot, after: Snapshot) -> Iterator[Complaint]:
    """Check that nothing was changed but what the command is there to change, and that nothing was left behind."""
    left = [path for path in after if path not in before and path.endswith(_LEFT_BEHIND)]
    if left:
        yield Complaint("left behind", ", ".join(sorted(left)[:5]))
    changed = sorted(path for path in before if after.get(path) != before[path])
    added = sorted(path for path in after if path not in before)
    if case.command == "nmt-translate":
        wrong = changed + added
    elif case.command == "nmt-evaluate":
        kept = os.path.normpath(os.path.join("work", _value(case.arguments(), "--output") or "."))
        wrong = [path for path in changed + added if outcome.code == 2 or path != kept]
    elif case.command == "nmt-export":
        wrong = changed + added if outcome.code else _wrongly_exported(changed, before)
    else:
        wrong = _wrongly_trained(case, outcome, changed)
    if wrong := [path for path in wrong if path not in left and not path.startswith("home/")]:
        yield Complaint("files are changed that are none of its own", ", ".join(wrong[:5]))


def _wrongly_exported(changed: list[str], before: Snapshot) -> list[str]:
    """List the files that a successful export has changed, but for those of a variant and config.json."""
    own = (f"work/{BUNDLE}/config.json", f"work/{BUNDLE}/int8", f"work/{BUNDLE}/fp32")
    return [path for path in changed if before[path].startswith("-") and not path.startswith(own)]


def _wrongly_trained(case: Case, outcome: Outcome, changed: list[str]) -> list[str]:
    """List the files that a training has changed although they were there, and its run directory is elsewhere."""
    if outcome.code == 2:
        return [path for path in changed if not path.endswith(("train.log", ".lock"))]
    if any("run_dir" in word or "name=" in word or "cache_dir" in word for part in case.parts for word in part.words):
        return []
    own = tuple(
        f"work/{word.partition('=')[2]}/" for word in case.words if word.startswith(("run_dir=", "corpus.cache_dir="))
    )
    return [path for path in changed if not path.startswith(own)]
