"""Fixtures of the tests of search: the table models, and the two kinds of array."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# pytest's importlib mode puts no test folder on sys.path, so the helpers are loaded by their path.
_specification = importlib.util.spec_from_file_location("nmt_search_tables", Path(__file__).with_name("tables.py"))
assert _specification is not None
assert _specification.loader is not None
_tables = importlib.util.module_from_spec(_specification)
sys.modules[_specification.name] = _tables  # dataclasses look their module up
_specification.loader.exec_module(_tables)


@pytest.fixture(scope="session")
def tables():
    """The module tests/search/tables.py."""
    return _tables


@pytest.fixture(params=["numpy", "torch"])
def kind(request):
    """The kind of array the model computes with."""
    return request.param
