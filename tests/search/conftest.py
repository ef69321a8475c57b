"""Fixtures of the tests of search: the table models, and the two kinds of array."""

from __future__ import annotations

import pytest

from . import tables as _tables


@pytest.fixture(scope="session")
def tables():
    """The module tests/search/tables.py."""
    return _tables


@pytest.fixture(params=["numpy", "torch"])
def kind(request):
    """The kind of array the model computes with."""
    return request.param
