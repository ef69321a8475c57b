"""The store: equal to encoding in memory, built once, never half there, rebuilt when damaged."""

import errno
import json
import logging
import os
import subprocess
import sys
import threading
import time

import filelock
import numpy as np
import pytest

from nmt.corpus import encoding, store
from nmt.corpus.cache import Cache
from nmt.corpus.encoding import Encoder
from nmt.corpus.filters import Filters, hold_out_threshold, is_held_out
from nmt.corpus.reader import read_pairs, resolve
from nmt.corpus.store import default_cache_dir, open_store
from nmt.errors import ConfigError, CorpusError, RunError
from nmt.text.subword_training import train_subwords


@pytest.fixture
def paths(tmp_path, pairs):
    (tmp_path / "train.en").write_text("".join(f"{p.source}\n" for p in pairs), encoding="utf-8", newline="\n")
    (tmp_path / "train.de").write_text("".join(f"{p.target}\n" for p in pairs), encoding="utf-8", newline="\n")
    return resolve(str(tmp_path / "train"), source="en", target="de", key="corpus.train")


@pytest.fixture
def build(tmp_path, paths, subwords):
    """Open the store of the small corpus; returns (corpus, built)."""

    def build(**settings):
        progress, cache_dir = settings.pop("progress", None), settings.pop("cache_dir", tmp_path / "cache")
        encoder = Encoder(**{"source_subwords": subwords, "target_subwords": subwords, **settings})
        return open_store(paths, encoder, cache=Cache(cache_dir), progress=progress)

    return build


def stores(tmp_path):
    """Names in the cache, without the lock files that the operating system keeps."""
    return sorted(p.name for p in (tmp_path / "cache" / "corpora").iterdir() if p.suffix != ".lock")


def assert_equal(one, other):
    for side in ("source", "target"):
        for a, b in zip(getattr(one, side), getattr(other, side), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    assert one.counts == other.counts
    assert one.held_out == other.held_out
    assert (one.source_unknown_rate, one.target_unknown_rate) == (other.source_unknown_rate, other.target_unknown_rate)


def test_the_store_holds_ids_and_text_of_every_pair(build, pairs, subwords):
    corpus, built = build()
    assert built
    assert len(corpus) == corpus.counts.kept == len(pairs)
    for i, pair in enumerate(pairs):
        assert (corpus.source.line(i), corpus.target.line(i)) == pair
        assert corpus.source.row(i).tolist() == subwords.encode(pair.source)
        assert corpus.target.row(i).tolist() == subwords.encode(pair.target)


def test_memory_mapped_equals_in_memory_whatever_the_chunks(build, pairs, subwords, paths, monkeypatch):
    settings = {"filters": Filters(max_source_tokens=20), "hold_out": hold_out_threshold(paths, 50)}
    monkeypatch.setattr(encoding, "_CHUNK_PAIRS", 7)
    mapped, _ = build(**settings)
    monkeypatch.undo()
    assert isinstance(mapped.source.ids, np.memmap)
    assert not mapped.source.ids.flags.writeable
    assert_equal(mapped, Encoder(subwords, subwords, **settings).encode(pairs))


def test_a_second_call_uses_the_first_ones_work(build):
    corpus, _ = build()
    again, built = build()
    assert not built
    assert_equal(again, corpus)


def test_content_and_settings_make_a_new_store_names_do_not(build, tmp_path, paths, pairs, subwords):
    other = train_subwords([p.source for p in pairs], kind="char", vocabulary_size=100)
    build()
    assert build(filters=Filters(max_source_tokens=9))[1]
    assert build(hold_out=1 << 60)[1]
    assert build(target_subwords=other)[1]
    os.utime(tmp_path / "train.en")
    assert not build()[1]
    with open(tmp_path / "train.en", "a", encoding="utf-8") as a, open(tmp_path / "train.de", "a") as b:
        a.write("ka\n")
        b.write("to\n")
    assert build()[1]
    assert len(stores(tmp_path)) == 5


def test_held_out_pairs_are_in_neither_ids_nor_text(build, pairs, paths):
    threshold = hold_out_threshold(paths, 60)
    corpus, _ = build(hold_out=threshold)
    wanted = [pair for pair in read_pairs(paths) if is_held_out(pair, threshold)]
    assert list(zip(*corpus.held_out, strict=True)) == wanted
    assert len(corpus) == len(pairs) - len(wanted)
    assert not {corpus.source.line(i) for i in range(len(corpus))} & set(corpus.held_out.source)


def test_validation_text_of_another_corpus_is_left_out(build, pairs, subwords):
    sources = frozenset(pair.source for pair in pairs[10:20])
    corpus, built = build(validation=sources)
    assert built
    assert not sources & {corpus.source.line(i) for i in range(len(corpus))}
    assert corpus.counts.validation == len(pairs) - len(corpus) >= 10
    assert corpus.counts.summary().endswith(
        f"0 of unlike lengths, {corpus.counts.validation} whose source is validation text"
    )
    settings = {"validation": sources}
    assert_equal(corpus, Encoder(subwords, subwords, **settings).encode(pairs))
    assert not build(validation=sources)[1]
    assert build(validation=frozenset([*sources, "other"]))[1]
    spaced = [pair._replace(source=f" {pair.source}\t") for pair in pairs]
    assert len(Encoder(subwords, subwords, **settings).encode(spaced)) == len(corpus)


def test_nothing_left_to_train_on(build, tmp_path, paths):
    with pytest.raises(CorpusError) as caught:
        build(filters=Filters(max_source_tokens=0))
    assert str(caught.value) == (
        f"corpus.train={tmp_path}/train: no pair is left to train on (0 pairs kept; left out: 0 with an empty side, "
        f"1,500 too long, 0 of unlike lengths); check the corpus and filters"
    )
    assert stores(tmp_path) == []


def test_progress_tells_the_pairs_read(build, monkeypatch):
    monkeypatch.setattr(encoding, "_CHUNK_PAIRS", 600)
    seen = []
    build(progress=seen.append)
    assert seen == [600, 1200, 1500]


@pytest.mark.parametrize("name", ["meta.json", "source.ids", "target.offsets", "target.text"])
@pytest.mark.parametrize("damage", ["truncate", "remove", "grow"])
def test_a_damaged_store_is_rebuilt(build, tmp_path, name, damage):
    corpus, _ = build()
    expected = [corpus.source.line(i) for i in range(len(corpus))]
    del corpus
    path = tmp_path / "cache" / "corpora" / stores(tmp_path)[0] / name
    if damage == "remove":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if damage == "truncate" else data + b"x")
    corpus, built = build()
    assert built
    assert [corpus.source.line(i) for i in range(len(corpus))] == expected
    assert not build()[1]


