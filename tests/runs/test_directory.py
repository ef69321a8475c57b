"""The run directory."""

import pytest

from nmt.runs.directory import require_writable


def test_require_writable_makes_the_directory_and_leaves_nothing_in_it(tmp_path):
    require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        require_writable(tmp_path / "file" / "b")
