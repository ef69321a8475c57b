"""Facts are found out once; digests again only after a file has changed; and a broken cache costs nothing but time."""

import hashlib
import os
from pathlib import Path

import pytest

from nmt.corpus import cache as cache_module
from nmt.corpus.cache import Cache
from nmt.errors import CorpusError

LONG_AGO = 1_600_000_000


@pytest.fixture
def reads(monkeypatch):
    """Names of the files on disk that are read to digest them."""
    names = []
    digest = hashlib.file_digest

    def reading(stream, kind):
        names.append(Path(stream.name).name)
        return digest(stream, kind)

    monkeypatch.setattr(hashlib, "file_digest", reading)
    return names


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "text.en"
    path.write_bytes(b"one\n")
    return path


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been written long ago."""
    monkeypatch.setattr(cache_module, "_SETTLED_NS", -1)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_facts_are_kept_by_their_whole_key(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.get("a", 1) is None
    cache.put({"b": [1, 2]}, "a", 1)
    cache.put(2**63 + 1, "a", ["x", 2])
    for same in (cache, Cache(tmp_path / "cache")):
        assert same.get("a", 1) == {"b": [1, 2]}
        assert same.get("a", ["x", 2]) == 2**63 + 1
        assert same.get("a", 2) is same.get("a") is same.get("a", "1") is None
    cache.put("new", "a", 1)
    assert Cache(tmp_path / "cache").get("a", 1) == "new"
    assert len(list((tmp_path / "cache" / "facts").iterdir())) == 2  # and nothing half-written


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"key": 1}'])
def test_a_damaged_fact_is_none(tmp_path, damage):
    cache = Cache(tmp_path)
    cache.put(1, "a")
    (path,) = (tmp_path / "facts").iterdir()
    path.write_bytes(damage)
    assert cache.get("a") is None
    cache.put(1, "a")
    assert cache.get("a") == 1


def test_a_cache_that_cannot_be_written_is_none(tmp_path, file, reads):
    (tmp_path / "cache").write_bytes(b"a file")
    cache = Cache(tmp_path / "cache")
    cache.put(1, "a")
    assert cache.get("a") is None
    assert cache.file_digest(file) == cache.file_digest(file) == sha(b"one\n")
    assert reads == ["text.en"]


def test_a_file_is_read_once_and_by_later_starts_not_at_all(tmp_path, file, reads, settled):
    cache = Cache(tmp_path / "cache")
    assert cache.file_digest(file) == cache.file_digest(file) == sha(b"one\n")
    assert Cache(tmp_path / "cache").file_digest(file) == sha(b"one\n")
    assert reads == ["text.en"]


def test_a_file_that_was_just_written_is_not_remembered_beyond_this_start(tmp_path, file, reads):
    # Its next change may leave no trace in its size and times.
    cache = Cache(tmp_path / "cache")
    cache.file_digest(file)
    cache.file_digest(file)
    assert reads == ["text.en"]
    Cache(tmp_path / "cache").file_digest(file)
    assert reads == ["text.en"] * 2


def change_size(path):
    path.write_bytes(b"four\n")


def change_bytes(path):
    path.write_bytes(b"two\n")
    os.utime(path, ns=(LONG_AGO, LONG_AGO + 5))


def change_file(path):
    (path.parent / "new").write_bytes(b"two\n")
    os.utime(path.parent / "new", (LONG_AGO, LONG_AGO))
    os.replace(path.parent / "new", path)


@pytest.mark.parametrize("change", [change_size, change_bytes, change_file])
def test_a_changed_file_is_read_again(tmp_path, file, settled, change):
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert Cache(tmp_path / "cache").file_digest(file) == sha(b"one\n")
    change(file)
    assert Cache(tmp_path / "cache").file_digest(file) == sha(file.read_bytes()) != sha(b"one\n")


def test_equal_files_have_equal_digests_wherever_they_lie(tmp_path, file, settled):
    other = tmp_path / "other.en"
    other.write_bytes(file.read_bytes())
    cache = Cache(tmp_path / "cache")
    assert cache.file_digest(file) == cache.file_digest(other)


def test_a_file_that_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(CorpusError) as caught:
            Cache(tmp_path / "cache").file_digest(path)
        assert str(caught.value) == f"{path}: cannot be read ({reason}); check the file"


def test_a_file_inside_an_archive_is_read_by_every_start(tmp_path, reads):
    class Inside:
        name = "text.en"

        def __str__(self):
            return "archive.zip/text.en"

        def open(self, mode):
            return open(Path(__file__), mode)

    for _ in range(2):
        cache = Cache(tmp_path / "cache")
        assert cache.file_digest(Inside()) == cache.file_digest(Inside()) == sha(Path(__file__).read_bytes())
    assert reads == [Path(__file__).name] * 2
