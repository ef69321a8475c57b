"""The page of results, docs/results/README.md, made of the recorded runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nmt.errors import ConfigError
from recorded.runs import Entry

_HEAD = """# Results

Made by `python tools/results.py tables` from [runs.jsonl](runs.jsonl); do not edit it by hand.

- A row is a run. Its name stands in the first column.
- `python tools/results.py reproduce RUN` runs it again and compares, where its command is recorded.
- `python tools/results.py list` shows every number with its command. `runs.jsonl` has settings, seeds and commits too.
- A cell with several numbers has every turn. An empty cell was not measured.
- Speeds of one shared machine mean something only beside each other.
- What was learnt stands in [decisions](../decisions/README.md).
- [The log](../log/RESULTS.md) has the course of every run.
"""


def read_tables(path: Path) -> list[dict[str, str]]:
    """Read the tables in their order: `table`, `title`, and a `note` for readers.

    Raises:
        ConfigError: the file is not there, or it is not such a list.
    """
    try:
        tables: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        if any(set(table) != {"table", "title", "note"} for table in tables):
            raise ValueError
    except (OSError, ValueError, TypeError):
        raise ConfigError(f"{path} is no list of table, title and note: restore it from the repository") from None
    return tables


def write_page(entries: Sequence[Entry], tables: Sequence[dict[str, str]]) -> str:
    """Write all tables.

    Raises:
        ConfigError: an entry belongs to a table that is not in the list.
    """
    known = {table["table"] for table in tables}
    for entry in entries:
        if entry.table not in known:
            raise ConfigError(f"{entry.id} belongs to the table {entry.table}, which docs/results/tables.json lacks")
    parts, section = [_HEAD], ""
    for table in tables:
        here = table["table"].partition("/")[0]
        if here != section:
            parts.append(f"## {here.capitalize()}\n")
            section = here
        parts.append(f"### {table['title']}\n\n{table['note']}\n")
        parts.append(write_table([entry for entry in entries if entry.table == table["table"]]))
    return "\n".join(parts)


def write_table(entries: Sequence[Entry]) -> str:
    """Write a table of runs by metrics, and beneath it what all its runs have in common."""
    machines = {_machine(entry.machine) for entry in entries}
    columns = list(dict.fromkeys((entry.metric, entry.unit) for entry in entries))
    several = len(machines) > 1
    head = ["run", "what", *(["machine"] if several else []), *map(_heading, columns)]
    rows: dict[str, dict[tuple[str, str], Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.run, {})[entry.metric, entry.unit] = entry
    lines = [_line(head), _line(["---", "---", *(["---"] if several else []), *["---:"] * len(columns)])]
    for run, cells in rows.items():
        first = next(iter(cells.values()))
        machine = [_machine(first.machine)] if several else []
        values = [cells[column].written() if column in cells else "" for column in columns]
        lines.append(_line([f"`{run}`", first.row, *machine, *values]))
    lines.append("")
    if not several and machines != {""}:
        lines.append(f"Machine: {machines.pop()}.\n")
    signatures = dict.fromkeys(entry.signature for entry in entries if entry.signature)
    if signatures:
        lines.append(f"Signatures: {', '.join(f'`{signature}`' for signature in signatures)}.\n")
    return "\n".join(lines)


def _heading(column: tuple[str, str]) -> str:
    metric, unit = column
    return metric if unit in metric or unit == "BLEU" or unit == "chrF2" else f"{metric}, {unit}"


def _machine(machine: dict[str, Any] | None) -> str:
    if machine is None:
        return ""
    threads = machine["threads"]
    parts = [machine["processor"], "native bf16" if machine["bf16"] else "no native bf16"]
    parts += [f"as an older one: {machine['emulation']}"] if "emulation" in machine else []
    return ", ".join([*parts, f"{threads} thread{'s' * (threads != 1)}"] if threads else parts)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
