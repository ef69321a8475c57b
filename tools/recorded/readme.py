"""The numbers that the README shows: each must be in a recorded run.

What is looked at: the section "What it reaches", its tables included, and elsewhere every sentence that speaks of a
measurement (a score, a speed, a size). Code, links and comments are left out, and numbers that name a thing: beam 5,
2 threads, 30,000 pairs. A comment before a paragraph or a table narrows down where its numbers may come from:

    <!-- runs: multi30k-de demo/bleu -->     these runs alone
    <!-- runs: none -->                      the next paragraph shows no measurement
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from nmt.errors import ConfigError
from recorded.runs import Entry, of_runs

SECTION = "What it reaches"

_MARKER = re.compile(r"<!--\s*runs:\s*(.*?)\s*-->")
_MEASUREMENT = re.compile(r"\b(BLEU|chrF2?|TER)\b|[a-z]/s\b|\ba second\b|\d\s+[MG]i?B\b|\d times\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[:;])\s+|(?<=[.!?])\s+(?=[^a-z])|\s*\|\s*")
_NOT_TEXT = re.compile(r"`[^`]*`|<!--.*?-->|\]\([^)]*\)|https?://\S+|\([^()]*\b[A-Z]\w+(?: et al\.| & \w+)? \d{4}\)")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?!\w|[.,]?\d)")
# Before and after a number that names something instead of measuring it.
_NAMED_BEFORE = re.compile(r"\b(beam|seed|EPYC|under|at least|at most|up to|Python)\s*$")
_NAMED_AFTER = re.compile(r"^\s*(threads?|cores?|pairs|subwords|lines|seeds?|encoder layers?)\b")


class Shown(NamedTuple):
    """A number in the README."""

    text: str
    line: int
    runs: str | None
    """the marker that holds for it: names of runs; None: all"""


def shown_numbers(text: str) -> Iterator[Shown]:
    """Find every number that a run must have."""
    runs: str | None = None
    reaches = False
    for line, block in _blocks(text):
        marker = _MARKER.search(block)
        if block.startswith("#"):
            reaches, runs = block.lstrip("# ").strip() == SECTION, None
            continue
        if marker:
            runs = marker.group(1)
            if not _MARKER.sub("", block).strip():
                continue  # it stands alone, before what it is for
        rows = block.split("\n") if block.startswith("|") else [block]
        for offset, row in enumerate(rows):
            for sentence in _SENTENCE_END.split(_NOT_TEXT.sub(" ", row.replace("\n", " "))):
                if runs != "none" and (reaches or _MEASUREMENT.search(sentence)):
                    yield from (Shown(number, line + offset, runs) for number in _numbers(sentence))
        runs = None


def check_readme(path: Path, entries: Sequence[Entry]) -> None:
    """Compare what the README shows with the recorded runs.

    Raises:
        ConfigError: a number is in no run, or a marker names none.
    """
    every = [value for entry in entries for value in entry.value]
    wrong = []
    for shown in shown_numbers(path.read_text(encoding="utf-8")):
        values = every
        if shown.runs is not None:
            values = []
            for name in shown.runs.split():
                named = of_runs(entries, name)
                if not named:
                    raise ConfigError(
                        f"{path.name}:{shown.line}: the comment names the run {name}, which is not recorded"
                    )
                values += [value for entry in named for value in entry.value]
        if not any(_is_shown_as(value, shown.text) for value in values):
            wrong.append(shown)
    if wrong:
        where = f" of the runs {wrong[0].runs}" if wrong[0].runs is not None else ""
        more = f" ({len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
        raise ConfigError(
            f"{path.name}:{wrong[0].line}: {wrong[0].text} is no recorded number{where}{more}: "
            "correct it, or record its run in docs/results/runs.jsonl"
        )


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs, tables and headings, each with its first line; code is left out."""
    block: list[str] = []
    start, fenced = 1, False
    for number, line in enumerate([*text.split("\n"), ""], 1):
        is_fence = line.lstrip().startswith("```")
        if line.strip() and not is_fence and not fenced and not line.startswith("    "):
            if block and (line.startswith("#") or _starts_item(line)):
                yield start, "\n".join(block)
                block = []
            start = start if block else number
            block.append(line)
            if not line.startswith("#"):
                continue
        fenced ^= is_fence
        if block:
            yield start, "\n".join(block)
            block = []


def _starts_item(line: str) -> bool:
    return bool(re.match(r"\s*([-*]|\d+\.)\s", line))


def _numbers(sentence: str) -> Iterator[str]:
    for found in _NUMBER.finditer(re.sub(r"^\s*\d+\.\s", "", sentence)):
        before, after = found.string[: found.start()], found.string[found.end() :]
        if not _NAMED_BEFORE.search(before) and not _NAMED_AFTER.match(after):
            yield found.group()


def _is_shown_as(value: Decimal, text: str) -> bool:
    """Whether a value has this form with so many digits after the point."""
    shown = Decimal(text.replace(",", ""))
    unit = Decimal(1).scaleb(int(shown.as_tuple().exponent))
    return shown in (value.quantize(unit, ROUND_HALF_EVEN), value.quantize(unit, ROUND_HALF_UP))
