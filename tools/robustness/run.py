"""Run cases: their files laid out, their commands run and judged, what failed made smaller."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robustness import bundles, command_lines, settings, texts
from robustness.cases import BUNDLE, MODEL, OTHER, Case
from robustness.damages import make_special
from robustness.launch import Commands, launch
from robustness.models import Model, write_texts
from robustness.oracle import Complaint, count_lines, judge, last_lines, snapshot
from robustness.watch import Limits, Outcome

KINDS: Mapping[str, Callable[[int, int, Sequence[Model]], Case]] = {
    module.KIND: module.make for module in (bundles, settings, texts, command_lines)
}
_TEXT = b"A dog runs.\nHe lives in Munich.\n"
_MOST_TRIES = 12
_TIE = 1e-5
"""Scores of a line's translations this near to each other are a tie: sums of single precision differ by as much."""


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    case: Case
    complaints: list[Complaint]
    outcome: Outcome
    damages: str = ""
    """what was done to its files"""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """All that running a case takes."""

    commands: Commands
    scratch: Path
    """where the directories of cases are made"""
    models: Mapping[str, Model] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    keep: bool = False
    """whether the directories of cases stay"""

    def run(self, case: Case) -> Result:
        """Lay out the files of a case, run its command and judge it."""
        directory = self.scratch / f"{case.kind}-{case.number}-{os.getpid()}"
        shutil.rmtree(directory, ignore_errors=True)
        work, home = directory / "work", directory / "home"
        work.mkdir(parents=True)
        home.mkdir()
        try:
            self._lay_out(case, work)
            before = snapshot(directory)
            outcome = self._launch(case.command, case.arguments(), case, work)
            complaints = judge(case, outcome, before, snapshot(directory))
            if not complaints and outcome.code == 0:
                complaints = [*self._alone(case, outcome, work), *self._trained(case, outcome, directory)]
            said = directory / "damages"
            damages = said.read_text(encoding="utf-8").strip() if said.exists() else ""
        finally:
            if not self.keep:
                shutil.rmtree(directory, ignore_errors=True)
        return Result(case, complaints, outcome, damages.replace("\n", "; "))

    def smaller(self, result: Result) -> Result:
        """Leave out what a complaint does not need: parts of the case, lines of its text."""
        rule, tries = result.complaints[0].rule, 0
        candidates = [result.case]
        while candidates and tries < _MOST_TRIES:
            candidates = _smaller_cases(result.case)
            for candidate in candidates:
                tries += 1
                again = self.run(candidate)
                if again.complaints and again.complaints[0].rule == rule:
                    result = again
                    break
                if tries >= _MOST_TRIES:
                    return result
            else:
                return result
        return result

    def _launch(self, command: str, words: Sequence[str], case: Case, work: Path) -> Outcome:
        home = str(work.parent / "home")
        environment = {"HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": f"{home}/cache", "NMT_CACHE": f"{home}/nmt"}
        options = {"directory": work, "environment": environment, "limits": self.limits}
        return launch(self.commands, command, words, text=case.text, streams=case.streams, **options)

    def _lay_out(self, case: Case, work: Path) -> None:
        """Write the files that a case finds."""
        write_texts(work)
        if case.kind in (settings.KIND, command_lines.KIND):
            make_oddities(work / "odd")
        if case.model:
            model = self.models[case.model]
            if case.whole_run:
                shutil.copytree(model.run, work / MODEL)
            else:
                shutil.copytree(model.run / "best", work / BUNDLE)
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(model.run / "config.yaml", work / MODEL)
        if case.other:
            shutil.copytree(self.models[case.other].run / "best", work / OTHER)
        for part in case.parts:
            if part.change:
                part.change(work)

    def _alone(self, case: Case, outcome: Outcome, work: Path) -> list[Complaint]:
        """Compare translations with those of the lines alone."""
        found, lines = outcome.out.split(b"\n"), case.text.split(b"\n")
        for number in case.alone:
            if lines[number].startswith(b"\xef\xbb\xbf"):  # which is left out of a first line only
                continue
            alone = dataclasses.replace(case, text=lines[number] + b"\n")
            again = self._launch(case.command, case.arguments(), alone, work)
            if again.out != found[number] + b"\n" and not self._tied(case, number, alone, work):
                told = f"line {number + 1}: {found[number][:200]!r} among others, {again.out[:200]!r} alone"
                return [Complaint("a translation depends on the other lines", told)]
        return []

    def _tied(self, case: Case, number: int, alone: Case, work: Path) -> bool:
        """Tell whether two translations of a line score alike, so that rounding may choose either."""
        words = [*case.arguments(), "--format", "jsonl"]
        among, single = (self._launch(case.command, words, each, work).out.split(b"\n") for each in (case, alone))
        try:
            scores = [json.loads(line)["score"] for line in (among[number], single[0])]
        except (IndexError, KeyError, TypeError, ValueError):
            return False
        return bool(abs(scores[0] - scores[1]) <= _TIE)

    def _trained(self, case: Case, outcome: Outcome, directory: Path) -> list[Complaint]:
        """Translate with what was trained."""
        if case.command != "nmt-train" or outcome.out or case.streams.stdout != "file":
            return []
        found = [
            path.parent for path in directory.rglob("best/config.json") if path.parent != directory / "work" / OTHER
        ]
        if not found:
            return [Complaint("no bundle with exit code 0", last_lines(outcome))]
        newest = max(found, key=lambda path: path.stat().st_mtime_ns)
        sound = Case(kind=case.kind, number=case.number, command="nmt-translate", text=_TEXT)
        again = self._launch("nmt-translate", [str(newest)], sound, directory / "work")
        if again.code or again.out.count(b"\n") != count_lines(_TEXT):
            return [Complaint("what was trained does not translate", f"exit code {again.code}; {last_lines(again)}")]
        return []


def make_oddities(directory: Path) -> None:
    """Fill a directory with what paths may lead to."""
    directory.mkdir()
    for kind in ("directory", "fifo", "zero", "dangling", "loop", "socket", "sparse"):
        make_special(directory / kind, kind)
    (directory / "empty").write_bytes(b"")
    (directory / "binary").write_bytes(bytes(range(256)) * 20)
    (directory / "text.zip").write_bytes(b"PK\x03\x04" + b"\x00" * 50)


def _smaller_cases(case: Case) -> list[Case]:
    """List the cases that lack a part of one, or half of its lines."""
    found = [case.without(number) for number in range(len(case.parts))] if len(case.parts) > 1 else []
    lines = case.text.splitlines(keepends=True)
    if len(lines) > 1 and not case.alone:
        half = len(lines) // 2
        found += [dataclasses.replace(case, text=b"".join(part)) for part in (lines[:half], lines[half:])]
    return found
