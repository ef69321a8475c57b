"""The recorded runs, docs/results/runs.jsonl: one measured number a line, with how it was made."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One measured number; None where something was never recorded."""

    id: str
    """RUN/METRIC: the numbers of one run share what stands before the stroke"""
    table: str
    """SECTION/NAME of the table that shows it"""
    row: str
    """its label there"""
    metric: str
    """its column there"""
    value: tuple[Decimal, ...]
    """every turn's, with the digits that were measured; most have one"""
    unit: str
    signature: str | None
    """how sacreBLEU made a score"""
    seeds: tuple[int, ...] | None
    commit: str | None
    """the one that brought the number into the project's results"""
    machine: dict[str, Any] | None
    """processor, threads, whether it computes bf16 natively, and the settings that stand in for an older one, if any"""
    configuration: tuple[str, ...] | None
    """settings and options that differ from the defaults of then"""
    corpus: dict[str, Any] | None
    """name, and the SHA-256 of its training text, source then target"""
    command: str | None
    """makes the number again, for bash; see `recorded.again` for its variables"""
    reads: str | None
    """a regular expression whose last match in the command's output has the number in its group"""
    tolerance: float | None
    """how far the new number may be from the recorded one, as a share of that"""

    @property
    def run(self) -> str:
        """The run that it is of."""
        return self.id.rpartition("/")[0]

    @property
    def median(self) -> Decimal:
        """The median of all turns."""
        return statistics.median(self.value)

    def written(self) -> str:
        """Write the value with separators of thousands."""
        return ", ".join(f"{value:,}" for value in self.value)


def read_entries(path: Path) -> list[Entry]:
    """Read all recorded numbers.

    Raises:
        ConfigError: the file is not there, or a line is not what it should be.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not there: it has the recorded numbers; check out the whole repository")
    entries: dict[str, Entry] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = _entry(json.loads(line, parse_float=Decimal, parse_int=Decimal))
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: {error}; correct this line") from None
        if entry.id in entries:
            raise ConfigError(f"{path}:{number}: the id {entry.id} is there twice; give one of them another id")
        entries[entry.id] = entry
    return list(entries.values())


def of_runs(entries: Iterable[Entry], name: str) -> list[Entry]:
    """Take the entry of this id, or all of this run."""
    return [entry for entry in entries if name in (entry.id, entry.run)]


def _entry(values: Any) -> Entry:
    """Check a line; raises ValueError with what is wrong."""
    names = {field.name for field in fields(Entry)}
    given = set(values) if isinstance(values, dict) else set()
    for what, wrong in (("lacks", names - given), ("has the unknown field", given - names)):
        if wrong:
            raise ValueError(f"an entry {what} {min(wrong)}")
    turns = values["value"] if isinstance(values["value"], list) else [values["value"]]
    if not turns or not all(isinstance(turn, Decimal) for turn in turns):
        raise ValueError(f"the value of {values['id']} is no number, nor a list of numbers")
    if not values["id"].rpartition("/")[0]:
        raise ValueError(f"the id {values['id']} is not RUN/METRIC")
    if len({values[name] is None for name in ("command", "reads", "tolerance")}) > 1:
        raise ValueError(f"{values['id']} needs command, reads and tolerance together, or none of them")
    machine = values["machine"] and {key: _plain(value) for key, value in values["machine"].items()}
    return Entry(
        **values
        | {
            "value": tuple(turns),
            "seeds": values["seeds"] and tuple(map(int, values["seeds"])),
            "configuration": values["configuration"] and tuple(values["configuration"]),
            "machine": machine,
            "tolerance": _plain(values["tolerance"]),
        }
    )


def _plain(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)
