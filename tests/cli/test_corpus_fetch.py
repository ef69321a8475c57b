"""Fetching a corpus, as a command: from a directory, from a server, and everything that can go wrong."""

import contextlib
import errno
import gzip
import io
import os
import shutil
import signal
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from nmt.recipes import fetch as fetch_module

from .fetching import COMMAND, TEXTS, Server, environment, fetch, leftovers, sha256, write_recipe


@pytest.fixture
def recipe(tmp_path):
    return write_recipe(tmp_path)


@pytest.fixture
def copy(tmp_path):
    """A directory with the files, some compressed and some plain."""
    folder = tmp_path / "a copy, with spaces"
    folder.mkdir()
    for name, text in TEXTS.items():
        if name == "train.de":
            (folder / name).write_bytes(text)
        else:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text))
    return folder


@pytest.fixture
def server(copy):
    server = Server(copy)
    server.release = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def failure(*arguments):
    """The one line of a command that ends with code 2."""
    done = fetch(*arguments)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("nmt corpus fetch: fetching ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    return lines[0]


def assert_complete(output):
    assert {path.name: path.read_bytes() for path in output.iterdir()} == TEXTS


def test_from_a_directory(recipe, copy, tmp_path):
    output = tmp_path / "new" / "tiny"
    done = fetch("--recipe", recipe, "--from", copy, "--output", output)
    assert done.returncode == 0
    assert done.stdout == f"tiny: complete in {output} (3 files verified)\nlicence: free\nplease cite: nobody\n"
    assert_complete(output)
    assert not leftovers(output.parent)


@pytest.mark.parametrize("slash", ["", "/"])
def test_from_a_server(recipe, server, tmp_path, slash):
    done = fetch("--recipe", recipe, "--from", server.url + slash, "--output", tmp_path / "out")
    assert done.returncode == 0
    assert_complete(tmp_path / "out")


def test_from_the_recipes_own_address_and_from_a_file_url(server, copy, tmp_path):
    for number, url in enumerate((server.url, copy.as_uri())):
        output = tmp_path / str(number)
        assert fetch("--recipe", write_recipe(tmp_path, url=url), "--output", output).returncode == 0
        assert_complete(output)


def test_a_complete_corpus_is_not_fetched_again(recipe, server, tmp_path):
    arguments = ("--recipe", recipe, "--from", server.url, "--output", tmp_path / "out")
    fetch(*arguments)
    server.requests.clear()
    done = fetch(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith(f"tiny: already complete in {tmp_path / 'out'} (3 files verified)")
    assert server.requests == []


def test_only_missing_and_wrong_files_are_fetched(recipe, server, tmp_path):
    output = tmp_path / "out"
    arguments = ("--recipe", recipe, "--from", server.url, "--output", output)
    fetch(*arguments)
    (output / "train.en").write_bytes(b"other")
    (output / "val.en").unlink()
    (output / "mine.txt").write_bytes(b"keep")
    server.requests.clear()
    assert fetch(*arguments).returncode == 0
    assert server.requests == ["train.en.gz", "val.en.gz"]
    assert (output / "mine.txt").read_bytes() == b"keep"
    (output / "mine.txt").unlink()
    assert_complete(output)


@pytest.mark.parametrize("trouble", [[503, "short"], ["short", 200], [429]])
def test_a_broken_connection_is_tried_again(recipe, server, tmp_path, trouble):
    server.answers["val.en.gz"] = trouble
    assert fetch("--recipe", recipe, "--from", server.url, "--output", tmp_path / "out").returncode == 0
    assert_complete(tmp_path / "out")


def test_an_unreachable_server(recipe, tmp_path):
    line = failure("--recipe", recipe, "--output", tmp_path / "out")
    assert line.startswith("nmt corpus fetch: error: http://127.0.0.1:9/none/train.en.gz: cannot be fetched (")
    assert line.endswith("); check the connection or name a copy with --from")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json"]


def test_a_refused_file(recipe, server, tmp_path):
    server.answers["train.en.gz"] = [403]
    assert failure("--recipe", recipe, "--from", server.url, "--output", tmp_path / "out") == (
        f"nmt corpus fetch: error: {server.url}/train.en.gz: HTTP 403 Forbidden; name a copy with --from"
    )


@pytest.mark.parametrize("remote", [True, False])
def test_a_missing_file(recipe, server, copy, tmp_path, remote):
    (copy / "val.en.gz").unlink()
    base = server.url if remote else copy
    assert failure("--recipe", recipe, "--from", base, "--output", tmp_path / "out") == (
        f"nmt corpus fetch: error: {base}: has none of val.en.gz, val.en; check the address or name a copy with --from"
    )
    assert not (tmp_path / "out").exists()
    assert not leftovers(tmp_path)


def test_wrong_content_names_both_sums_and_changes_nothing(recipe, copy, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "train.en").write_bytes(b"older")
    (copy / "val.en.gz").write_bytes(gzip.compress(b"forged\n"))
    assert failure("--recipe", recipe, "--from", copy, "--output", output) == (
        f"nmt corpus fetch: error: {copy}/val.en.gz: wrong content: its SHA-256 is {sha256(b'forged' + bytes([10]))}, "
        f"the recipe says {sha256(TEXTS['val.en'])}; try another copy with --from"
    )
    assert [path.name for path in output.iterdir()] == ["train.en"]
    assert (output / "train.en").read_bytes() == b"older"
    assert not leftovers(tmp_path)


def test_a_directory_in_a_files_place_is_told_of(recipe, copy, tmp_path):
    output = tmp_path / "out"
    (output / "val.en" / "x").mkdir(parents=True)
    line = failure("--recipe", recipe, "--from", copy, "--output", output)
    assert line.startswith(f"nmt corpus fetch: error: {output}/val.en: cannot be replaced (")
    assert line.endswith("); move it away and run the same command again, which keeps what is right already")
    assert not leftovers(tmp_path)
    shutil.rmtree(output / "val.en")
    assert fetch("--recipe", recipe, "--from", copy, "--output", output).returncode == 0
    assert_complete(output)


@pytest.mark.parametrize("error", [OSError(errno.EHOSTUNREACH, "No route to host"), ssl.SSLError("bad record mac")])
def test_whatever_breaks_a_connection_is_tried_again(tmp_path, monkeypatch, error):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise error

    tries = []

    @contextlib.contextmanager
    def opened(address):
        tries.append(address)
        yield Broken() if len(tries) < 3 else io.BytesIO(b"text")

    monkeypatch.setattr(fetch_module, "_opened", opened)
    monkeypatch.setattr(fetch_module, "_PAUSE_SECONDS", 0)
    assert fetch_module.attempt("http://x/y", tmp_path / "y") == sha256(b"text")
    assert len(tries) == 3


def test_a_damaged_gzip_file(recipe, copy, tmp_path):
    data = bytearray((copy / "train.en.gz").read_bytes())
    data[-6] ^= 0xFF
    (copy / "train.en.gz").write_bytes(data)
    line = failure("--recipe", recipe, "--from", copy, "--output", tmp_path / "out")
    assert line.startswith(f"nmt corpus fetch: error: {copy}/train.en.gz: damaged gzip file (")


def test_unknown_names_list_what_is_known(tmp_path):
    assert failure("nope") == "nmt corpus fetch: error: nope: unknown corpus; known: 3am, multi30k"
    assert failure() == "nmt corpus fetch: error: no corpus is named; known: 3am, multi30k"
    assert failure("multi30k", "--from", tmp_path / "none") == (
        f"nmt corpus fetch: error: --from {tmp_path}/none: there is no such directory; name a directory or a URL"
    )


def test_list():
    done = fetch("--list")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["3am", "multi30k"]
    assert "multi30k: image captions" in done.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, "'../up' is not a plain file name; correct the recipe"),
        ({"files": [{"name": "/etc/x", "path": "x", "sha256": "0"}]}, "'/etc/x' is not a plain file name"),
        ({"files": [{"name": "x"}]}, "not a recipe ("),
    ],
)
def test_a_bad_recipe(tmp_path, changes, message):
    path = write_recipe(tmp_path, **changes)
    assert failure("--recipe", path).startswith(f"nmt corpus fetch: error: {path}: {message}")
    path.write_text("[]")
    assert "not a recipe (" in failure("--recipe", path)
    path.unlink()
    assert failure("--recipe", path) == (
        f"nmt corpus fetch: error: {path}: cannot read the recipe (No such file or directory); check the path"
    )