def test_an_older_format_is_rebuilt(build, tmp_path):
    build()
    path = tmp_path / "cache" / "corpora" / stores(tmp_path)[0] / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 0}))
    assert build()[1]


def test_a_failure_while_building_leaves_nothing(build, tmp_path):
    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(progress=fail)
    assert stores(tmp_path) == []
    assert build()[1]


def test_what_a_killed_builder_left_is_swept(build, tmp_path):
    root = tmp_path / "cache" / "corpora"
    (root / "0123.building").mkdir(parents=True)
    (root / "0123.building" / "source.ids").write_bytes(b"half")
    (root / "4567.building").mkdir()
    with filelock.FileLock(root / "4567.lock"):  # somebody is still at work there
        build()
        (name,) = (name for name in stores(tmp_path) if len(name) == 32)
        (root / name).rename(root / f"{name}.building")  # this very store, half built
        assert build()[1]
    assert [name for name in stores(tmp_path) if name.endswith(".building")] == ["4567.building"]


def test_a_full_disk_is_one_line(build, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.Encoder, "write", full)
    with pytest.raises(RunError) as caught:
        build()
    assert str(caught.value) == (
        f"{tmp_path}/cache/corpora: no space left to encode the corpus; free some, "
        f"or set corpus.cache_dir or $NMT_CACHE elsewhere"
    )
    assert caught.value.exit_code == 1
    assert stores(tmp_path) == []


def test_a_cache_that_cannot_be_written(build, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError) as caught:
        build(cache_dir=tmp_path / "file")
    assert str(caught.value) == (
        f"{tmp_path}/file/corpora: the encoded corpus cannot be written (Not a directory); "
        f"set corpus.cache_dir or $NMT_CACHE to a directory of yours"
    )


def test_errors_of_the_corpus_pass_through(build, tmp_path):
    with open(tmp_path / "train.en", "a", encoding="utf-8") as stream:
        stream.write("ka\n")
    with pytest.raises(CorpusError, match="has 1501 lines"):
        build()
    assert stores(tmp_path) == []


def test_default_cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("NMT_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("NMT_CACHE")
    assert default_cache_dir().name == "nmt"


OPEN = """
import sys
from pathlib import Path
from nmt.corpus.cache import Cache
from nmt.corpus.encoding import Encoder
from nmt.corpus.reader import resolve
from nmt.corpus.store import open_store
from nmt.text.subwords import SubwordModel

prefix, model, cache = sys.argv[1:]
subwords = SubwordModel.load(Path(model))
paths = resolve(prefix, source="en", target="de", key="corpus.train")
print("ready", flush=True)
sys.stdin.readline()
corpus, built = open_store(paths, Encoder(subwords, subwords), cache=Cache(Path(cache)))
print(built, len(corpus), corpus.source.line(3))
"""


def test_processes_that_start_together_build_one_store(paths, tmp_path, subwords, pairs):
    model = tmp_path / "subwords.model"
    model.write_bytes(subwords.to_bytes())
    command = [sys.executable, "-c", OPEN, str(tmp_path / "train"), str(model), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    runs = [process.communicate(timeout=60)[0].strip() for process in processes]
    rest = f"{len(pairs)} {pairs[3].source}"
    assert sorted(runs) == [f"False {rest}", f"False {rest}", f"True {rest}"]
    assert len(stores(tmp_path)) == 1


def test_another_builder_is_waited_for(build, tmp_path, caplog):
    build()
    name = stores(tmp_path)[0]
    root = tmp_path / "cache" / "corpora"
    (root / name).rename(root / "aside")
    holding = threading.Event()

    def finish():
        with filelock.FileLock(root / f"{name}.lock"):
            holding.set()
            deadline = time.monotonic() + 20
            while "waiting for it" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.01)
            (root / "aside").rename(root / name)

    other = threading.Thread(target=finish)
    other.start()
    assert holding.wait(10)
    with caplog.at_level(logging.INFO, logger="nmt"):
        assert not build()[1]
    other.join()
    assert "another process is encoding the corpus; waiting for it" in caplog.text
