"""What a run has found, as Markdown: complaints of one sort together, each sort with its smallest case."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robustness.run import Result

_SHOWN_CASES = 8
_KILLED = ("does not end", "takes too much memory", "ended by a signal")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What became of a case, in words."""

    kind: str
    number: int
    command: str
    code: int
    seconds: float
    rule: str
    """what it does not fulfil; empty: nothing"""
    evidence: str
    signature: str
    """what complaints of one sort have in common"""
    size: int
    """the less, the simpler is the case"""
    lines: tuple[str, ...]
    """what it does"""
    stderr: str
    """the end of what it said"""

    @property
    def name(self) -> str:
        """The name that --only takes."""
        return f"{self.kind}:{self.number}"


def signature(result: Result) -> str:
    """Tell what makes complaints one sort: rule, command, and the message without what is the case's own."""
    if not result.complaints:
        return ""
    rule, evidence = result.complaints[0]
    if rule in _KILLED:
        message = " ".join(part.about.partition(" ")[0] for part in result.case.parts)
    else:
        message = re.sub(r"'[^']*'|\"[^\"]*\"|\([^)]*\)", "_", " ".join(evidence.split()))
        message = re.sub(r"[\d.,]+", "0", re.sub(r"\S*[/=]\S*", "_", message))[:80]
    return f"{rule}: {result.case.command}: {message}"


def groups(results: Sequence[Told]) -> list[list[Told]]:
    """Put complaints of one sort together, the most frequent first; each begins with its simplest case."""
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for told in results:
        if told.rule:
            found[told.signature].append(told)
    for group in found.values():
        group.sort(key=lambda told: told.size)
    return sorted(found.values(), key=lambda group: (-len(group), group[0].signature))


def summary(results: Sequence[Told]) -> Iterator[str]:
    """Yield a table of the kinds of cases: how many ended with which exit code, and how long they took."""
    yield "| kind | cases | exit 0 | exit 2 | exit 1 | others | bad | seconds | longest |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in dict.fromkeys(told.kind for told in results):
        own = [told for told in results if told.kind == kind]
        codes = Counter(told.code for told in own)
        numbers = [len(own), codes[0], codes[2], codes[1], len(own) - codes[0] - codes[1] - codes[2]]
        numbers.append(sum(bool(told.rule) for told in own))
        seconds = [told.seconds for told in own]
        yield f"| {kind} | {' | '.join(map(str, numbers))} | {sum(seconds):.0f} | {max(seconds):.1f} |"


def finding(group: Sequence[Told], smaller: Told) -> Iterator[str]:
    """Yield the paragraph of a sort of complaints; `smaller` is its first case, as small as it could be made."""
    shown = smaller if smaller.rule == group[0].rule else group[0]
    names = ", ".join(told.name for told in group[:_SHOWN_CASES])
    yield f"### {shown.rule} ({shown.command}, {len(group)} cases)"
    yield f"- cases: {names}{', ...' if len(group) > _SHOWN_CASES else ''}"
    yield from shown.lines


def describe(result: Result) -> Iterator[str]:
    """Yield what a case does, and what is wrong with it."""
    case = result.case
    yield f"- command: `{case.shell()}`"
    if case.model:
        yield f"- model: {case.model}{f', other: {case.other}' if case.other else ''}"
    if result.damages:
        yield f"- files: {result.damages}"
    for part in case.parts:
        if (part.change or not part.words) and not result.damages:
            yield f"- files: {part.about}"
    usual = dataclasses.asdict(type(case.streams)())
    odd = {name: value for name, value in dataclasses.asdict(case.streams).items() if value != usual[name]}
    if odd:
        yield f"- streams: {', '.join(f'{name}={value}' for name, value in odd.items())}"
    if case.text:
        shown = case.text if len(case.text) <= 200 else case.text[:150] + b"..."
        yield f"- text: {shown!r} ({len(case.text)} bytes)"
    yield f"- exit code {result.outcome.code} after {result.outcome.seconds:.1f} s"
    for rule, evidence in result.complaints:
        yield f"- {rule}: {' '.join(evidence.split())}"