def test_a_directory_that_cannot_be_written(recipe, copy, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    output = tmp_path / "file" / "out"
    assert failure("--recipe", recipe, "--from", copy, "--output", output).startswith(
        f"nmt corpus fetch: error: cannot save {output}: "
    )


def test_without_output_it_fills_a_folder_of_the_current_directory(recipe, copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fetch("--recipe", recipe, "--from", copy).returncode == 0
    assert_complete(tmp_path / "corpora" / "tiny")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_leaves_nothing(recipe, server, tmp_path, number, code):
    server.answers["train.de"] = ["stall"]
    output = tmp_path / "out"
    process = subprocess.Popen(
        [*COMMAND, "--recipe", str(recipe), "--from", server.url, "--output", str(output)],
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert server.stalled.wait(30)
    assert leftovers(tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert b"Traceback" not in stderr
    assert not output.exists()
    assert not leftovers(tmp_path)


def test_the_multi30k_recipe_fits_the_real_files(tmp_path):
    if "NMT_CORPORA" not in os.environ:
        pytest.skip("NMT_CORPORA does not name a folder that holds multi30k/")
    output = tmp_path / "multi30k"
    done = fetch("multi30k", "--from", Path(os.environ["NMT_CORPORA"]) / "multi30k", "--output", output)
    assert done.returncode == 0
    assert sorted(path.name for path in output.iterdir()) == sorted(
        f"{part}.{language}" for part in ("train", "val", "test_2016_flickr") for language in ("de", "en", "fr")
    )
    with open(output / "train.en", "rb") as stream:
        assert sum(1 for _ in stream) == 29_000
