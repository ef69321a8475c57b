"""Rows that a comparison keeps as it makes them, a line of JSON each, so that none is made twice."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from nmt.files import encoded, write_atomically, write_flushed


def read_kept(path: Path) -> list[dict[str, Any]]:
    """Read all that was kept; nothing where there is no file yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def keep(path: Path, row: dict[str, Any]) -> None:
    """Add a row; the file is replaced whole, and several processes may add to it."""
    with FileLock(Path(tempfile.gettempdir()) / f"{path.name}.lock"):
        content = encoded("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in [*read_kept(path), row]))
        write_atomically(path, lambda file: write_flushed(file, content))


def find(rows: Iterable[dict[str, Any]], **wanted: Any) -> dict[str, Any] | None:
    """Find the row that has these values."""
    return next((row for row in rows if all(row.get(key) == value for key, value in wanted.items())), None)
