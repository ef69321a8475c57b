"""docs/formulas.md: every file, name and test that it sends a reader to is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/formulas.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| formula", "| ---"))
]


def names_in(path):
    """Functions and classes of a file, methods as CLASS.METHOD."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_a_formula_names_is_there(row):
    formula, equation, *places = row
    assert formula
    assert equation
    assert len(places) == 2
    for place, folder in zip(places, ("nmt/", "tests/"), strict=True):
        path, name = re.fullmatch(r"`(.+)` `(.+)`", place).groups()
        assert path.startswith(folder)
        assert (ROOT / path).is_file(), f"{path} is gone"
        assert name in names_in(ROOT / path), f"{path} has no {name}"
    assert name.startswith("test_")


def test_the_page_has_formulas_and_says_each_once():
    formulas = [row[0] for row in ROWS]
    assert len(formulas) > 30
    assert len(set(formulas)) == len(formulas)
