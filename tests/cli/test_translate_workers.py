"""nmt-translate --workers: the same text as from one process, and clean ends."""

import json
import os
import shutil
import signal
import time

import pytest

from nmt.export.variant import export
from nmt.translation.pool import split

POSIX = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs POSIX signals and /proc")
TWO = ("--workers", 2)


def children(pid):
    """Processes that a process started and that still run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as status:
                state, parent = status.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(name))
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as status:
            return status.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_gone(pids):
    deadline = time.monotonic() + 20
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, f"still running: {[pid for pid in pids if is_alive(pid)]}"
        time.sleep(0.02)


def without_numbers(line):
    return {key: value for key, value in json.loads(line).items() if key not in ("score", "log_prob")}


@pytest.fixture(scope="module")
def quick_path(bundle_path, tmp_path_factory):
    """The bundle with a variant that starts without PyTorch."""
    path = tmp_path_factory.mktemp("exported") / "bundle"
    shutil.copytree(bundle_path, path)
    export(path, "fp32")
    return path


@pytest.fixture
def answering(nmt_translate, quick_path):
    """A command with two workers that has answered a line, and the workers' ids."""
    process = nmt_translate.start(quick_path, *TWO, "--quiet", start_new_session=True)
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"\n"
    workers = children(process.pid)
    assert len(workers) == 2
    yield process, workers
    for pid in (process.pid, *workers):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_the_output_is_that_of_one_process(nmt_translate, quick_path, make_sentences):
    lines = [*make_sentences(60), "", "Many green trees. " * 200, *make_sentences(40, seed=2)]
    text = "\n".join(lines).encode() + b"\ncaf\xe9\n"
    one, two = (nmt_translate(quick_path, "--workers", n, "--format", "jsonl", text=text) for n in (1, 2))
    assert one.code == two.code == 0
    assert one.out.count(b"\n") == 103
    # The same but for rounding: the sentences meet others in their batches.
    assert [without_numbers(line) for line in two.lines[:-1]] == [without_numbers(line) for line in one.lines[:-1]]
    assert two.err == one.err
    assert "line 62: its" in two.err
    assert "line 103: not UTF-8" in two.err


def test_wrong_use_is_one_line_also_where_a_worker_finds_it(nmt_translate, quick_path, tmp_path):
    for words, told in [
        (
            (quick_path, "--workers", -1),
            "--workers -1 is not possible: it must be between 1 and 1024, or 0 for one per core",
        ),
        (
            (quick_path, *TWO, "--n-best", 3, "--format", "moses"),
            "--n-best 3 is more than the beam holds: set --beam-size 3 or more (it is 2)",
        ),
        (
            (tmp_path / "nowhere", *TWO),
            f"{tmp_path / 'nowhere'} does not exist; name a directory that nmt-train made, such as runs/demo/best",
        ),
    ]:
        result = nmt_translate(*words, text="x\n")
        assert (result.code, result.out, result.err) == (2, b"", f"nmt-translate: error: {told}\n")


@POSIX
def test_each_line_is_answered_at_once_and_a_closed_input_ends_all(answering):
    process, workers = answering
    for line in (b"The old river.\n", b"\n", b"Many trees.\n"):
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"\n")  # the next line is written only after this answer
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 0
    assert_gone(workers)


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_all_ends_all_quietly(answering, number, code):
    process, workers = answering
    os.killpg(process.pid, number)  # as a terminal does with Ctrl-C
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == code
    assert_gone(workers)


@POSIX
def test_a_killed_worker_ends_the_command_with_one_line(answering):
    process, workers = answering
    os.kill(workers[0], signal.SIGKILL)
    out, error = process.stdout.read(), process.stderr.read().decode()  # nothing more is typed
    assert (process.wait(60), out) == (1, b"")
    assert error == (
        f"nmt-translate: error: worker process {workers[0]} was killed by signal 9; if memory is short, run it again "
        "with fewer --workers; what came before is written\n"
    )
    assert_gone(workers)


@POSIX
def test_a_killed_command_leaves_no_worker(answering, make_sentences):
    process, workers = answering
    process.stdin.write("\n".join(make_sentences(3000)).encode())  # they are at work when it dies
    process.stdin.flush()
    process.kill()
    process.wait()
    assert_gone(workers)


@POSIX
def test_a_closed_reader_ends_all_quietly(nmt_translate, quick_path, tmp_path):
    (tmp_path / "input").write_text("\n" * 1_000_000)  # more output than a pipe holds
    with open(tmp_path / "input", "rb") as text:
        process = nmt_translate.start(quick_path, *TWO, stdin=text)
        assert process.stdout.readline() == b"\n"
        workers = children(process.pid)
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
        assert (process.wait(60), error) == (0, b"")
    assert_gone(workers)


@pytest.mark.parametrize(
    ("lengths", "count", "parts"),
    [
        ([5, 5, 5, 5], 2, [2, 2]),
        ([5, 5, 5], 1, [3]),
        ([5, 5], 4, [1, 1]),
        ([100, 1, 1, 1], 2, [1, 3]),
        ([1, 1, 1, 100], 3, [4]),
        ([0, 0, 0, 0, 0, 0], 3, [2, 2, 2]),
    ],
)
def test_a_window_is_cut_into_parts_of_equal_work(lengths, count, parts):
    sizes = [length + 1 for length in lengths]
    found = [sizes[part] for part in split(sizes, count)]
    assert [len(part) for part in found] == parts
    assert [size for part in found for size in part] == sizes
